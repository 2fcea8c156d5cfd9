"""Gives an objective the real values of masked params, and takes secrets out of what it leaves behind."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hpo.autolog.described_model import AUTOLOG
from hpo.masking import Secrets
from hpo.objective import Objective, TrialContext, TrialFiles
from hpo.scratch import own_prefix
from hpo.space import Params
from hpo.trial import InputFile, Metrics, Outcome, SavedFile, SavedModel

OUTPUT_NAME = "logs/output.log"
"""Under which name executors keep what a trial printed."""


@dataclass(frozen=True)
class SecretKeeping:
    """An objective whose trials are recorded with `***` where `secrets` has a value, and run with the value."""

    objective: Objective
    secrets: Secrets

    def prepare(self) -> None:
        """Gets the objective ready, if it has to be."""
        prepare = getattr(self.objective, "prepare", None)
        if prepare is not None:
            prepare()

    def sent_with(self, told: str) -> "SecretKeeping":
        """The same for another machine, which is told what stands in that text, and finds the rest by `arrived`."""
        return replace(self, secrets=self.secrets.sent_with(told))

    def arrived(self, environment: Mapping[str, str]) -> "SecretKeeping":
        """The same on that machine, whose environment holds the secrets that did not travel."""
        return replace(self, secrets=self.secrets.found_in(environment))

    def __call__(self, params: Params, trial: TrialContext) -> float | Metrics:
        """What the objective makes of the real params."""
        real = {name: value for name, value in self.secrets.params.items() if name in params}
        return self.objective({**params, **real}, trial)


@dataclass(frozen=True)
class SecretKeepingFiles:
    """Keeps what trials printed without secrets; other files are the objective's own affair and kept as they are."""

    files: TrialFiles
    secrets: Secrets

    def sent_with(self, told: str) -> "SecretKeepingFiles":
        """The same for another machine, as `SecretKeeping.sent_with` has it."""
        return replace(self, secrets=self.secrets.sent_with(told))

    def arrived(self, environment: Mapping[str, str]) -> "SecretKeepingFiles":
        """The same on that machine."""
        return replace(self, secrets=self.secrets.found_in(environment))

    def save_file(self, artifact_uri: str, source: Path, name: str) -> list[SavedFile]:
        """Copies a file or a folder below the run's artifacts, each file whole or not at all."""
        if source.is_dir() and name.rpartition("/")[2] == AUTOLOG:
            return self._save_texts(artifact_uri, source, name)
        if name != OUTPUT_NAME:
            return self.files.save_file(artifact_uri, source, name)
        printed = source.read_text("utf-8", "surrogateescape")
        hidden = self.secrets.hide(printed)
        if hidden == printed:
            return self.files.save_file(artifact_uri, source, name)
        with tempfile.TemporaryDirectory(prefix=own_prefix()) as scratch:
            masked = Path(scratch, "output.log")
            masked.write_text(hidden, "utf-8", "surrogateescape")
            return self.files.save_file(artifact_uri, masked, name)

    def _save_texts(self, artifact_uri: str, folder: Path, name: str) -> list[SavedFile]:
        """A folder of texts that we wrote ourselves: an estimator's parameters may hold a secret."""
        with tempfile.TemporaryDirectory(prefix=own_prefix()) as scratch:
            masked = Path(shutil.copytree(folder, Path(scratch, "texts")))
            for path in masked.rglob("*"):
                if path.is_file():
                    text = self.secrets.hide(path.read_text("utf-8", "surrogateescape"))
                    path.write_text(text, "utf-8", "surrogateescape")
            return self.files.save_file(artifact_uri, masked, name)

    def save_model(
        self, artifact_uri: str, model: object, *, name: str, run_id: str, input_example: object
    ) -> tuple[SavedModel, list[SavedFile]]:
        """Writes a model folder below the run's artifacts."""
        return self.files.save_model(artifact_uri, model, name=name, run_id=run_id, input_example=input_example)

    def input_file(self, path: Path, name: str, context: str) -> InputFile:
        """What a file or folder that the trial reads holds."""
        found = self.files.input_file(path, name, context)
        return replace(
            found,
            name=self.secrets.hide(name),
            path=self.secrets.hide(found.path),
            schema=found.schema and self.secrets.hide_in_json(found.schema),
            profile=found.profile and self.secrets.hide_in_json(found.profile),
        )


def without_secrets(outcome: Outcome, objective: Objective) -> Outcome:
    """The outcome with the objective's secrets, and what looks like one, replaced in its texts."""
    if not (outcome.error or outcome.tags):
        return outcome
    secrets: Secrets = getattr(objective, "secrets", Secrets())
    return replace(
        outcome,
        error=secrets.hide(outcome.error),
        traceback=secrets.hide(outcome.traceback),
        tags=secrets.hide_in(outcome.tags),
    )


_: type[Objective] = SecretKeeping
_files: type[TrialFiles] = SecretKeepingFiles
