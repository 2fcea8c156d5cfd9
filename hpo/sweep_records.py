"""How a sweep and its trials are written down: the changes the driver hands to the tracker."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hpo.attempt import failed
from hpo.budget import Stop
from hpo.constraints import INFEASIBLE_TAG, VIOLATION, Constraint, judged
from hpo.data_record import dataset_of
from hpo.progress import Progress
from hpo.replication import replicate_of
from hpo.secret_keeping import OUTPUT_NAME
from hpo.space import Params
from hpo.trial import Outcome, State, Trial
from trackers.checks import check_change
from trackers.errors import InvalidRecord
from trackers.records import (
    STATUS_OF_STATE,
    Artifact,
    LoggedModel,
    Point,
    Run,
    RunEnded,
    RunStarted,
    RunUpdated,
    Status,
    TrialFacts,
)
from trackers.rows import artifact_uri, attempt_uri

REPLICATE_TAG = "hpo.replicate"
"""On a run of a trial's point with another seed, which lies below the trial's run: which one it is, from 0."""
REPLAY_TAG = "hpo.replay"
"""On a run below a trial's: it is that trial run again later, and what came of it, `same` or `differs`."""


@dataclass(frozen=True)
class Ending:
    """How a trial ended, as it goes on record: its value (None unless COMPLETE), its run's change, those below it."""

    outcome: Outcome
    value: float | None
    change: RunEnded
    below: Sequence[RunStarted | RunEnded]


@dataclass(frozen=True)
class SweepRecords:
    """Makes the changes for one sweep. `clock` gives milliseconds since 1970, `new_id` fresh run ids.

    `artifacts` is the experiment's artifact location, `tags` go onto every trial's run. By `constraints` complete
    trials are judged.
    """

    parent_id: str
    experiment: str
    metric: str
    artifacts: str
    user: str
    clock: Callable[[], int]
    new_id: Callable[[], str]
    tags: Mapping[str, str] = field(default_factory=dict)
    constraints: Sequence[Constraint] = ()

    def new_trial(self, number: int, params: Params, seed: int) -> Trial:
        """A trial that nobody has run yet, with a run id of its own."""
        run_id = self.new_id()
        return Trial(number, params, seed, run_id, artifact_uri=artifact_uri(self.artifacts, run_id))

    def trial_of(self, run: Run) -> Trial:
        """The trial that a child run records."""
        facts = run.trial or TrialFacts(number=-1, params=run.params)
        return Trial(facts.number, facts.params, facts.seed, run.id, facts.attempt, artifact_uri=run.artifact_uri)

    def trial_started(self, trial: Trial) -> RunStarted:
        """The trial is RUNNING."""
        return RunStarted(
            run_id=trial.run_id,
            name=f"trial-{trial.number}",
            experiment=self.experiment,
            started=self.clock(),
            parent_id=self.parent_id,
            params=trial.params,
            tags=self.tags,
            user=self.user,
            trial=_facts(trial, State.RUNNING),
        )

    def _trial_ended(self, trial: Trial, outcome: Outcome, value: float | None) -> RunEnded:
        """The trial ended, with all that came of it."""
        return RunEnded(
            run_id=trial.run_id,
            status=STATUS_OF_STATE[outcome.state],
            ended=outcome.started + round(outcome.seconds * 1000),
            points=points(outcome),
            tags=outcome.tags,
            artifacts=[Artifact(file.path, file.size, file.sha256) for file in outcome.files],
            models=[LoggedModel(m.model_id, m.name, m.path, m.flavor) for m in outcome.models],
            datasets=[dataset_of(read) for read in outcome.inputs],
            trial=TrialFacts(
                number=trial.number,
                params=trial.params,
                state=outcome.state,
                attempt=trial.attempt,
                seed=trial.seed,
                value=value,
                reason=outcome.reason,
                error=outcome.error,
                traceback=outcome.traceback,
                seconds=outcome.seconds,
            ),
        )

    def _replicates_ended(self, trial: Trial, outcome: Outcome) -> list[RunStarted | RunEnded]:
        """The runs below the trial's that record its replicates; they are no trials of the sweep."""
        changes: list[RunStarted | RunEnded] = []
        for index, each in enumerate(outcome.replicates):
            own = replace(self, parent_id=trial.run_id, tags={**self.tags, REPLICATE_TAG: str(index)})
            replicate = replace(replicate_of(trial, index), number=index)
            value = each.metrics.get(self.metric) if each.state is State.COMPLETE else None
            begun = replace(
                own.trial_started(replicate), name=f"trial-{trial.number}-seed-{index}", started=each.started
            )
            changes += [begun, own._trial_ended(replicate, each, value)]
        return changes

    def violation_of(self, state: State, metrics: Mapping[str, float]) -> float | None:
        """How far a trial is from the constraints on metrics, as recorded; None where it is not judged by any."""
        if state is not State.COMPLETE or not any(constraint.is_measured for constraint in self.constraints):
            return None
        return metrics.get(VIOLATION, math.inf)

    def ending(self, trial: Trial, outcome: Outcome) -> Ending:
        """How the trial ended, with what the constraints on metrics say of it, and the changes that record it.

        FAILED instead where the store would refuse it: a trial's own fault must not end the sweep.
        """
        outcome = self._judged(trial, outcome)
        value = outcome.metrics.get(self.metric) if outcome.state is State.COMPLETE else None
        ended, below = self._trial_ended(trial, outcome, value), self._replicates_ended(trial, outcome)
        try:
            for change in (ended, *below):
                check_change(change)
        except InvalidRecord as error:
            bare = failed(trial, "invalid_result", str(error), started=outcome.started, seconds=outcome.seconds)
            printed = [file for file in outcome.files if file.path == OUTPUT_NAME]
            outcome = replace(bare, files=printed)
            return Ending(outcome, None, self._trial_ended(trial, outcome, None), ())
        return Ending(outcome, value, ended, below)

    def _judged(self, trial: Trial, outcome: Outcome) -> Outcome:
        said = judged(self.constraints, trial.params, outcome.metrics) if outcome.state is State.COMPLETE else None
        if said is None:
            return outcome
        metrics = {name: value for name, value in outcome.metrics.items() if name != VIOLATION}
        if math.isfinite(said.violation):
            metrics[VIOLATION] = said.violation
        tags = {INFEASIBLE_TAG: said.text} if said.violation else {}
        return replace(outcome, metrics=metrics, tags={**outcome.tags, **tags})

    def trial_put_back(self, trial: Trial, tags: Mapping[str, str] | None = None) -> RunEnded:
        """The trial was interrupted and will run again under its number and params."""
        facts = _facts(trial, State.WAITING)
        return RunEnded(trial.run_id, Status.SCHEDULED, self.clock(), tags=tags or {}, trial=facts)

    def sweep_updated(self, progress: Progress) -> RunUpdated:
        """What the parent run says of the sweep now."""
        return RunUpdated(self.parent_id, tags=progress.tags())

    def best_found(self, progress: Progress) -> RunUpdated:
        """A new best: the parent's tags, and a point of its metric at the trial's number."""
        point = Point(self.metric, progress.best or 0.0, progress.best_number or 0, self.clock())
        return RunUpdated(self.parent_id, points=[point], tags=progress.best_tags())

    def sweep_ended(self, progress: Progress, stop: Stop) -> RunEnded:
        """The sweep is over; FAILED where failures stopped it or no trial gave a value that can be the best."""
        failed = stop is Stop.FAILURES or not progress.has_result
        status = Status.FAILED if failed else Status.FINISHED
        return RunEnded(self.parent_id, status, self.clock(), tags={**progress.tags(), "hpo.stopped_by": stop})

    def sweep_interrupted(self, progress: Progress) -> RunEnded:
        """The driver ends before the sweep does."""
        tags = {**progress.tags(), "hpo.stopped_by": Stop.INTERRUPTED.value}
        return RunEnded(self.parent_id, Status.KILLED, self.clock(), tags=tags)


