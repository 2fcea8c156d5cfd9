"""The parent run of a sweep: put on record when the sweep starts or goes on."""

import logging
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from hpo.build import Parts
from hpo.captures import Capture
from hpo.capturing import Captured, captured_again, captured_first, take_capture
from hpo.config.conversion import config_hash
from hpo.config.expanded import as_yaml
from hpo.config.secrets_in_file import masked_names, masked_text, without_secrets
from hpo.driver import Driver
from hpo.provenance.environment import environment_tags
from hpo.provenance.git import commit_tags, git_tags
from hpo.recorded_config import EXPANDED_ARTIFACT, FILE_ARTIFACT, origin_tags, recorded
from hpo.samplers.auto_stages import choice_text
from hpo.scratch import own_prefix
from hpo.standing import data_tags
from hpo.warm_start import KnownTrial, with_told
from trackers.artifacts import ArtifactFolder
from trackers.failpoints import reach
from trackers.records import Artifact, Change, Fence, Run, RunStarted, RunUpdated, SweepFacts
from trackers.tracker import Tracker

log = logging.getLogger(__name__)
DRIVER_TAG = "hpo.driver"
AUTO_TAG = "hpo.auto"
"""How `engine: auto` chose to search."""
TRIAL_TAGS = ("mlflow.source.name", "mlflow.source.type", "mlflow.source.git.commit")
"""The parent's tags that every trial's run repeats, because MLflow shows them per run."""


@dataclass(frozen=True)
class ParentRun:
    """The parent run of a sweep; `now` is milliseconds since 1970.

    `path` is the sweep file, None where the sweep goes on without it; `folder` is where its code lies. `told` are the
    trials of earlier sweeps that its sampler is told first, `origin` the tags that say where code lies, without a file.
    """

    parts: Parts
    path: Path | None
    folder: Path
    user: str
    now: int
    told: Sequence[KnownTrial] = ()
    origin: Mapping[str, str] = field(default_factory=dict)

    def start(
        self, tracker: Tracker, run_id: str, name: str, *, fence: Fence | None, existing: Run | None = None,
        more: Sequence[Change] = (), next_number: int = 0,
    ) -> tuple[Run, Mapping[str, str]]:  # fmt: skip
        """The parent as recorded: RUNNING and owned by this process, with its settings, data sets, files and capture.

        Also the tags that say what its trials from now on run with. `more` is recorded in the same transaction. The
        first trial that an existing one has not asked for has `next_number`. NameTaken where a new sweep's name is on
        record already.
        """
        experiment = existing.experiment if existing else self.parts.config.experiment_name
        tracker.experiment(experiment)
        started = existing.started if existing else None
        captured = self._captured(tracker, existing, next_number)
        begun = RunStarted(
            run_id=run_id,
            name=name,
            experiment=experiment,
            started=started or self.now,
            params=self._params(),
            tags={**self._tags(), **captured.tags},
            user=self.user,
            datasets=self.parts.datasets,
            sweep=self._facts(),
            new_name=existing is None,
        )
        reach("parent.before_commit")
        tracker.record([begun, *more], fence)
        reach("parent.after_commit")
        self._keep_files(tracker, run_id, captured.files, fence)
        return tracker.get(run_id), captured.trial_tags

    @cached_property
    def _capture(self) -> Capture | None:
        return take_capture(self.parts, self.folder, sys.argv, os.environ)

    def _captured(self, tracker: Tracker, existing: Run | None, next_number: int) -> Captured:
        if existing is None:
            return captured_first(self._capture, self.parts.secrets)
        return captured_again(self._capture, self.parts.secrets, tracker, existing, next_number=next_number)

    def _keep_files(self, tracker: Tracker, run_id: str, captured: Mapping[str, bytes], fence: Fence | None) -> None:
        """Keeps the sweep file as it is and as it is meant, secrets masked, and what was captured.

        Without a sweep file, and where it was never kept, what is known of it.
        """
        files = dict(captured)
        if self.path or all(kept.path != FILE_ARTIFACT for kept in tracker.artifacts(run_id)):
            files |= self._sweep_files()
        if not files:
            return
        artifact_uri = tracker.get(run_id).artifact_uri
        saved: list[Artifact] = []
        with tempfile.TemporaryDirectory(prefix=own_prefix()) as scratch:
            for name, content in files.items():
                path = Path(scratch, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            for path in sorted(Path(scratch).iterdir()):
                saved += ArtifactFolder().save_file(artifact_uri, path, path.name)
        reach("parent.before_manifest")
        tracker.record([RunUpdated(run_id, artifacts=saved)], fence)

    def _sweep_files(self) -> Mapping[str, bytes]:
        if masked := masked_names(self.parts.config):
            log.info("kept off the record, shown as ***: %s", ", ".join(masked))
        expanded = as_yaml(self.parts.config)
        texts = {FILE_ARTIFACT: self.path.read_bytes().decode() if self.path else expanded, EXPANDED_ARTIFACT: expanded}
        return {name: masked_text(text, self.parts.secrets).encode() for name, text in texts.items()}

    def _facts(self) -> SweepFacts:
        config, plan = self.parts.config, self.parts.plan
        return SweepFacts(
            config=with_told(recorded(config), self.told),
            config_hash=config_hash(config),
            metric=plan.metric,
            goal=plan.goal.value,
            seed=plan.seed,
            window=plan.window,
            n_trials=plan.budget.n_trials,
        )

    def _params(self) -> Mapping[str, str | int]:
        engine, pruner, plan = self.parts.config.engine, self.parts.config.pruner, self.parts.plan
        return {
            "metric": plan.metric,
            "goal": plan.goal.value,
            **({"metrics": ", ".join(f"{name} ({goal})" for name, goal in plan.goals.items())} if plan.others else {}),
            "engine": engine.name,
            "sampler": engine.sampler,
            **({"pruner": pruner.name} if pruner else {}),
            "seed": plan.seed,
            "window": "free" if plan.window is None else plan.window,
        }

    def _tags(self) -> Mapping[str, str]:
        config = without_secrets(self.parts.config)
        return {
            **config.tags,
            **({"mlflow.note.content": config.description} if config.description else {}),
            **(self.origin if self.path is None else origin_tags(self.path)),
            "mlflow.source.type": "LOCAL",
            **self._git_tags(),
            **environment_tags(),
            **data_tags(self.parts.datasets),
            **self._choice(),
            "hpo.n_trials": str(config.budget.n_trials),
            "hpo.n_jobs": str(config.parallel.n_jobs),
            "hpo.config_hash": config_hash(config),
            DRIVER_TAG: str(Driver.here()),
        }

    def _git_tags(self) -> Mapping[str, str]:
        if self._capture is None or not self.parts.config.capture.code:
            return git_tags(self.folder)
        code = self._capture.code
        return commit_tags(code.commit, code.branch, code.remote, dirty=code.dirty)

    def _choice(self) -> Mapping[str, str]:
        if self.parts.config.engine.name != "auto":
            return {}
        chosen = choice_text(self.parts.space, several=bool(self.parts.plan.others))
        log.info("engine auto: %s", chosen)
        return {AUTO_TAG: chosen}
