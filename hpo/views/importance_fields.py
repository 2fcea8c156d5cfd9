"""Which parameters matter, as a page shows it; or why nothing can be said."""

from hpo.errors import HpoError, NothingFound
from hpo.importance import importance
from hpo.trial import Goal
from trackers.records import Run
from trackers.tracker import Tracker


def importance_fields(tracker: Tracker, parent: Run, metric: str | None, goal: Goal) -> dict[str, object]:
    """Shares by branch, largest first."""
    nothing: dict[str, object] = {"metric": metric, "trials": 0, "branches": [], "too_few": {}}
    try:
        if metric is None:
            raise NothingFound("no trial has a metric yet")
        found = importance(tracker, parent, metric, goal)
    except HpoError as error:
        return {**nothing, "message": str(error)}
    branches = [
        {"branch": of.branch or None, "trials": of.trials, "importances": dict(of.importances)} for of in found.branches
    ]
    return {
        "metric": metric,
        "trials": found.trials,
        "branches": branches,
        "too_few": dict(found.too_few),
        "message": None,
    }
