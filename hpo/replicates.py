"""Runs finalists again with other seeds, as runs below their trials; the mean and the spread go onto the trials.

A re-run is recorded like a trial, and is none of the sweep: its parent is the trial's run, so nobody counts or ranks
it. The trial's own value stays out of the mean: it was picked for being high.
"""

import logging
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hpo.carrying_out import carry_out
from hpo.executor import Executor
from hpo.interruption import Interruption
from hpo.latest_points import latest_points
from hpo.losses import LossCount, Losses
from hpo.reclaim import reclaimed, retry_marks, to_run_again
from hpo.sweep_records import REPLICATE_TAG, SweepRecords, next_attempt
from hpo.trial import Outcome, State, Trial, derive_seed
from trackers.failpoints import reach
from trackers.records import Change, Fence, Query, Run, RunUpdated
from trackers.tracker import Tracker

log = logging.getLogger(__name__)

HUGE = 1e150
"""Metrics of this size (and NaN) have no spread that a float can hold."""
SEEDS_TAG = "hpo.seeds"
"""On a trial: how many re-runs its `seeds_` metrics are made of."""


@dataclass(frozen=True)
class ReRuns:
    """What running finalists again takes. `records` makes the changes for the runs below one trial.

    `is_lost` says that the driver which left re-runs open died while they ran. `first` counts the replicates of the
    search below each trial: finalists were picked for those, so they are not taken for re-runs.
    """

    tracker: Tracker
    metric: str
    seed: int
    count: int
    records: Callable[[Run], SweepRecords]
    executor: Callable[[], Executor]
    interruption: Interruption
    fence: Fence | None = None
    is_lost: bool = False
    retry_failed: bool = False
    first: int = 0

    @property
    def indices(self) -> range:
        """The re-runs of a trial among all runs of its point, those of the search being counted first."""
        return range(self.first, self.first + self.count)

    def of(self, finalists: Sequence[Run]) -> Mapping[str, str]:
        """Why not, for each finalist of which a re-run failed; the others have `seeds_` metrics on record after this.

        What has ended is not run again. BrokenOff where the work is to end.
        """
        job = _Job(self, {run.id: self._again_below(run) for run in finalists})
        for run in finalists:
            job.plan(run)
        if job.waiting:
            executor = self.executor()
            try:
                carry_out(executor, job.waiting, job, self.interruption, job.losses)
            finally:
                executor.close()
        for run in finalists:
            if run.id not in job.failures:
                self._summarize(run)
        return job.failures

    def record(self, *changes: Change) -> None:
        """Puts changes on record as the sweep's driver."""
        self.tracker.record(changes, self.fence)

    def _again_below(self, run: Run) -> dict[int, Run]:
        """The re-runs of a trial on record, by their number; what a dead driver left open is WAITING."""
        known = self._below(run)
        now = self.records(run).clock()
        changes = [*reclaimed(known, now, is_lost=self.is_lost), *(retry_marks(known) if self.retry_failed else ())]
        if changes:
            self.record(*changes)
            known = self._below(run)
        return {again.trial.number: again for again in to_run_again(known) if again.trial}

    def _below(self, run: Run) -> Sequence[Run]:
        found = [again for again in self.tracker.find(Query(parent=run.id)) if REPLICATE_TAG in again.tags]
        return [again for again in found if again.trial and again.trial.number in self.indices]

    def _summarize(self, run: Run) -> None:
        """The mean and the sample standard deviation of every metric that all re-runs have."""
        ended = self._below(run)
        summary = {
            f"seeds_{kind}_{name}": value
            for name, values in _common(ended)
            for kind, value in (("mean", statistics.fmean(values)), ("std", statistics.stdev(values)))
        }
        if run.tags.get(SEEDS_TAG) != str(self.count) or not summary.keys() <= run.metrics.keys():
            points = latest_points(self.tracker, run.id, summary, self.records(run).clock())
            reach("seeds.before_commit")
            self.record(RunUpdated(run.id, points=points, tags={SEEDS_TAG: str(self.count)}))
            reach("seeds.after_commit")


