"""Learning curves: what trials reported while they ran, thinned where nobody could see the difference."""

from collections.abc import Sequence

from hpo.views.numbers import finite
from trackers.records import Point, Run
from trackers.tracker import Tracker
from trackers.watching import TrialHead

MOST_TRIALS = 200
MOST_POINTS = 1000
"""Points of one curve."""


def curves(
    tracker: Tracker, parent: Run, heads: Sequence[TrialHead], *, metric: str | None, asked: str | None = None
) -> dict[str, object]:
    """The curves of these trials, of the metric asked for; else of the sweep's, or the first that has curves.

    `metrics` are those with more than one step in some trial.
    """
    histories = {head.run_id: _by_metric(tracker.history(head.run_id)) for head in heads[:MOST_TRIALS]}
    with_steps = sorted({name for found in histories.values() for name, points in found.items() if _has_steps(points)})
    wanted = asked or _most_like(metric or "", with_steps)
    drawn = [
        _curve(head, points, wanted) for head in heads[:MOST_TRIALS] if (points := histories[head.run_id].get(wanted))
    ]
    return {"sweep": parent.id, "metric": wanted, "metrics": with_steps, "curves": drawn}


def _most_like(metric: str, names: Sequence[str]) -> str:
    """The metric itself if it has curves, else one that is named after it, as `fold_auc` after `auc`, else any."""
    return min(names, key=lambda name: (name != metric, metric not in name), default=metric)


def thinned(points: Sequence[Point], most: int) -> Sequence[Point]:
    """At most so many of the points, evenly spread, the last among them."""
    count = len(points)
    return points if count <= most else [points[(at + 1) * count // most - 1] for at in range(most)]


def _by_metric(points: Sequence[Point]) -> dict[str, list[Point]]:
    found: dict[str, list[Point]] = {}
    for point in points:
        found.setdefault(point.metric, []).append(point)
    return found


def _has_steps(points: Sequence[Point]) -> bool:
    return points[0].step != points[-1].step


def _curve(head: TrialHead, points: Sequence[Point], metric: str) -> dict[str, object]:
    # a final value stands at the step of the last report, after it
    shown = thinned(points, MOST_POINTS)
    return {
        "number": head.number,
        "run": head.run_id,
        "metric": metric,
        "steps": [point.step for point in shown],
        "values": [finite(point.value) for point in shown],
    }
