"""What counts as the same: every point of every metric to the last bit, and how the trial ended."""

import math
import sys
from collections.abc import Sequence

import pytest

from hpo.provenance.changed import Changed
from hpo.replaying.comparison import compare
from hpo.replaying.record import TrialRecord
from trackers.records import Point, TrialFacts


def record(
    *points: Point, state: str = "COMPLETE", reason: str = "", error: str = "", parts: Sequence[TrialRecord] = ()
) -> TrialRecord:
    facts = TrialFacts(4, {}, state, reason=reason, error=error)
    return TrialRecord("iris#4", "a" * 32, facts, points, parts)


def losses(*values: float) -> list[Point]:
    return [Point("loss", value, step, 1000 + step) for step, value in enumerate(values)]


def test_equal_points_at_other_times_are_the_same() -> None:
    later = [Point("loss", point.value, point.step, point.timestamp + 5) for point in losses(0.5, 0.25)]
    verdict = compare(record(*losses(0.5, 0.25)), record(*later))
    assert verdict.is_same
    assert (verdict.points, verdict.metrics[0].recorded) == (2, 0.25)


def test_the_last_bit_counts_and_the_first_step_that_differs_is_named() -> None:
    close = math.nextafter(0.25, 1)
    verdict = compare(record(*losses(0.5, 0.25, 0.1)), record(*losses(0.5, close, 0.2)))
    assert not verdict.is_same
    assert verdict.metrics[0].difference == f"step 1: 0.25 -> {close!r}"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (math.nan, -math.nan, True),
        (math.inf, sys.float_info.max, True),
        (0.0, -0.0, True),
        (math.inf, -math.inf, False),
        (math.nan, 0.0, False),
    ],
)
def test_values_are_one_as_a_store_keeps_them(one: float, other: float, same: bool) -> None:
    assert compare(record(*losses(one)), record(*losses(other))).is_same == same


@pytest.mark.parametrize(("recorded", "replayed"), [([], [0.5]), ([0.5], [])])
def test_a_metric_that_only_one_side_has_differs(recorded: list[float], replayed: list[float]) -> None:
    assert not compare(record(*losses(*recorded)), record(*losses(*replayed))).is_same


def test_a_step_that_is_missing_differs() -> None:
    verdict = compare(record(*losses(0.5, 0.25)), record(*losses(0.5)))
    assert verdict.metrics[0].difference == "step 1: 0.25 -> nothing"


def test_what_judging_added_and_times_and_what_is_not_asked_for_are_not_compared_and_said_so() -> None:
    names = [
        "test_loss",
        "seeds_mean_loss",
        "fit_seconds",
        "fold_fit_seconds",
        "score_seconds_std",
        "system/cpu",
        "mine",
    ]
    verdict = compare(
        record(*losses(1.0), *(Point(name, 1.0) for name in names)), record(*losses(1.0)), times=True, ignored=["mi*"]
    )
    assert verdict.is_same
    assert verdict.not_compared.keys() == set(names)


def test_a_metric_of_the_objective_that_is_called_like_one_added_later_is_compared() -> None:
    assert not compare(record(Point("test_loss", 1.0)), record(Point("test_loss", 2.0))).is_same


def test_a_time_that_the_objective_itself_calls_so_is_compared() -> None:
    assert not compare(record(Point("fit_seconds", 1.0)), record(Point("fit_seconds", 2.0))).is_same


def test_a_failure_is_the_same_by_reason_and_error_but_for_paths_and_addresses() -> None:
    before = record(state="FAILED", reason="exception", error="OSError: no /home/me/x.csv in <A at 0x7f01>")
    after = record(state="FAILED", reason="exception", error="OSError: no /tmp/y/x.csv in <A at 0x7e02>")
    other = record(state="FAILED", reason="exception", error="ValueError: no")
    assert compare(before, after).is_same
    assert not compare(before, other).is_same
    assert not compare(before, record(state="COMPLETE")).is_same


def test_a_worker_that_died_is_the_same_by_its_reason_alone() -> None:
    before = record(state="FAILED", reason="oom", error="held 412 MiB of memory")
    assert compare(before, record(state="FAILED", reason="oom", error="held 413 MiB")).is_same


def test_replicates_are_compared_one_by_one() -> None:
    before = record(*losses(1.0), parts=[record(*losses(0.5)), record(*losses(1.5))])
    after = record(*losses(1.0), parts=[record(*losses(0.5)), record(*losses(1.25))])
    assert [metric.name for metric in compare(before, after).metrics if not metric.is_same] == ["loss (replicate 1)"]
    fewer = record(*losses(1.0), parts=[record(*losses(0.5))])
    assert not compare(before, fewer).is_same


def test_the_first_thing_that_differs_is_the_likeliest_reason() -> None:
    hardware, package = Changed("hardware", "cpu", "a", "b"), Changed("package", "numpy", "1", "2")
    code = Changed("code", "train.py", "old", "new")
    verdict = compare(record(*losses(1.0)), record(*losses(2.0)), changes=[hardware, package, code])
    assert verdict.first_change == code
    assert compare(record(*losses(1.0)), record(*losses(1.0)), changes=[hardware]).is_same
