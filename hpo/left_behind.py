"""What a driver that is gone left of a sweep: results that its workers wrote down, and how they go on record."""

import os
import time
from collections.abc import Sequence

from hpo.artifact_root import root_of
from hpo.constraints_on_record import constraints_on_record, is_measured, violation_of
from hpo.executors.result_folder import ResultFolder
from hpo.front import front
from hpo.front_on_record import several_of, values_of
from hpo.parent_run import TRIAL_TAGS
from hpo.progress import Progress, seconds_used
from hpo.reclaim import reclaimed
from hpo.result_place import results_of
from hpo.run_ids import counted_ids
from hpo.sweep_records import SweepRecords
from hpo.trial import Goal, Outcome, State
from trackers.opening import Store
from trackers.records import Change, Fence, Query, Run, SweepFacts
from trackers.tracker import Tracker


def records_of(parent: Run, metric: str) -> SweepRecords:
    """How the trials of a sweep on record are written down."""
    return SweepRecords(
        parent_id=parent.id,
        experiment=parent.experiment,
        metric=metric,
        artifacts=root_of(parent),
        user=parent.user,
        clock=lambda: round(time.time() * 1000),
        new_id=counted_ids(),
        tags={name: parent.tags[name] for name in TRIAL_TAGS if name in parent.tags},
        constraints=constraints_on_record(parent.sweep),
    )


def finished_of(records: SweepRecords, results: ResultFolder | None, history: Sequence[Run]) -> Sequence[Outcome]:
    """How RUNNING trials ended whose worker wrote that down before their driver died: they are not run again."""
    running = [run for run in history if run.trial and run.trial.state == State.RUNNING]
    return results.adopt([records.trial_of(run) for run in running]) if results else ()


def put_on_record(store: Store, parent: Run, facts: SweepFacts, fence: Fence, *, died: bool) -> tuple[int, int]:
    """Ends what the driver left RUNNING: finished trials are recorded as they ended, the others wait to run again.

    How many trials that were, of each. Models that are not among the best any more go when the sweep goes on.
    """
    tracker, records, results = store.tracker, records_of(parent, facts.metric), results_of(parent, store, os.environ)
    history = tracker.find(Query(parent=parent.id))
    finished = {outcome.number: outcome for outcome in finished_of(records, results, history)}
    left = [run for run in history if run.trial and run.trial.number not in finished]
    changes: list[Change] = [*reclaimed(left, records.clock(), is_lost=died)]
    reclaimed_count = len(changes)
    for run in history:
        outcome = finished.get(run.trial.number) if run.trial else None
        if outcome is not None:
            ending = records.ending(records.trial_of(run), outcome)
            changes += [ending.change, *ending.below]
    tracker.record(changes, fence)
    _end_sweep(tracker, parent, facts, records, fence)
    if results:
        for outcome in finished.values():
            results.forget(outcome)
    return len(finished), reclaimed_count


def _end_sweep(tracker: Tracker, parent: Run, facts: SweepFacts, records: SweepRecords, fence: Fence) -> None:
    """The parent run says where the sweep stands now, and that it was interrupted."""
    progress = _progress(tracker, parent, facts)
    changes: list[Change] = [records.sweep_interrupted(progress)]
    if progress.best is not None and progress.best_tags().items() - parent.tags.items():
        changes.insert(0, records.best_found(progress))
    tracker.record(changes, fence)


def _progress(tracker: Tracker, parent: Run, facts: SweepFacts) -> Progress:
    runs = tracker.find(Query(parent=parent.id))
    trials = [run.trial for run in runs if run.trial]
    feasible = [run for run in runs if not violation_of(run)] if is_measured(facts) else runs
    counts = {state: sum(trial.state == state for trial in trials) for state in State}
    n_trials, seconds = facts.n_trials or len(trials), seconds_used(parent.tags)
    if goals := several_of(parent):
        complete = [run.metrics for run in feasible if run.trial and run.trial.state == State.COMPLETE]
        points = [values for metrics in complete if (values := values_of(metrics, goals))]
        return Progress(counts, n_trials, None, None, seconds, len(front(points, tuple(goals.values()))))
    best: tuple[float, int] | None = None
    for trial in [run.trial for run in feasible if run.trial]:  # by number, so that of equals the lowest is it
        if trial.value is not None and Goal(facts.goal).better(trial.value, best[0] if best else None):
            best = trial.value, trial.number
    value, number = best or (None, None)
    return Progress(counts, n_trials, value, number, seconds)