@dataclass
class _Job:
    """The re-runs of all finalists, told apart by a number of their own: its place among those that are to run."""

    settings: ReRuns
    known: Mapping[str, Mapping[int, Run]]
    waiting: list[Trial] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    losses: LossCount = field(default_factory=LossCount)
    _of: list[tuple[Run, int]] = field(default_factory=list)

    def plan(self, run: Run) -> None:
        """Adds what is still to be run of one finalist."""
        for position, index in enumerate(self.settings.indices):
            again = self.known[run.id].get(index)
            facts = again.trial if again else None
            if facts and facts.state == State.FAILED:
                self.failures[run.id] = _failure(position, self.settings.count, facts.reason, facts.error)
        for index in self.settings.indices if run.id not in self.failures else ():
            again = self.known[run.id].get(index)
            if again is None or (again.trial and again.trial.state not in (State.COMPLETE, State.FAILED)):
                number = len(self.waiting)
                self._of.append((run, index))
                self.losses.remember(number, again.tags if again else {})
                self.waiting.append(self._trial(number, run, index, again))

    def is_wanted(self, trial: Trial) -> bool:
        """A finalist that is out is not run any more."""
        return self._of[trial.number][0].id not in self.failures

    def started(self, trial: Trial) -> None:
        """It is on record before it runs."""
        run, index = self._of[trial.number]
        begun = self._records(trial).trial_started(replace(trial, number=index))
        reach("replicate.before_start")
        self.settings.record(replace(begun, name=f"{run.name}-seed-{index}"))
        reach("replicate.after_start")

    def ended(self, trial: Trial, outcome: Outcome) -> None:
        """It is on record before anybody is told."""
        run, index = self._of[trial.number]
        records, metric, count = self._records(trial), self.settings.metric, self.settings.count
        own, position = replace(trial, number=index), index - self.settings.first
        ending = records.ending(own, outcome)
        outcome, value = ending.outcome, ending.value
        reach("replicate.before_commit")
        self.settings.record(ending.change)
        reach("replicate.after_commit")
        if outcome.state is not State.COMPLETE:
            self.failures[run.id] = _failure(position, count, outcome.reason, outcome.error)
        seen = f"{metric}={value:.6g}" if value is not None else f"{outcome.state} {outcome.reason} {outcome.error}"
        log.info("%s again with seed %d (%d of %d) %s", run.name, trial.seed, position + 1, count, seen)

    def put_back(self, trial: Trial, losses: Losses | None) -> None:
        """It will run again, now or when the sweep goes on."""
        own = replace(trial, number=self._of[trial.number][1])
        self.settings.record(self._records(trial).trial_put_back(own, losses.tags if losses else None))

    def _trial(self, number: int, run: Run, index: int, again: Run | None) -> Trial:
        of = run.trial.number if run.trial else 0
        seed = derive_seed(self.settings.seed, of, purpose=f"replicate {index}")
        params = run.trial.params if run.trial else run.params
        if again is None or again.trial is None:
            return self.settings.records(run).new_trial(number, params, seed)
        return next_attempt(Trial(number, params, seed, again.id, again.trial.attempt, artifact_uri=again.artifact_uri))

    def _records(self, trial: Trial) -> SweepRecords:
        run, index = self._of[trial.number]
        records = self.settings.records(run)
        return replace(records, tags={**records.tags, REPLICATE_TAG: str(index)})


def _common(runs: Sequence[Run]) -> Iterator[tuple[str, list[float]]]:
    """The metrics that all of these runs have, but for the spreads of others, with their values."""
    names = [name for name in (runs[0].metrics if runs else ()) if all(name in run.metrics for run in runs)]
    for name in names:
        values = [run.metrics[name] for run in runs]
        is_spread = name.endswith("_std") and name.removesuffix("_std") in names
        if not is_spread and all(abs(value) < HUGE for value in values):
            yield name, values


def _failure(index: int, count: int, reason: str, error: str) -> str:
    return f"re-run {index + 1} of {count} FAILED: {reason}{f' ({error})' if error else ''}"
