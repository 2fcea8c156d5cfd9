"""What two records have under the same name, side by side."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpo.front import Goals
from hpo.settings_on_record import ABSENT

BETTER, WORSE = "better", "worse"


@dataclass(frozen=True)
class Pair:
    """A name with its value in both records; ABSENT where one has none."""

    name: str
    before: object
    after: object

    @property
    def is_same(self) -> bool:
        """Whether both have the same value, of the same type; NaN is the same as NaN."""
        if isinstance(self.before, float) and isinstance(self.after, float) and math.isnan(self.before):
            return math.isnan(self.after)
        return type(self.before) is type(self.after) and self.before == self.after


@dataclass(frozen=True)
class MetricPair(Pair):
    """A metric in both: `difference` is after less before; `verdict` what that means, where the goal is known."""

    difference: float | None = None
    verdict: str = ""


def paired(before: Mapping[str, object], after: Mapping[str, object]) -> Sequence[Pair]:
    """Everything that either has, in the first one's order and then the other's."""
    names = dict.fromkeys([*before, *after])
    return [Pair(name, before.get(name, ABSENT), after.get(name, ABSENT)) for name in names]


def paired_metrics(before: Mapping[str, float], after: Mapping[str, float], goals: Goals) -> Sequence[MetricPair]:
    """All metrics of either, those of the sweep first; which is better only of these."""
    names = dict.fromkeys([*(name for name in goals if name in before or name in after), *before, *after])
    return [_metric(name, before.get(name), after.get(name), goals) for name in names]


def _metric(name: str, before: float | None, after: float | None, goals: Goals) -> MetricPair:
    if before is None or after is None:
        return MetricPair(name, ABSENT if before is None else before, ABSENT if after is None else after)
    difference = after - before
    if not math.isfinite(difference):
        return MetricPair(name, before, after)
    goal = goals.get(name)
    verdict = "" if goal is None or not difference else BETTER if goal.better(after, than=before) else WORSE
    return MetricPair(name, before, after, difference, verdict)
