"""The parent run of a sweep: put on record when the sweep starts or goes on."""

import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hpo.build import Parts
from hpo.config.conversion import config_hash
from hpo.config.expanded import as_yaml
from hpo.config.secrets_in_file import masked_names, masked_text, without_secrets
from hpo.driver import Driver
from hpo.provenance.environment import environment_tags
from hpo.provenance.git import git_tags
from hpo.recorded_config import FILE_ARTIFACT, origin_tags, recorded
from hpo.samplers.auto_stages import choice_text
from hpo.standing import data_tags
from hpo.warm_start import KnownTrial, with_told
from trackers.artifacts import ArtifactFolder
from trackers.failpoints import reach
from trackers.records import Change, Fence, Run, RunStarted, RunUpdated, SweepFacts
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
        more: Sequence[Change] = (),
    ) -> Run:  # fmt: skip
        """The parent as recorded: RUNNING and owned by this process, with its settings, data sets and sweep file.

        `more` is recorded in the same transaction. NameTaken where a new sweep's name is on record already.
        """
        experiment = existing.experiment if existing else self.parts.config.experiment_name
        tracker.experiment(experiment)
        started = existing.started if existing else None
        begun = RunStarted(
            run_id=run_id,
            name=name,
            experiment=experiment,
            started=started or self.now,
            params=self._params(),
            tags=self._tags(),
            user=self.user,
            datasets=self.parts.datasets,
            sweep=self._facts(),
            new_name=existing is None,
        )
        reach("parent.before_commit")
        tracker.record([begun, *more], fence)
        reach("parent.after_commit")
        self._keep_file(tracker, run_id, fence)
        return tracker.get(run_id)

    def _keep_file(self, tracker: Tracker, run_id: str, fence: Fence | None) -> None:
        """Keeps the sweep file, secrets masked; without it, and where it was never kept, what is known of it."""
        if self.path is None and any(kept.path == FILE_ARTIFACT for kept in tracker.artifacts(run_id)):
            return
        if masked := masked_names(self.parts.config):
            log.info("kept off the record, shown as ***: %s", ", ".join(masked))
        artifact_uri = tracker.get(run_id).artifact_uri
        with tempfile.TemporaryDirectory(prefix="hpo-") as scratch:
            path = Path(scratch, FILE_ARTIFACT)
            text = self.path.read_bytes().decode() if self.path else as_yaml(self.parts.config)
            path.write_bytes(masked_text(text, self.parts.secrets).encode())
            files = ArtifactFolder().save_file(artifact_uri, path, FILE_ARTIFACT)
        reach("parent.before_manifest")
        tracker.record([RunUpdated(run_id, artifacts=files)], fence)

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
            **git_tags(self.folder),
            **environment_tags(),
            **data_tags(self.parts.datasets),
            **self._choice(),
            "hpo.n_trials": str(config.budget.n_trials),
            "hpo.n_jobs": str(config.parallel.n_jobs),
            "hpo.config_hash": config_hash(config),
            DRIVER_TAG: str(Driver.here()),
        }

    def _choice(self) -> Mapping[str, str]:
        if self.parts.config.engine.name != "auto":
            return {}
        chosen = choice_text(self.parts.space, several=bool(self.parts.plan.others))
        log.info("engine auto: %s", chosen)
        return {AUTO_TAG: chosen}
