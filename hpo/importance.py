"""Which parameters of a sweep matter, over the trials that a store holds of it, whatever sampler asked for them."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpo.branches import NEEDED, Branch, branches
from hpo.config.conversion import space_of
from hpo.errors import HpoError, NothingFound
from hpo.importance_columns import Column, columns
from hpo.recorded_config import read_back
from hpo.space import Params, Space
from hpo.trial import Goal
from trackers.records import Query, Run
from trackers.tracker import Tracker

log = logging.getLogger(__name__)

METHODS = ("ped-anova", "fanova")
_MOST = {"fanova": 400}
"""fANOVA's cost grows with the square of the trials: 4 seconds of CPU for 400 of them, 80 for 2,000."""


@dataclass(frozen=True)
class BranchImportance:
    """The parameters of one branch: the share of each, largest first, 1 in all; all 0 where none was found to matter.

    `branch` says which trials these are, as `clf = svc`, '' for all; `trials` how many of them it rests on.
    """

    branch: str
    trials: int
    importances: Mapping[str, float]


@dataclass(frozen=True)
class Importance:
    """The branches of a sweep, the whole first; `too_few` has those, with their trials, that nothing can be said of."""

    trials: int
    branches: Sequence[BranchImportance]
    too_few: Mapping[str, int]


def importance(
    tracker: Tracker, parent: Run, metric: str, goal: Goal, *, method: str = "ped-anova", where: str = ""
) -> Importance:
    """What decides a metric, by branch: a parameter with a condition counts only among trials that have it.

    It rests on the COMPLETE trials with a finite value that `where` lets pass. Methods as of
    `hpo.importance_rules.importances`; fanova takes 400 trials at most, evenly spread. NothingFound for fewer than ten
    trials, and where they all have one value.
    """
    runs, values = _complete(tracker, parent, metric, where)
    _check(parent, metric, where, values)
    params = [run.trial.params if run.trial else run.params for run in runs]
    return importance_among(params, values, _space_on_record(parent), goal, method=method)


def importance_among(
    params: Sequence[Params], values: Sequence[float], space: Space | None, goal: Goal, *, method: str = "ped-anova"
) -> Importance:
    """The same of trials that were read already: at least ten, with finite values that are not all one."""
    points = [_point(each, space) for each in params]
    table = columns(points, space)
    found, too_few = [], {}
    for branch in branches(points, space):
        if len(branch.members) < NEEDED:
            too_few[branch.name] = len(branch.members)
            continue
        members = _spread(branch.members, _MOST.get(method))
        if cut := _varying(branch, members, table):
            shares = _shares(method, cut, [values[at] for at in members], goal)
            found.append(BranchImportance(branch.name, len(members), shares))
    return Importance(len(points), found, too_few)


def _complete(tracker: Tracker, parent: Run, metric: str, where: str) -> tuple[list[Run], list[float]]:
    conditions = [f"({where})"] if where else []
    query = Query(parent=parent.id, where=" AND ".join([*conditions, "status = 'FINISHED'"]), finite=metric)
    own = parent.sweep is not None and parent.sweep.metric == metric
    runs, values = [], []
    for run in tracker.find(query):
        value = run.trial.value if own and run.trial else run.metrics.get(metric)
        if value is not None and math.isfinite(value):
            runs.append(run)
            values.append(value)
    return runs, values


def _check(parent: Run, metric: str, where: str, values: Sequence[float]) -> None:
    asked = f" with {where}" if where else ""
    if len(values) < NEEDED:
        raise NothingFound(
            f"importance rests on at least {NEEDED} COMPLETE trials with a finite {metric}; "
            f"{parent.name!r} has {len(values)}{asked}"
        )
    if min(values) == max(values):
        raise NothingFound(
            f"all {len(values)} COMPLETE trials of {parent.name!r}{asked} have the same {metric}, "
            f"{values[0]:g}: no parameter makes a difference"
        )


def _space_on_record(parent: Run) -> Space | None:
    """The space the sweep searched; None where it is no sweep of ours, or its record cannot be read here."""
    if parent.sweep is None:
        return None
    try:
        return space_of(read_back(parent))
    except (HpoError, ValueError) as error:
        log.debug("%s: its space is taken from its trials: %s", parent.name, error)
        return None


def _point(params: Params, space: Space | None) -> Params:
    """What a trial ran with, in the order of the space, without what the sweep did not search."""
    if space is None:
        return params
    return {p.name: params[p.name] for p in space.parameters if p.name in params and p.domain.size != 1}


def _spread(members: Sequence[int], most: int | None) -> Sequence[int]:
    """At most so many of the members, evenly spread."""
    if most is None or len(members) <= most:
        return members
    return [members[at * len(members) // most] for at in range(most)]


def _varying(branch: Branch, members: Sequence[int], table: Mapping[str, Column]) -> dict[str, Column]:
    """The columns of these members of a branch that are not the same throughout."""
    cut = {name: Column([table[name].values[at] for at in members], table[name].choices) for name in branch.parameters}
    return {name: column for name, column in cut.items() if len(set(column.values)) > 1}


def _shares(method: str, table: Mapping[str, Column], values: Sequence[float], goal: Goal) -> Mapping[str, float]:
    from hpo.importance_rules import importances  # optuna, and scikit-learn with it

    if min(values) == max(values):
        return dict.fromkeys(table, 0.0)
    return importances(method, table, values, goal)
