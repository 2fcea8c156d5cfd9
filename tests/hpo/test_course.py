"""How a sweep came to its best, after so many trials and so many seconds."""

import json
import sys

import pytest

from hpo.course import Step, clock, course, steps_of
from hpo.front import hypervolume
from hpo.trial import Goal
from trackers.records import Run, Status, TrialFacts

LOSS = {"loss": Goal.MINIMIZE}


def run(number: int, value: float | None, ended: int | None, *, state: str = "COMPLETE", **tags: str) -> Run:
    status = {"COMPLETE": Status.FINISHED, "FAILED": Status.FAILED, "RUNNING": Status.RUNNING}[state]
    metrics = {} if value is None else {"loss": value}
    facts = TrialFacts(number, {}, state, value=value)
    return Run(str(number), "t", "e", status, 1000, ended, "", metrics=metrics, tags=tags, trial=facts)


def sweep(**tags: str) -> Run:
    return Run("s", "s", "e", Status.FINISHED, 1000, 99_000, "", tags=tags)


def test_the_best_so_far_is_followed_by_number_and_by_time() -> None:
    found = course([Step(9, (3.0,)), Step(2), Step(4, (2.0,)), Step(6, (5.0,))], LOSS)
    assert found.by_trial == [3.0, 3.0, 2.0, 2.0]
    assert found.by_seconds == [(4, 2.0)]
    assert (found.best, found.trials_to(2.0), found.seconds_to(2.0)) == (2.0, 3, 4)
    assert (found.trials_to(2.5), found.trials_to(3.0), found.trials_to(1.9), found.trials_to(None)) == (
        3,
        1,
        None,
        None,
    )


def test_larger_is_better_where_the_goal_says_so() -> None:
    found = course([Step(1, (3.0,)), Step(2, (5.0,)), Step(3, (4.0,))], {"auc": Goal.MAXIMIZE})
    assert found.by_trial == [3.0, 5.0, 5.0]
    assert found.seconds_to(4.0) == 2


def test_a_sweep_without_a_value_has_no_best() -> None:
    found = course([Step(1), Step(2)], LOSS)
    assert (found.by_trial, found.by_seconds, found.values) == ([None, None], [], [])
    assert found.best is course([], LOSS).best is None


def test_trials_that_cannot_be_the_best_count_and_have_no_values() -> None:
    runs = [
        run(0, 1.0, 2000, **{"hpo.infeasible": "x"}),
        run(1, 2.0, 3000, state="FAILED"),
        run(2, sys.float_info.max, 4000),
        run(3, 3.0, 5000),
        run(4, None, None, state="RUNNING"),
    ]
    steps = steps_of(sweep(), runs, LOSS)
    assert steps == [Step(1.0), Step(2.0), Step(3.0), Step(4.0, (3.0,))]


def test_the_hypervolume_is_followed_by_several_metrics() -> None:
    goals = {"a": Goal.MINIMIZE, "b": Goal.MAXIMIZE}
    points = [(3.0, 1.0), (1.0, 2.0), (2.0, 1.5), (0.5, 0.5)]
    found = course([Step(at, point) for at, point in enumerate(points)], goals, (4.0, 0.0))
    every = [hypervolume(points[: count + 1], tuple(goals.values()), (4.0, 0.0)) for count in range(4)]
    assert found.by_trial == pytest.approx(every)
    assert found.goal is Goal.MAXIMIZE
    assert found.trials_to(every[1]) == 2


def test_of_three_metrics_the_last_hypervolume_is_exact() -> None:
    goals = dict.fromkeys("abc", Goal.MINIMIZE)
    points = [(at % 7 / 7, at % 11 / 11, at % 13 / 13) for at in range(350)]
    steps = [Step(at, point) for at, point in enumerate(points)] + [Step(400)]
    found = course(steps, goals, (1.1, 1.1, 1.1))
    assert found.best == pytest.approx(hypervolume(points, tuple(goals.values()), (1.1, 1.1, 1.1)))


def test_the_clock_leaves_out_pauses_in_which_nobody_drove_the_sweep() -> None:
    spans = [(1000, 3000), (3500, 5000), (95_000, 97_000)]
    seconds = clock(1000, spans, used=8.0)  # 96 by the clock: 88 of the 90 before the last trial were a pause
    assert [seconds(end) for _, end in spans] == [2.0, 4.0, 8.0]
    assert [clock(1000, spans, used=0)(end) for _, end in spans] == [2.0, 4.0, 96.0]
    assert clock(1000, spans, used=96.0)(97_000) == clock(1000, spans, used=200.0)(97_000) == 96.0


def test_a_trial_taken_over_from_an_earlier_sweep_took_no_time() -> None:
    runs = [run(0, 1.0, 500), run(1, 2.0, 3000)]
    tags = {"hpo.progress": json.dumps({"seconds": 2.0})}
    assert [step.seconds for step in steps_of(sweep(**tags), runs, LOSS)] == [0.0, 2.0]
