"""Points that replace what is on record of a metric, whatever the clock says."""

from collections.abc import Mapping

from trackers.records import Point
from trackers.tracker import Tracker


def latest_points(tracker: Tracker, run_id: str, values: Mapping[str, float], now: int) -> list[Point]:
    """A point of each metric that is the latest one of its run: of one step the latest timestamp counts.

    `now` is milliseconds since 1970, UTC; a clock that was set back, or two points in one millisecond, must not let an
    older value stand.
    """
    points = []
    for name, value in values.items():
        known = tracker.history(run_id, name)
        step = max((point.step for point in known), default=0)
        newest = max((point.timestamp for point in known if point.step == step), default=now - 1)
        points.append(Point(name, value, step, max(now, newest + 1)))
    return points
