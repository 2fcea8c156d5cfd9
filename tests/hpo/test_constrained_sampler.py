"""Samplers under constraints: every point is allowed, nothing but what was told counts, and grids leave points out."""

import math
from collections.abc import Sequence

import pytest

from hpo.constraints import constraint_of, feasible
from hpo.errors import EngineError
from hpo.sampler import Sampler
from hpo.samplers.constrained_sampler import ConstrainedSampler, FeasibleGrid
from hpo.samplers.grid_sampler import GridSampler
from hpo.samplers.names import make_sampler
from hpo.samplers.penalised_sampler import PenalisedSampler
from hpo.space import Choice, FloatRange, IntRange, Parameter, Params, Space
from hpo.trial import Goal, Result, State, Trial

SPACE = Space(
    (
        Parameter("a", FloatRange(0, 10)),
        Parameter("b", FloatRange(0, 10)),
        Parameter("kind", Choice(("plain", "deep"))),
        Parameter("depth", IntRange(1, 9), when={"kind": ("deep",)}),
    )
)
CONSTRAINTS = [constraint_of(text) for text in ("a + 1 < b", "depth * 2 <= b", "metrics.latency < 3")]
ENGINES = [("optuna", "tpe"), ("optuna", "cmaes"), ("optuna", "qmc"), ("hyperopt", "tpe"), ("optuna", "random")]


def allows(params: Params) -> bool:
    return feasible(CONSTRAINTS, params)


def made(engine: str, name: str, *, space: Space = SPACE, seed: int = 3) -> ConstrainedSampler:
    rest = make_sampler(engine, name, space, seed=seed, goal=Goal.MINIMIZE, window=2, options={})
    return ConstrainedSampler(rest, space, allows, name=name, seed=seed)


def number(params: Params, name: str) -> float:
    return float(params[name] or 0)


def told(sampler: Sampler, points: Sequence[Params]) -> Sampler:
    for place, params in enumerate(points):
        sampler.tell(Trial(place, params, 0), Result(State.COMPLETE, abs(number(params, "a") - 6)))
    return sampler


@pytest.mark.parametrize(("engine", "name"), ENGINES)
def test_every_point_is_allowed_and_the_same_for_a_fresh_sampler_that_was_told_the_same(engine: str, name: str) -> None:
    running = made(engine, name)
    points: list[Params] = []
    for place in range(20):
        if place >= 2:
            sign = Result(State.COMPLETE, abs(number(points[place - 2], "a") - 6))
            running.tell(Trial(place - 2, points[place - 2], 0), sign)
        points += running.ask(range(place, place + 1))
    assert all(map(allows, points))
    assert any("depth" in point for point in points)
    assert any("depth" not in point and number(point, "b") < 2 + number(point, "a") for point in points)
    for place in (2, 11, 19):
        fresh = told(made(engine, name), points[: place - 1])
        assert fresh.redraw(place, 1) != points[place]
        assert fresh.ask(range(place, place + 1)) == [points[place]]


def test_a_point_that_is_allowed_at_once_is_the_samplers_own() -> None:
    plain = make_sampler("optuna", "random", SPACE, seed=3, goal=Goal.MINIMIZE, window=2, options={})
    asked, own = made("optuna", "random").ask(range(40)), plain.ask(range(40))
    kept = [ours == theirs for ours, theirs in zip(asked, own, strict=True)]
    assert kept == [allows(point) for point in own]
    assert True in kept
    assert False in kept


def test_where_no_point_of_the_sampler_is_allowed_random_ones_are_tried() -> None:
    class Stubborn:
        def ask(self, numbers: range) -> Sequence[Params]:
            return [{"a": 9.0, "b": 1.0, "kind": "plain"} for _ in numbers]

        def redraw(self, number: int, attempt: int) -> Params:
            return self.ask(range(1))[0]

        def tell(self, trial: Trial, result: Result) -> None:
            pass

    sampler = ConstrainedSampler(Stubborn(), SPACE, allows, name="tpe", seed=0)
    points = sampler.ask(range(5))
    assert all(map(allows, points))
    assert points == [sampler.redraw(place, 0) for place in range(5)]
    assert len({repr(point) for point in [*points, sampler.redraw(0, 1)]}) == 6


