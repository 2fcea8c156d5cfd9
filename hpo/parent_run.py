"""The parent run of a sweep: put on record when the sweep starts or goes on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hpo.build import Parts
from hpo.config.conversion import canonical, config_hash
from hpo.config.schema import SweepConfig
from hpo.driver import identity
from hpo.provenance.git import git_tags
from hpo.standing import DRIVER_TAG
from trackers.artifacts import ArtifactFolder
from trackers.failpoints import reach
from trackers.records import Run, RunStarted, RunUpdated, SweepFacts
from trackers.tracker import Tracker

TRIAL_TAGS = ("mlflow.source.name", "mlflow.source.type", "mlflow.source.git.commit")
"""The parent's tags that every trial's run repeats, because MLflow shows them per run."""


def recorded(config: SweepConfig) -> str:
    """What the store keeps of a sweep file, as JSON: what decides its trials, and the budget that cuts them."""
    budget = {**config.budget.model_dump(mode="json"), "target": config.metric.target}
    return json.dumps({**json.loads(canonical(config)), "budget": budget}, sort_keys=True, allow_nan=False)


@dataclass(frozen=True)
class ParentRun:
    """The parent run of the sweep that `path` describes; `now` is milliseconds since 1970."""

    parts: Parts
    path: Path
    user: str
    now: int

    def start(self, tracker: Tracker, run_id: str, name: str, existing: Run | None) -> Run:
        """The parent as recorded: RUNNING and owned by this process, with its settings, data sets and sweep file."""
        experiment = existing.experiment if existing else self.parts.config.experiment_name
        tracker.experiment(experiment)
        started = existing.started if existing else None
        reach("parent.before_commit")
        tracker.record(
            [
                RunStarted(
                    run_id=run_id,
                    name=name,
                    experiment=experiment,
                    started=started or self.now,
                    params=self._params(),
                    tags=self._tags(),
                    user=self.user,
                    datasets=self.parts.datasets,
                    sweep=self._facts(),
                )
            ]
        )
        reach("parent.after_commit")
        files = ArtifactFolder().save_file(tracker.get(run_id).artifact_uri, self.path, "sweep.yaml")
        reach("parent.before_manifest")
        tracker.record([RunUpdated(run_id, artifacts=files)])
        return tracker.get(run_id)

    def _facts(self) -> SweepFacts:
        config, plan = self.parts.config, self.parts.plan
        return SweepFacts(
            config=recorded(config),
            config_hash=config_hash(config),
            metric=plan.metric,
            goal=plan.goal.value,
            seed=plan.seed,
            window=plan.window,
            n_trials=plan.budget.n_trials,
        )

    def _params(self) -> Mapping[str, str | int]:
        engine, plan = self.parts.config.engine, self.parts.plan
        return {
            "metric": plan.metric,
            "goal": plan.goal.value,
            "engine": engine.name,
            "sampler": engine.sampler,
            "seed": plan.seed,
            "window": "free" if plan.window is None else plan.window,
        }

    def _tags(self) -> Mapping[str, str]:
        config = self.parts.config
        digests = {f"hpo.data.{'test' if d.context == 'test' else 'train'}": d.digest for d in self.parts.datasets}
        return {
            **config.tags,
            **({"mlflow.note.content": config.description} if config.description else {}),
            "mlflow.source.name": str(self.path),
            "mlflow.source.type": "LOCAL",
            **git_tags(self.path.resolve().parent),
            **digests,
            "hpo.n_trials": str(config.budget.n_trials),
            "hpo.n_jobs": str(config.parallel.n_jobs),
            "hpo.config_hash": config_hash(config),
            DRIVER_TAG: identity(),
        }
