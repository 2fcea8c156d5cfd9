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
    finished = "status = 'FINISHED'" if complete_only else ""
    condition = f"({where}) AND {finished}" if where and finished else where or finished
    quoted = metric.replace("`", "``")  # a metric may be named `val loss`
    order = (Order(f"metrics.`{quoted}`", descending=goal is Goal.MAXIMIZE),)
    return tracker.find(Query(parent=parent, where=condition, finite=metric, order=order, limit=limit))
