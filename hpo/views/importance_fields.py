"""Which parameters matter, as a page shows it; or why nothing can be said."""

from collections.abc import Sequence

from hpo.branches import NEEDED
from hpo.importance import importance_among
from hpo.space import Params, Space
from hpo.trial import Goal

MOST = 2000
"""Trials that it rests on, evenly spread over all: it would take seconds with all of 10,000, and say the same."""


def importance_fields(
    trials: Sequence[tuple[Params, float]], space: Space | None, metric: str | None, goal: Goal
) -> dict[str, object]:
    """Shares by branch, largest first, of complete trials with their values; `message` says why there are none."""
    nothing: dict[str, object] = {"metric": metric, "trials": 0, "branches": [], "too_few": {}}
    chosen = [trials[at * len(trials) // MOST] for at in range(MOST)] if len(trials) > MOST else trials
    values = [value for _, value in chosen]
    if len(chosen) < NEEDED:
        has = f"there are {len(chosen)}" if chosen else "there is none"
        return {**nothing, "message": f"It takes {NEEDED} complete trials with a value; {has}."}
    if min(values) == max(values):
        return {**nothing, "message": f"All {len(values)} complete trials have the same value: nothing matters to it."}
    found = importance_among([params for params, _ in chosen], values, space, goal)
    branches = [
        {"branch": of.branch or None, "trials": of.trials, "importances": dict(of.importances)} for of in found.branches
    ]
    return {
        "metric": metric,
        "trials": found.trials,
        "of": len(trials),
        "branches": branches,
        "too_few": dict(found.too_few),
        "message": None,
    }
