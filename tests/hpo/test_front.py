"""The front, its hypervolume, and the rules that pick one of it."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna._hypervolume.wfg import compute_hypervolume

from hpo.errors import HpoError
from hpo.front import FrontSoFar, Values, dominates, front, hypervolume, reference_point
from hpo.front_on_record import goals_of
from hpo.picking import ByMetric, Knee, Lexicographic
from hpo.trial import Goal
from trackers.records import SweepFacts

LOW, HIGH = Goal.MINIMIZE, Goal.MAXIMIZE
COARSE = st.integers(0, 6).map(float)  # few values, so that ties and equal points are common


@st.composite
def clouds(draw: st.DrawFn) -> tuple[list[Values], list[Goal]]:
    goals = draw(st.lists(st.sampled_from([LOW, HIGH]), min_size=2, max_size=4))
    points = draw(st.lists(st.tuples(*[COARSE] * len(goals)), max_size=25))
    return points, goals


def by_force(points: list[Values], goals: list[Goal]) -> set[int]:
    return {n for n, ours in enumerate(points) if not any(dominates(theirs, ours, goals) for theirs in points)}


@given(clouds())
def test_the_front_is_what_nobody_dominates(cloud: tuple[list[Values], list[Goal]]) -> None:
    points, goals = cloud
    found = front(points, goals)
    assert set(found) == by_force(points, goals)
    assert len(found) == len(set(found))
    firsts = [points[position][0] for position in found]
    assert firsts == sorted(firsts, reverse=goals[0] is HIGH)


@given(clouds())
def test_a_front_that_is_followed_is_the_front(cloud: tuple[list[Values], list[Goal]]) -> None:
    points, goals = cloud
    so_far = FrontSoFar(goals)
    for number, point in enumerate(points):
        before = {points[n] for n in by_force(points[:number], goals)}
        assert so_far.add(number, point) is (number in by_force(points[: number + 1], goals) and point not in before)
        assert {n for n in range(number + 1) if n in so_far} == by_force(points[: number + 1], goals)
    assert len(so_far) == len(by_force(points, goals))


@settings(max_examples=60)
@given(clouds())
def test_the_hypervolume_is_optunas(cloud: tuple[list[Values], list[Goal]]) -> None:
    points, goals = cloud
    reference = tuple(5.5 if goal is LOW else -0.5 for goal in goals)
    signs = np.array([1.0 if goal is LOW else -1.0 for goal in goals])
    inside = [p for p in points if all(g.better(a, than=b) for a, b, g in zip(p, reference, goals, strict=True))]
    theirs = compute_hypervolume(np.array(inside) * signs, np.array(reference) * signs) if inside else 0.0
    assert hypervolume(points, goals, reference) == pytest.approx(theirs)


def test_the_reference_point_lies_a_tenth_beyond_the_worst() -> None:
    assert reference_point([(0.0, 5.0), (10.0, 15.0)], [LOW, HIGH]) == (11.0, 4.0)
    assert hypervolume([(0.0, 5.0)], [LOW, HIGH], (0.0, 5.0)) == 0.0  # nothing is better than itself


ROWS = [{"acc": acc, "seconds": seconds} for acc, seconds in [(0.99, 100), (0.985, 30), (0.98, 10), (0.80, 1)]]
GOALS = {"acc": HIGH, "seconds": LOW}


def test_by_a_metric_its_best_comes_first() -> None:
    assert ByMetric("acc", GOALS).order(ROWS) == [0, 1, 2, 3]
    assert ByMetric("seconds", GOALS).order(ROWS) == [3, 2, 1, 0]
    assert ByMetric("acc", GOALS).order([{"acc": 1, "seconds": 2}, {"acc": 1, "seconds": 1}]) == [1, 0]


def test_the_knee_is_farthest_from_the_line_through_both_ends() -> None:
    rows = [{"acc": (0.99 - row["acc"]) / 0.19, "seconds": (row["seconds"] - 1) / 99} for row in ROWS]  # scaled
    below = {number: (1 - row["acc"] - row["seconds"]) / 2**0.5 for number, row in enumerate(rows)}
    assert [below[number] for number in Knee(GOALS).order(ROWS)] == pytest.approx(sorted(below.values(), reverse=True))
    assert Knee(GOALS).order(ROWS)[0] == 2


def test_a_metric_that_is_the_same_everywhere_makes_no_knee() -> None:
    rows = [{"acc": 1.0, "seconds": 3.0}, {"acc": 1.0, "seconds": 1.0}]
    assert Knee(GOALS).order(rows) == [1, 0]


@pytest.mark.parametrize(
    ("tolerances", "first"),
    [
        ({"acc": 0.0, "seconds": 0.0}, 0),
        ({"acc": 0.006, "seconds": 0.0}, 1),
        ({"acc": 0.011, "seconds": 0.0}, 2),
        ({"acc": 1.0, "seconds": 0.0}, 3),
        ({"acc": 0.5}, 0),  # the last one's tolerance is nothing
        ({"seconds": 40.0, "acc": 0.0}, 1),
    ],
)
def test_within_the_tolerance_the_next_metric_decides(tolerances: dict[str, float], first: int) -> None:
    assert Lexicographic(tolerances, GOALS).order(ROWS)[0] == first


def test_the_second_pick_is_the_one_among_the_rest() -> None:
    rule = Lexicographic({"acc": 0.011, "seconds": 0.0}, GOALS)
    order = rule.order(ROWS)
    rest = [row for position, row in enumerate(ROWS) if position != order[0]]
    assert ROWS[order[1]] == rest[rule.order(rest)[0]]
    assert sorted(order) == [0, 1, 2, 3]


@pytest.mark.parametrize("goals", list(product([LOW, HIGH], repeat=2)))
def test_dominating_needs_one_that_is_better(goals: tuple[Goal, Goal]) -> None:
    better = tuple(2.0 if goal is HIGH else 0.0 for goal in goals)
    assert dominates(better, (1.0, 1.0), goals)
    assert dominates((better[0], 1.0), (1.0, 1.0), goals)
    assert not dominates((1.0, 1.0), (1.0, 1.0), goals)
    assert not dominates((better[0], 1.0), (1.0, better[1]), goals)


@pytest.mark.parametrize(
    ("config", "goal", "said"),
    [
        ("{}", "down", "the goal of loss on record is 'down'"),
        ('{"metrics": [{"name": "f1", "goal": "maximize"}, {"name": "size", "goal": 3}]}', "maximize", "goal of size"),
        ('{"metrics": [{"name": "f1"}]}', "maximize", "not each a name and a goal"),
        ('{"metrics": ["f1", "size"]}', "maximize", "not each a name and a goal"),
    ],
)
def test_a_goal_on_record_that_is_none_is_named(config: str, goal: str, said: str) -> None:
    with pytest.raises(HpoError, match=said):
        goals_of(SweepFacts(config, "hash", "loss", goal, 1, 1))