def next_attempt(trial: Trial) -> Trial:
    """The same trial, to be run once more; its files go to a folder of its own."""
    attempt = trial.attempt + 1
    return replace(trial, attempt=attempt, artifact_uri=attempt_uri(trial.artifact_uri, attempt))


def points(outcome: Outcome) -> list[Point]:
    """The reports, then each final metric one millisecond after the last report of that name, at its step.

    MLflow takes the point with the largest (step, timestamp) for the latest value; this makes it the final one.
    """
    latest: dict[str, tuple[int, int]] = {}
    for report in outcome.reports:
        latest[report.metric] = max(latest.get(report.metric, (0, 0)), (report.step, report.timestamp))
    ended = outcome.started + round(outcome.seconds * 1000)
    made = [Point(report.metric, report.value, report.step, report.timestamp) for report in outcome.reports]
    for name, value in outcome.metrics.items():
        step, timestamp = latest.get(name, (0, 0))
        made.append(Point(name, value, step, max(timestamp + 1, ended) if name in latest else ended))
    return made


def _facts(trial: Trial, state: State) -> TrialFacts:
    return TrialFacts(trial.number, trial.params, state, trial.attempt, trial.seed)


def config_tags(config: str, source_name: str) -> dict[str, str]:
    """The parent's tags that say what was to be done; the configuration stands there whole where it fits."""
    kept = config if len(config) <= 5000 else json.dumps({"see": "artifact sweep.yaml"})
    return {"hpo.config": kept, "mlflow.source.name": source_name}
