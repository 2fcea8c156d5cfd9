"""Which one of a front is meant where there can be only one: rules that a person chooses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hpo.front import Goals
from hpo.trial import Goal

Row = Mapping[str, float]
"""The values of a member by metric."""


class Rule(Protocol):
    """Puts the members of a front in an order; the first one is picked, the next ones are the next best."""

    @property
    def metric(self) -> str:
        """The metric that counts most, by which one trial can be compared with another alone."""
        ...

    @property
    def text(self) -> str:
        """What it goes by, in words."""
        ...

    def order(self, rows: Sequence[Row]) -> list[int]:
        """Positions, the picked one first; what a rule holds for equal keeps its order."""
        ...


@dataclass(frozen=True)
class ByMetric:
    """The best in one metric; of equals the one that is better in the others, in their order."""

    metric: str
    goals: Goals

    @property
    def text(self) -> str:
        """See `Rule`."""
        return self.metric

    def order(self, rows: Sequence[Row]) -> list[int]:
        """See `Rule`."""
        names = [self.metric, *(name for name in self.goals if name != self.metric)]
        return sorted(
            range(len(rows)), key=lambda position: [_loss(rows[position], name, self.goals) for name in names]
        )


@dataclass(frozen=True)
class Knee:
    """Where the front bends most: the smallest sum of the metrics, each scaled to 0 (best) .. 1 (worst of the front).

    With two metrics that is the member farthest from the line through both ends of the front (Das, "On characterizing
    the knee of the Pareto curve based on Normal-Boundary Intersection", Structural Optimization 18, 1999). A metric
    in which all members are equal does not count.
    """

    goals: Goals

    @property
    def metric(self) -> str:
        """The first one."""
        return next(iter(self.goals))

    @property
    def text(self) -> str:
        """See `Rule`."""
        return f"the knee of {' and '.join(self.goals)}"

    def order(self, rows: Sequence[Row]) -> list[int]:
        """See `Rule`; the scale is that of all rows given."""
        columns = {name: [_loss(row, name, self.goals) for row in rows] for name in self.goals}
        sums = [sum(_scaled(losses[position], losses) for losses in columns.values()) for position in range(len(rows))]
        return sorted(range(len(rows)), key=sums.__getitem__)


@dataclass(frozen=True)
class Lexicographic:
    """One metric after the other: whoever is within a tolerance of the best in the first goes on to the second.

    In the last one the best is picked, as if its tolerance were 0 (Waltz, "An engineering approach: hierarchical
    optimization criteria", IEEE Transactions on Automatic Control 12, 1967). Tolerances are in units of the metric.
    """

    tolerances: Mapping[str, float]
    goals: Goals

    @property
    def metric(self) -> str:
        """The first one."""
        return next(iter(self.tolerances))

    @property
    def text(self) -> str:
        """See `Rule`."""
        within = [f"{name} (within {far:g})" if far else name for name, far in self.tolerances.items()]
        return ", then ".join([*within[:-1], self.last])

    @property
    def last(self) -> str:
        """The metric that decides in the end."""
        return list(self.tolerances)[-1]

    def order(self, rows: Sequence[Row]) -> list[int]:
        """See `Rule`: each next one is what is picked among the rest."""
        left, found = list(range(len(rows))), []
        while left:
            found.append(self._pick(rows, left))
            left.remove(found[-1])
        return found

    def _pick(self, rows: Sequence[Row], left: Sequence[int]) -> int:
        for name, tolerance in self.tolerances.items():
            losses = {position: _loss(rows[position], name, self.goals) for position in left}
            best = min(losses.values())
            far = 0.0 if name == self.last else tolerance
            left = [position for position in left if losses[position] - best <= far]
        return left[0]


_: tuple[type[Rule], type[Rule], type[Rule]] = (ByMetric, Knee, Lexicographic)


def _loss(row: Row, name: str, goals: Goals) -> float:
    return row[name] if goals[name] is Goal.MINIMIZE else -row[name]


def _scaled(loss: float, losses: Sequence[float]) -> float:
    low, high = min(losses), max(losses)
    return (loss - low) / (high - low) if high > low else 0.0
