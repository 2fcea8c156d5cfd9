"""What every sampler promises for trials it did not ask for: points to start with, and those of earlier sweeps."""

import importlib.util
from collections.abc import Mapping, Sequence
from random import Random

import pytest

from hpo.sampler import Sampler
from hpo.samplers.names import SAMPLERS, make_sampler
from hpo.samplers.random_sampler import RandomSampler
from hpo.samplers.started_sampler import StartedSampler
from hpo.space import Choice, FloatRange, IntRange, Parameter, Params, Space, Value
from hpo.trial import Goal, Result, State, Trial
from hpo.warm_start import KnownTrial, tell_known

TRIALS, WINDOW = 18, 3
MIXED = Space(
    (
        Parameter("x", FloatRange(0, 1)),
        Parameter("y", FloatRange(1e-3, 1, log=True)),
        Parameter("kind", Choice(("plain", "deep"))),
        Parameter("depth", IntRange(1, 8), when={"kind": ("deep",)}),
    )
)
STEPPED = Space((Parameter("x", FloatRange(0, 1, step=0.25)), Parameter("y", IntRange(0, 3))))
START: Sequence[Params] = ({"x": 0.5, "y": 0.1, "kind": "deep", "depth": 3}, {"x": 0.25}, {"kind": "plain"}, {"y": 0.5})
GRID_START: Sequence[Params] = ({"x": 0.75, "y": 2}, {"x": 0.0, "y": 0})
OPTIONS: Mapping[tuple[str, str], Mapping[str, object]] = {
    ("optuna", "tpe"): {"n_startup_trials": 5},
    ("optuna", "gp"): {"n_startup_trials": 5},
    ("optuna", "cmaes"): {"popsize": 4},
    ("optuna", "nsga2"): {"population_size": 4},
    ("hyperopt", "tpe"): {"n_startup_jobs": 5},
}
NO_TORCH = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="gp needs the extra [gp] (torch)")


def pairs(*names: str) -> list[object]:
    slow = {"gp": (NO_TORCH, pytest.mark.slow)}
    chosen = names or {name for _, name in SAMPLERS} - {"auto"}
    return [pytest.param(*key, marks=slow.get(key[1], ())) for key in SAMPLERS if key[1] in chosen]


def value(params: Params) -> float:
    numbers = [number for number in params.values() if isinstance(number, int | float)]
    return sum((float(number) - 0.3) ** 2 for number in numbers)


def judged(number: int, params: Params) -> Result:
    return Result(State.FAILED) if number % 7 == 3 else Result(State.COMPLETE, value(params))


def known(count: int, space: Space) -> list[KnownTrial]:
    points = RandomSampler(space, seed=11).ask(range(count))
    return [KnownTrial("before", number, point, value(point)) for number, point in enumerate(points)]


def make(engine: str, name: str, *, earlier: int = 0, start: Sequence[Params] | None = None) -> Sampler:
    space, is_grid = (STEPPED, True) if name == "grid" else (MIXED, False)
    options = OPTIONS.get((engine, name), {})
    rest = make_sampler(engine, name, space, seed=7, goal=Goal.MINIMIZE, window=WINDOW, options=options)
    points = (GRID_START if is_grid else START) if start is None else start
    tell_known(rest, known(earlier, space), before=len(points) + WINDOW)
    return StartedSampler(rest, space, points, seed=7, once=is_grid)


def sweep(sampler: Sampler, order: int = 0) -> list[Params]:
    """The params of a sweep under the rolling window; `order` decides in which order open trials end."""
    chance = Random(order)
    params: list[Params] = []
    ended: set[int] = set()
    told = 0
    while len(params) < TRIALS:
        while told <= len(params) - WINDOW and told in ended:
            sampler.tell(Trial(told, params[told], seed=0), judged(told, params[told]))
            told += 1
        if told > len(params) - WINDOW:
            params += sampler.ask(range(len(params), len(params) + 1))
        else:
            ended.add(chance.choice([number for number in range(len(params)) if number not in ended]))
    return params


@pytest.mark.parametrize("earlier", [0, 12])
@pytest.mark.parametrize(("engine", "name"), pairs())
def test_the_trials_neither_depend_on_the_timing_nor_on_an_interruption(engine: str, name: str, earlier: int) -> None:
    whole = sweep(make(engine, name, earlier=earlier))
    assert repr(sweep(make(engine, name, earlier=earlier), order=5)) == repr(whole)
    for number in (2, 5, 11, TRIALS - 1):
        fresh = make(engine, name, earlier=earlier)
        for told in range(number - WINDOW + 1):
            fresh.tell(Trial(told, whole[told], seed=0), judged(told, whole[told]))
        assert repr(fresh.ask(range(number, number + 1))) == repr([whole[number]])


