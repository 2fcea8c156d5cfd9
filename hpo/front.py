"""Trials that are valued by several metrics: which ones no other beats, and how much they reach together."""

from collections.abc import Mapping, Sequence

from hpo.trial import Goal

Goals = Mapping[str, Goal]
"""Which way each metric of a sweep is better, in the order of the sweep file."""
Values = tuple[float, ...]
"""A trial's finite values of these metrics, in their order."""

MOST_METRICS = 4
"""The hypervolume is computed for up to so many: exact ways grow exponentially with the number of metrics."""


def dominates(ours: Values, theirs: Values, goals: Sequence[Goal]) -> bool:
    """Whether a trial is at least as good in every metric and better in one."""
    return ours != theirs and all(not goal.better(b, than=a) for a, b, goal in zip(ours, theirs, goals, strict=True))


def front(points: Sequence[Values], goals: Sequence[Goal]) -> list[int]:
    """The positions of the points that no other one dominates, best first by the first metric, then the next.

    Equal points are all of them in or all out, and keep their order. With two metrics it takes O(n log n), with more
    O(n f) for a front of f (Kung, Luccio and Preparata, Journal of the ACM 22, 1975, sort and sweep alike).
    """
    losses = [_losses(point, goals) for point in points]
    found: list[int] = []
    for position in sorted(range(len(points)), key=losses.__getitem__):
        loss = losses[position]
        # only what comes before can dominate, and with two metrics the last one of the front is the lowest so far
        rivals = found[-1:] if len(goals) == 2 else found
        if not any(_covers(losses[rival], loss) for rival in rivals):
            found.append(position)
    return found


def hypervolume(points: Sequence[Values], goals: Sequence[Goal], reference: Values) -> float:
    """The volume of what the points dominate up to the reference point; larger is better, exact for finite values.

    A point that is not better than the reference in every metric adds nothing. Two metrics take O(n log n); more are
    computed by exclusive volumes (While, Bradstreet and Barone, "A Fast Way of Calculating Exact Hypervolumes", IEEE
    Transactions on Evolutionary Computation 16, 2012).
    """
    corner = _losses(reference, goals)
    losses = [_losses(point, goals) for point in points]
    inside = [loss for loss in losses if all(a < b for a, b in zip(loss, corner, strict=True))]
    return _volume(inside, corner)


def reference_point(points: Sequence[Values], goals: Sequence[Goal]) -> Values:
    """Where the hypervolume is measured from if nobody says: the worst value of each metric, and a tenth beyond.

    The tenth is one of the range of the points given, so that what is best in one metric and worst in another counts
    too (Ishibuchi et al., "How to Specify a Reference Point in Hypervolume Calculation for Fair Performance
    Comparison", Evolutionary Computation 26, 2018). There must be a point.
    """
    columns = [(min(column), max(column)) for column in zip(*points, strict=True)]
    return tuple(
        high + (high - low) / 10 if goal is Goal.MINIMIZE else low - (high - low) / 10
        for (low, high), goal in zip(columns, goals, strict=True)
    )


class FrontSoFar:
    """Follows a front as trials come in; `add` takes time in proportion to its size."""

    def __init__(self, goals: Sequence[Goal]) -> None:
        self._goals = tuple(goals)
        self._values: dict[int, Values] = {}

    def __len__(self) -> int:
        return len(self._values)

    def add(self, number: int, values: Values) -> bool:
        """Takes in a trial; whether the front reaches farther now: one that equals a member joins it as no news."""
        if any(dominates(known, values, self._goals) for known in self._values.values()):
            return False
        is_news = values not in self._values.values()
        self._values = {
            other: known for other, known in self._values.items() if not dominates(values, known, self._goals)
        }
        self._values[number] = values
        return is_news

    def __contains__(self, number: object) -> bool:
        return number in self._values

    @property
    def points(self) -> tuple[Values, ...]:
        """The values of its members, in the order they came in."""
        return tuple(self._values.values())


def _losses(values: Values, goals: Sequence[Goal]) -> Values:
    return tuple(value if goal is Goal.MINIMIZE else -value for value, goal in zip(values, goals, strict=True))


def _covers(ours: Values, theirs: Values) -> bool:
    return ours != theirs and all(a <= b for a, b in zip(ours, theirs, strict=True))


def _volume(losses: Sequence[Values], corner: Values) -> float:
    """By slices where there are two metrics; else each point's own share, beyond those that come after it."""
    distinct = list(dict.fromkeys(losses))
    members = [distinct[position] for position in front(distinct, [Goal.MINIMIZE] * len(corner))]
    if len(corner) == 2:
        total, lowest = 0.0, corner[1]
        for first, second in members:
            total += (corner[0] - first) * (lowest - second)
            lowest = second
        return total
    total = 0.0
    for position, member in enumerate(members):
        box = 1.0
        for a, b in zip(member, corner, strict=True):
            box *= b - a
        limited = [tuple(map(max, member, other)) for other in members[position + 1 :]]
        total += box - (_volume(limited, corner) if limited else 0.0)
    return total
