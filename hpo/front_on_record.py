"""The front of a sweep on record: its metrics and goals, its members, and how much they reach together."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpo.constraints_on_record import FEASIBLE, is_measured
from hpo.errors import HpoError
from hpo.front import MOST_METRICS, Goals, Values, front, hypervolume, reference_point
from hpo.trial import Goal
from trackers.records import Query, Run, SweepFacts
from trackers.tracker import Tracker


def goals_of(facts: SweepFacts) -> Goals:
    """Which way each metric of a sweep is better, in the order of its file; one where it has one.

    HpoError where another program has put there what no sweep of ours has.
    """
    given = _config(facts).get("metrics")
    try:
        named = (
            {each["name"]: each["goal"] for each in given} if isinstance(given, list) else {facts.metric: facts.goal}
        )
    except (KeyError, TypeError) as error:
        raise HpoError("the metrics of the sweep on record are not each a name and a goal; put them right") from error
    return {name: _goal(name, text) for name, text in named.items()}


def _goal(name: str, text: str) -> Goal:
    try:
        return Goal(text)
    except ValueError as error:
        raise HpoError(
            f"the goal of {name} on record is {text!r}, and neither minimize nor maximize; put the sweep's row right"
        ) from error


def references_of(facts: SweepFacts) -> Mapping[str, float]:
    """From where the hypervolume is measured, as far as the sweep file says."""
    given = _config(facts).get("references")
    return given if isinstance(given, dict) else {}


def several_of(parent: Run) -> Goals:
    """The metrics of a sweep by several of them; empty for any other run."""
    goals = goals_of(parent.sweep) if parent.sweep else {}
    return goals if len(goals) > 1 else {}


def values_of(metrics: Mapping[str, float], goals: Goals) -> Values:
    """The values of all these metrics; empty where one is missing or not finite."""
    values = tuple(metrics.get(name, math.nan) for name in goals)
    return values if all(map(math.isfinite, values)) else ()


@dataclass(frozen=True)
class FrontOnRecord:
    """The members of a front, best first by the first metric, then the next; of equals the lower number first.

    `hypervolume` is measured from `reference`; None where there are more metrics than it is computed for, or no trial.
    """

    goals: Goals
    members: Sequence[Run]
    hypervolume: float | None = None
    reference: Mapping[str, float] | None = None


def front_of(tracker: Tracker, parent: Run, where: str = "") -> FrontOnRecord:
    """The front of a sweep's COMPLETE trials that have finite values of all metrics, `where` filtering them first.

    Trials that violate the sweep's constraints on metrics are left out.
    All of these trials are read: which ones are beaten is nothing a database can tell.
    """
    goals = several_of(parent)
    conditions = [*([f"({where})"] if where else []), "status = 'FINISHED'"]
    conditions += [FEASIBLE] if is_measured(parent.sweep) else []
    runs = tracker.find(Query(parent=parent.id, where=" AND ".join(conditions)))
    valued = [(run, values) for run in runs if (values := values_of(run.metrics, goals))]
    points, ways = [values for _, values in valued], tuple(goals.values())
    positions = front(points, ways) if points else []
    members = [valued[position][0] for position in positions]
    if not points or len(goals) > MOST_METRICS:
        return FrontOnRecord(goals, members)
    known = references_of(parent.sweep) if parent.sweep else {}
    reference = {**dict(zip(goals, reference_point(points, ways), strict=True)), **known}
    corner = tuple(reference[name] for name in goals)
    return FrontOnRecord(goals, members, hypervolume([points[p] for p in positions], ways, corner), reference)


def _config(facts: SweepFacts) -> Mapping[str, object]:
    try:
        loaded = json.loads(facts.config)
    except ValueError:
        return {}
    return loaded if isinstance(loaded, dict) else {}
