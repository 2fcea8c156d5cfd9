"""The best N of a sweep by a metric."""

from collections.abc import Sequence

from hpo.trial import Goal
from trackers.records import Order, Query, Run
from trackers.tracker import Tracker


def best(
    tracker: Tracker,
    parent: str,
    metric: str,
    goal: Goal,
    *,
    limit: int = 10,
    where: str = "",
    complete_only: bool = True,
) -> Sequence[Run]:
    """Best runs first. Ties keep trial order; runs without a finite value of the metric are left out.

    Filter, order and limit run in the store, so the cost does not grow with the sweep. `complete_only` leaves out
    trials that failed or were pruned after reporting.
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
    order = (Order(key, descending=goal is Goal.MAXIMIZE),)
    return tracker.find(Query(parent=parent, where=" AND ".join(conditions), finite=finite, order=order, limit=limit))
