"""The best N, on the reference tracker."""

import math
from dataclasses import replace

import pytest

from hpo.ranking import best
from hpo.trial import Goal
from trackers.memory_tracker import MemoryTracker
from trackers.records import STATUS_OF_STATE, Point, RunEnded, RunStarted, TrialFacts
from trackers.tracker import Tracker

PARENT = "f" * 32


def tracker_with(metric: str, values: list[float], state: str = "COMPLETE") -> Tracker:
    tracker = MemoryTracker()
    tracker.experiment("e")
    tracker.record([RunStarted(PARENT, "sweep", "e", 0)])
    for number, value in enumerate(values):
        run_id, facts = f"{number:032x}", TrialFacts(number, {"n": number})
        started = RunStarted(run_id, f"trial-{number}", "e", 1, PARENT, facts.params, trial=facts)
        ended = RunEnded(run_id, STATUS_OF_STATE[state], 2, [Point(metric, value)], trial=replace(facts, state=state))
        tracker.record([started, ended])
    return tracker


def ranked(tracker: Tracker, metric: str, goal: Goal, **how: object) -> list[str]:
    return [run.name.removeprefix("trial-") for run in best(tracker, PARENT, metric, goal, **how)]


def test_the_best_come_first_and_equals_keep_the_order_of_numbers() -> None:
    tracker = tracker_with("loss", [2.0, 1.0, 3.0, 1.0])
    assert ranked(tracker, "loss", Goal.MINIMIZE) == ["1", "3", "0", "2"]
    assert ranked(tracker, "loss", Goal.MAXIMIZE) == ["2", "0", "1", "3"]
    assert ranked(tracker, "loss", Goal.MINIMIZE, limit=2) == ["1", "3"]


def test_what_is_not_finite_is_never_ranked() -> None:
    tracker = tracker_with("loss", [math.nan, -math.inf, 5.0, math.inf])
    assert ranked(tracker, "loss", Goal.MINIMIZE) == ["2"]
    assert ranked(tracker, "other", Goal.MINIMIZE) == []


def test_a_filter_holds_for_all_that_are_ranked() -> None:
    tracker = tracker_with("loss", [2.0, 1.0, 3.0])
    assert ranked(tracker, "loss", Goal.MINIMIZE, where="params.n = 0 or params.n = 2") == ["0", "2"]


def test_trials_that_did_not_complete_are_ranked_only_if_asked() -> None:
    tracker = tracker_with("loss", [1.0], "PRUNED")
    assert ranked(tracker, "loss", Goal.MINIMIZE) == []
    assert ranked(tracker, "loss", Goal.MINIMIZE, complete_only=False) == ["0"]


@pytest.mark.parametrize("metric", ["val loss", "a`b", "loss (%)", "x desc", 'say "x"', "日本"])
def test_a_metric_may_have_any_name(metric: str) -> None:
    assert ranked(tracker_with(metric, [2.0, 1.0]), metric, Goal.MINIMIZE) == ["1", "0"]