def test_where_even_random_points_are_never_allowed_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpo.samplers.constrained_sampler.MOST_DRAWS", 50)
    rest = make_sampler("optuna", "random", SPACE, seed=0, goal=Goal.MINIMIZE, window=1, options={})
    sampler = ConstrainedSampler(rest, SPACE, lambda _: False, name="random", seed=0)
    with pytest.raises(EngineError, match="trial 7: none of 50 random points satisfies the constraints"):
        sampler.ask(range(7, 8))


def test_a_grid_leaves_out_what_is_not_allowed_and_counts_the_rest() -> None:
    space = Space((Parameter("a", IntRange(0, 3)), Parameter("b", IntRange(0, 2))))
    constraint = constraint_of("a < b or a == 3")
    grid = FeasibleGrid(GridSampler(space, seed=0), constraint.holds)
    points = [{"a": 0, "b": 1}, {"a": 0, "b": 2}, {"a": 1, "b": 2}, *({"a": 3, "b": b} for b in range(3))]
    assert grid.ask(range(4, 9)) == points[4:]
    assert grid.ask(range(9)) == points
    assert grid.size == 6
    assert (grid.redraw(0, 0), grid.redraw(0, 1), grid.redraw(6, 0)) == (points[0], None, None)


class Listener:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.results: list[Result] = []

    def ask(self, numbers: range) -> Sequence[Params]:
        return [{} for _ in numbers]

    def redraw(self, number: int, attempt: int) -> Params | None:
        return None

    def tell(self, trial: Trial, result: Result) -> None:
        self.results.append(result)


def heard(goal: Goal, *told: tuple[float | None, float | None]) -> list[float | None]:
    listener = Listener()
    sampler = PenalisedSampler(listener, goal)
    for place, (value, violation) in enumerate(told):
        sampler.tell(Trial(place, {}, 0), Result(State.COMPLETE, value, violation=violation))
    assert all(
        result.state is (State.COMPLETE if result.value is not None else State.FAILED) for result in listener.results
    )
    return [result.value for result in listener.results]


def test_a_trial_that_violates_constraints_is_told_as_worse_than_every_feasible_one() -> None:
    told = [(4.0, 0.0), (8.0, 0.0), (1.0, 0.5), (2.0, 0.1), (3.0, 1e9), (5.0, math.inf)]
    assert heard(Goal.MINIMIZE, *told) == [4.0, 8.0, 8 + 0.5 * 7, 8 + 0.1 * 7, 8 + 10 * 7, None]
    mirrored = [(-value, violation) for value, violation in told]
    assert heard(Goal.MAXIMIZE, *mirrored) == [-4.0, -8.0, -11.5, -8.7, -78.0, None]


def test_until_a_trial_is_feasible_the_least_violation_is_the_best() -> None:
    assert heard(Goal.MINIMIZE, (4.0, 1.0), (2.0, 0.5), (9.0, 0.25)) == [5.0, 5.0, 10.75]


@pytest.mark.parametrize("engine", ["optuna", "hyperopt"])
def test_tpe_learns_to_satisfy_what_is_measured(engine: str) -> None:
    space = Space((Parameter("x", FloatRange(0, 10)), Parameter("y", FloatRange(0, 10))))
    constraint = constraint_of("metrics.latency <= 5")

    def violated(*, tells: bool) -> float:
        rest = make_sampler(engine, "tpe", space, seed=1, goal=Goal.MINIMIZE, window=1, options={})
        sampler: Sampler = rest if engine == "optuna" else PenalisedSampler(rest, Goal.MINIMIZE)
        far = 0.0
        for place in range(60):
            (params,) = sampler.ask(range(place, place + 1))
            latency = number(params, "x") + number(params, "y")
            violation = constraint.violation(params, {"latency": latency})
            far += violation if place >= 20 else 0
            # the loss is best where the constraint is broken most
            sampler.tell(
                Trial(place, params, 0), Result(State.COMPLETE, -latency, violation=violation if tells else None)
            )
        return far

    assert violated(tells=True) < 0.75 * violated(tells=False)
