"""Compares what a trial gives today with what is on record of it, to the last bit."""

import math
import re
import struct
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from hpo.provenance.changed import Changed, by_weight
from hpo.replaying.record import TrialRecord
from hpo.trial import State
from trackers.records import Point, TrialFacts

ADDED_LATER = ("test_", "seeds_mean_", "seeds_std_")
"""Metrics that judging a finalist puts onto its trial, after the trial has ended."""
TIMES = ("fit_seconds", "score_seconds")
TRAINING = "training_"
"""Scores of a scikit-learn objective on the rows it was fitted on, which only a trial has whose model was kept."""
_SYSTEM = "system/"
_NEVER_EQUAL = re.compile(r"(?:/[^\s/:'\"]+)+/?|0x[0-9a-fA-F]+|\b\d+ MiB")
"""What differs from run to run in the text of an error: paths, addresses, sizes of memory."""

WhyNot = Callable[[str], str]
"""Why a metric is not compared; "" for one that is."""


@dataclass(frozen=True)
class MetricVerdict:
    """One metric, all points of it: the latest values, how many points there are, and the first that differs."""

    name: str
    recorded: float | None
    replayed: float | None
    points: int
    difference: str = ""

    @property
    def is_same(self) -> bool:
        """Whether every point of it is the same to the last bit."""
        return not self.difference


@dataclass(frozen=True)
class Verdict:
    """What came of one trial. `state` and `replayed_state` say how it ended, with the failure where there was one.

    `changes` are all things that are known to be others than they were, the likeliest reason first.
    """

    name: str
    run_id: str
    state: str
    replayed_state: str
    metrics: Sequence[MetricVerdict] = ()
    not_compared: Mapping[str, str] = field(default_factory=dict)
    changes: Sequence[Changed] = ()
    ends_the_same: bool = True

    @property
    def is_same(self) -> bool:
        """Whether it ended the same way and every metric is the same to the last bit."""
        return self.ends_the_same and all(metric.is_same for metric in self.metrics)

    @property
    def points(self) -> int:
        """How many points were compared."""
        return sum(metric.points for metric in self.metrics)

    @property
    def first_change(self) -> Changed | None:
        """The first thing that differs."""
        return self.changes[0] if self.changes else None


def compare(
    record: TrialRecord,
    again: TrialRecord,
    *,
    changes: Sequence[Changed] = (),
    times: bool = False,
    ignored: Sequence[str] = (),
) -> Verdict:
    """The verdict on a trial that was run again; with `times` the objective measures some, as scikit-learn's does.

    `ignored` are patterns of metrics that the caller does not want compared.
    """
    pairs = [(record, again, "")]
    for index in range(max(len(record.replicates), len(again.replicates))):
        parts = [side.replicates[index] if index < len(side.replicates) else None for side in (record, again)]
        pairs.append((parts[0] or _NOTHING, parts[1] or _NOTHING, f" (replicate {index})"))
    metrics: list[MetricVerdict] = []
    left_out: dict[str, str] = {}
    for before, after, suffix in pairs:
        why_not = _rule(before, after, times=times, ignored=ignored)
        names = sorted({point.metric for point in (*before.points, *after.points)})
        left_out.update({f"{name}{suffix}": why for name in names if (why := why_not(name))})
        metrics += [_metric(name, before, after, suffix) for name in names if not why_not(name)]
    return Verdict(
        name=record.name,
        run_id=record.run_id,
        state=ending(record),
        replayed_state=ending(again),
        metrics=metrics,
        not_compared=left_out,
        changes=by_weight(changes),
        ends_the_same=_ending_key(record) == _ending_key(again),
    )


def ending(record: TrialRecord) -> str:
    """How a trial ended, with the reason and the first line of its error where it failed."""
    facts = record.facts
    return " ".join(filter(None, (facts.state, facts.reason, facts.error)))


def _ending_key(record: TrialRecord) -> tuple[str, str, str]:
    facts = record.facts
    speaks = facts.state == State.FAILED and facts.reason in ("exception", "invalid_result", "no_result", "nonfinite")
    return facts.state, facts.reason, _NEVER_EQUAL.sub("..", facts.error) if speaks else ""


def _rule(before: TrialRecord, after: TrialRecord, *, times: bool, ignored: Sequence[str]) -> WhyNot:
    given = {point.metric for point in after.points}
    both = given & {point.metric for point in before.points}

    def why_not(name: str) -> str:
        base = name.removeprefix("fold_").removesuffix("_std").removesuffix("_mean")
        if times and base in TIMES:
            return "a time"
        if name.startswith(_SYSTEM):
            return "measured of the machine"
        if times and name.startswith(TRAINING) and name not in both:
            return "measured of models that are kept"
        if name.startswith(ADDED_LATER) and name not in given and before.facts.state == State.COMPLETE:
            return "added by judging the trial later"
        return "not asked for" if any(fnmatchcase(name, pattern) for pattern in ignored) else ""

    return why_not


def _metric(name: str, before: TrialRecord, after: TrialRecord, suffix: str) -> MetricVerdict:
    recorded, replayed = ([point for point in side.points if point.metric == name] for side in (before, after))
    first = next(_differences(recorded, replayed), "")
    return MetricVerdict(
        f"{name}{suffix}", before.metrics.get(name), after.metrics.get(name), len(recorded) or len(replayed), first
    )


def _differences(recorded: Sequence[Point], replayed: Sequence[Point]) -> Iterator[str]:
    """What differs, step by step.

    Of the values of one step their order is not compared: what is logged within a millisecond has none on record.
    """
    if not recorded or not replayed:
        yield "not on record" if replayed else "not given again"
    before, after = _by_step(recorded), _by_step(replayed)
    for step in sorted(before.keys() | after.keys()):
        one, other = before.get(step, {}), after.get(step, {})
        if one.keys() != other.keys():
            only = [_texts(side, without) for side, without in ((one, other), (other, one))]
            yield f"step {step}: {only[0]} -> {only[1]}"


def _by_step(points: Sequence[Point]) -> Mapping[int, Mapping[bytes, float]]:
    found: dict[int, dict[bytes, float]] = {}
    for point in points:
        found.setdefault(point.step, {})[_bits(point.value)] = point.value
    return found


def _texts(side: Mapping[bytes, float], without: Mapping[bytes, float]) -> str:
    return ", ".join(repr(value) for bits, value in side.items() if bits not in without) or "nothing"


def _bits(value: float) -> bytes:
    """A value as a store keeps it: NaN is NaN, and the largest float stands for infinity."""
    if math.isnan(value):
        return b"nan"
    if abs(value) >= sys.float_info.max:
        value = math.copysign(math.inf, value)
    return struct.pack("<d", value + 0.0)  # a store may take the sign off a zero


_NOTHING = TrialRecord("", "", TrialFacts(0, {}, ""))