@pytest.mark.parametrize(("engine", "name"), pairs())
def test_known_points_come_first_and_the_rest_is_the_sampler_s_own(engine: str, name: str) -> None:
    points = sweep(make(engine, name))
    space, start = (STEPPED, GRID_START) if name == "grid" else (MIXED, START)
    assert all(space.contains(point) for point in points)
    for given, point in zip(start, points, strict=False):
        assert given.items() <= point.items()
    if name in ("random", "qmc"):  # they begin at their beginning
        assert points[len(start) :] == sweep(make(engine, name, start=()))[: TRIALS - len(start)]


def test_a_grid_leaves_out_the_points_it_started_with() -> None:
    sampler = make("optuna", "grid")
    points = [tuple(point.values()) for point in sampler.ask(range(50))]
    assert points[:2] == [(0.75, 2), (0.0, 0)]
    assert len(points) == len(set(points)) == 20
    assert points[2:] == sorted(points[2:])
    assert sampler.ask(range(19, 22)) == sampler.ask(range(19, 20))
    assert sampler.redraw(25, 0) is None


@pytest.mark.parametrize(("engine", "name"), pairs("tpe", "cmaes", "anneal"))
def test_earlier_trials_are_learnt_from(engine: str, name: str) -> None:
    bowl = Space((Parameter("x", FloatRange(-5, 5)), Parameter("y", FloatRange(-5, 5))))

    def far(point: Params) -> float:
        return sum(abs(float(v) - 2.5) for v in point.values() if isinstance(v, int | float))

    def asked(earlier: Sequence[KnownTrial]) -> float:
        sampler = make_sampler(engine, name, bowl, seed=1, goal=Goal.MAXIMIZE, window=2, options={})
        tell_known(sampler, earlier, before=2)
        return sorted(map(far, sampler.ask(range(25))))[12]

    points = RandomSampler(bowl, seed=2).ask(range(40))
    before = [KnownTrial("before", number, point, -far(point)) for number, point in enumerate(points)]
    assert asked(before) < 0.6 * asked(())
    assert repr(asked(before)) == repr(asked(before))


def test_separable_cmaes_takes_earlier_trials_though_it_cannot_begin_from_them() -> None:
    options = {"use_separable_cma": True}
    sampler = make_sampler("optuna", "cmaes", MIXED, seed=1, goal=Goal.MINIMIZE, window=1, options=options)
    tell_known(sampler, known(3, MIXED), before=1)
    assert MIXED.contains(sampler.ask(range(1))[0])


@pytest.mark.parametrize("point", START)
def test_what_a_point_leaves_open_can_be_drawn_again(point: Params) -> None:
    sampler = make("optuna", "random", start=[point])
    assert sampler.redraw(0, 0) == sampler.ask(range(1))[0]
    again = sampler.redraw(0, 1)
    assert (again is None) == (point == START[0])
    assert again is None or point.items() <= again.items()
    assert sampler.redraw(0, 1) == again
    assert sampler.redraw(1, 1) not in (None, sampler.redraw(1, 0))


def test_what_a_point_leaves_open_is_drawn_until_it_is_allowed() -> None:
    def allows(point: Params) -> bool:
        found: Value = point["x"]
        return isinstance(found, float) and found > 0.9

    rest = RandomSampler(MIXED, seed=0)
    sampler = StartedSampler(rest, MIXED, [{"kind": "plain"}, {"x": 0.5}], seed=0, allows=allows)
    free, given = sampler.ask(range(2))
    assert allows(free)
    assert given["x"] == 0.5


class Listening:
    """A sampler that remembers by what numbers it was asked and told."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.told: list[int] = []

    def ask(self, numbers: range) -> Sequence[Params]:
        self.asked += numbers
        return [{"x": 0.5, "y": 0.5, "kind": "plain"} for _ in numbers]

    def redraw(self, number: int, attempt: int) -> Params | None:
        self.asked.append(number)
        return None

    def tell(self, trial: Trial, result: Result) -> None:
        self.told.append(trial.number)


def test_known_points_have_negative_numbers_and_earlier_trials_lower_ones() -> None:
    rest = Listening()
    tell_known(rest, known(2, MIXED), before=len(START[:2]) + WINDOW)
    sampler = StartedSampler(rest, MIXED, START[:2], seed=0)
    points = sampler.ask(range(4))
    for number, point in enumerate(points):
        sampler.tell(Trial(number, point, seed=0), judged(number, point))
    assert sampler.redraw(5, 1) is None
    assert rest.asked == [0, 1, 3]
    assert rest.told == [-7, -6, -2, -1, 0, 1]
