"""What a running trial has made so far: reports, tags, files, and models that wait for the trial's value."""

import inspect
import logging
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hpo.autolog.described_model import AUTOLOG, DescribedModel
from hpo.errors import HpoError
from hpo.objective import TrialFiles
from hpo.plain import plain_text
from hpo.scratch import own_prefix
from hpo.trial import InputFile, Report, SavedFile, SavedModel, Trial

LOST_TAG = "hpo.autolog_lost"
"""On a trial: what could not be logged that way."""

log = logging.getLogger(__name__)

_said: set[str] = set()


class SaveFailed(HpoError):
    """A file or a model of the trial could not be saved; the cause says why."""


@dataclass(frozen=True)
class OfferedModel:
    """A model, or a function that makes it, not yet written. Without an optional one the trial is complete, too."""

    model: object
    input_example: object
    is_optional: bool = False


class Gathered:
    """The makings of one Outcome."""

    def __init__(self, trial: Trial, files: TrialFiles | None) -> None:
        self._trial = trial
        self._files = files
        self.reports: list[Report] = []
        self.tags: dict[str, str] = {}
        self.offered: dict[str, OfferedModel] = {}
        self.files: dict[str, SavedFile] = {}
        self.models: dict[str, SavedModel] = {}
        self.inputs: dict[tuple[str, str], InputFile] = {}

    def save_file(self, source: Path, name: str) -> None:
        """Saves a file or a folder now; SaveFailed where that cannot be done."""
        files = self._store(name)
        try:
            saved = files.save_file(self._trial.artifact_uri, source, name)
        except Exception as error:
            raise SaveFailed(f"cannot save {name!r}: {type(error).__name__}: {error}") from error
        self._add_files(saved)

    def save_models(self) -> None:
        """Makes and saves the offered models; what a maker raises passes through, SaveFailed where saving fails."""
        for name, offered in self.offered.items():
            try:
                self._save_model(name, offered)
            except Exception as error:
                if not offered.is_optional:
                    raise
                self.lose(str(error) if isinstance(error, SaveFailed) else f"{type(error).__name__}: {error}")

    def _save_model(self, name: str, offered: OfferedModel) -> None:
        files = self._store(name)
        found = made(offered.model)
        try:
            saved_model, saved_files = files.save_model(
                self._trial.artifact_uri,
                found.model if isinstance(found, DescribedModel) else found,
                name=name,
                run_id=self._trial.run_id,
                input_example=offered.input_example,
            )
        except Exception as error:
            raise SaveFailed(f"cannot save model {name!r}: {type(error).__name__}: {error}") from error
        self.models[name] = saved_model
        self._add_files(saved_files)
        if isinstance(found, DescribedModel):
            self._describe(name, found)

    def save_texts(self, texts: Mapping[str, str], folder: str) -> None:
        """Saves small files below a folder; one that cannot be saved is said in a tag."""
        if not texts or self._files is None:
            return
        try:
            with tempfile.TemporaryDirectory(prefix=own_prefix()) as scratch:
                for name, text in texts.items():
                    path = Path(scratch, name)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(text, "utf-8", "backslashreplace")
                self._add_files(self._files.save_file(self._trial.artifact_uri, Path(scratch), folder))
        except Exception as error:
            self.lose(f"{folder}: {type(error).__name__}: {error}")

    def lose(self, what: str) -> None:
        """Says that something could not be logged that nobody had asked for by name; the trial goes on."""
        if what not in _said:  # the same happens in trial after trial, each of which has its tag
            _said.add(what)
            log.warning("trial %d: not logged: %s", self._trial.number, what)
        known = self.tags.get(LOST_TAG)
        self.tags[LOST_TAG] = plain_text(f"{known}; {what}" if known else what)[:5000]

    def _describe(self, name: str, described: DescribedModel) -> None:
        try:
            description = described.describe()
        except Exception as error:
            self.lose(f"model {name!r}: {type(error).__name__}: {error}")
            return
        self.save_texts(description.files, f"{name}/{AUTOLOG}")
        now = int(time.time() * 1000)
        self.reports += [Report(metric, value, 0, now) for metric, value in description.metrics.items()]

    def note_input(self, path: Path, name: str, context: str) -> None:
        """Remembers a file that the trial reads; OSError where it cannot be read."""
        if self._files is None:
            raise SaveFailed(f"cannot record {name!r} as read: this sweep was started without a place for artifacts")
        found = self._files.input_file(path, name, context)
        self.inputs.setdefault((found.name, found.digest), found)

    def _store(self, name: str) -> TrialFiles:
        if self._files is None:
            raise SaveFailed(f"cannot save {name!r}: this sweep was started without a place for artifacts")
        return self._files

    def _add_files(self, saved: list[SavedFile]) -> None:
        self.files.update({file.path: file for file in saved})


def made(model: object) -> object:
    """The model itself, or what a plain function returns; a callable object (a torch module) is a model."""
    if not (inspect.isroutine(model) or isinstance(model, partial)):
        return model
    fitted = model()
    if fitted is None:
        raise TypeError("the function given to log_model returned None instead of a fitted model")
    return fitted
