"""What an earlier attempt of a trial left below its run, which is no part of the trial any more."""

from hpo.sweep_records import REPLICATE_TAG
from hpo.trial import Outcome, Trial
from trackers.records import Query, RunDeleted, RunRestored
from trackers.tracker import Tracker


def outdated(tracker: Tracker, trial: Trial, outcome: Outcome, now: int) -> list[RunDeleted | RunRestored]:
    """Deletes the replicates of earlier attempts that this one has none for; those it has come back if need be.

    They are deleted as MLflow deletes runs, so nothing finds them any more. `now` is milliseconds since 1970.
    """
    if trial.attempt == 1:
        return []
    changes: list[RunDeleted | RunRestored] = []
    for run in tracker.find(Query(parent=trial.run_id, deleted=None)):
        if run.trial is None or REPLICATE_TAG not in run.tags:
            continue
        is_known = run.trial.number < len(outcome.replicates)
        if is_known and run.deleted is not None:
            changes.append(RunRestored(run.id))
        elif not is_known and run.deleted is None:
            changes.append(RunDeleted(run.id, now))
    return changes
