"""The best N of a sweep by a metric."""

from collections.abc import Callable, Sequence

from hpo.constraints import VIOLATION
from hpo.constraints_on_record import FEASIBLE, is_measured
from hpo.trial import Goal
from trackers.records import Order, Query, Run
from trackers.tracker import Tracker

Find = Callable[[Sequence[str], Sequence[Order], int], Sequence[Run]]
"""Given more conditions, an order that goes before, and a limit: the runs."""


def best(
    tracker: Tracker,
    parent: str,
    metric: str,
    goal: Goal,
    *,
    limit: int = 10,
    where: str = "",
    complete_only: bool = True,
    infeasible_too: bool = False,
) -> Sequence[Run]:
    """Best runs first. Ties keep trial order; runs without a finite value of the metric are left out.

    Filter, order and limit run in the store, so the cost does not grow with the sweep. `complete_only` leaves out
    trials that failed or were pruned after reporting. So are trials that violate the sweep's constraints on metrics;
    with `infeasible_too` they come after all others, the least violation first.
    """
    facts = tracker.get(parent).sweep
    conditions = [f"({where})"] if where else []
    if complete_only:
        conditions.append("status = 'FINISHED'")
    if facts is not None and facts.metric == metric and complete_only:
        # the accepted values have an index of their own for each sweep, which other sweeps do not lengthen
        conditions.append("value IS NOT NULL")
        key, finite = "value", None
    else:
        quoted = metric.replace("`", "``")  # a metric may be named `val loss`
        key, finite = f"metrics.`{quoted}`", metric
    order = Order(key, descending=goal is Goal.MAXIMIZE)

    def find(more: Sequence[str], before: Sequence[Order], most: int) -> Sequence[Run]:
        text = " AND ".join([*conditions, *more])
        return tracker.find(Query(parent=parent, where=text, finite=finite, order=(*before, order), limit=most))

    return _feasible_first(find, limit, infeasible_too=infeasible_too) if is_measured(facts) else find((), (), limit)


def _feasible_first(find: Find, limit: int, *, infeasible_too: bool) -> Sequence[Run]:
    feasible = find([FEASIBLE], (), limit)
    if not infeasible_too or len(feasible) == limit:
        return feasible
    return [*feasible, *find([f"NOT {FEASIBLE}"], [Order(f"metrics.`{VIOLATION}`")], limit - len(feasible))]
