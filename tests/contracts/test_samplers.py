"""What every sampler promises, over the table of names: plain values of the space, and the same trials always."""

import heapq
import importlib.util
import json
import logging
import math
import os
import random
import subprocess
import sys
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from hpo.errors import EngineError
from hpo.sampler import Sampler
from hpo.samplers.grid_sampler import GridSampler
from hpo.samplers.names import SAMPLERS, make_sampler
from hpo.space import Choice, Constant, FloatRange, IntRange, Parameter, Params, Space, Value, same_value
from hpo.trial import Goal, Result, State, Trial

TRIALS = 24
WINDOW = 4
KIND = Parameter("kind", Choice(("svc", "forest", None)))
SPACES = {
    "flat": Space(
        (
            Parameter("x", FloatRange(-5, 5)),
            Parameter("rate", FloatRange(1e-5, 1, log=True)),
            Parameter("share", FloatRange(0.1, 0.9, step=0.1)),
            Parameter("depth", IntRange(2, 16)),
            Parameter("batch", IntRange(16, 256, step=16)),
            Parameter("units", IntRange(1, 1000, log=True)),
            Parameter("mixed", Choice((True, 1, 1.0, "1", None))),
            Parameter("fixed", Constant("so")),
            Parameter("alone", Choice((0.5,))),
        )
    ),
    "conditional": Space(
        (
            Parameter("tol", FloatRange(0, 1)),
            KIND,
            Parameter("c", FloatRange(0.01, 100, log=True), when={"kind": ("svc",)}),
            Parameter("kernel", Choice(("rbf", "poly")), when={"kind": ("svc",)}),
            Parameter("degree", IntRange(2, 5), when={"kernel": ("poly",)}),
            Parameter("depth", IntRange(1, 4), when={"kind": ("forest",)}),
            Parameter("leaves", IntRange(2, 9), when={"depth": (3, 4)}),
            Parameter("seeded", Choice((True, False)), when={"kind": ("svc", "forest")}),
            Parameter("both", FloatRange(0, 1), when={"kernel": ("rbf",), "seeded": (True,)}),
        )
    ),
    "single": Space((Parameter("x", FloatRange(0, 1)),)),
    "constant": Space((Parameter("x", Constant(3)), Parameter("y", Choice(("only",))))),
}
EARLY: Mapping[tuple[str, str], Mapping[str, object]] = {  # so that few trials are enough to see an engine work
    ("optuna", "tpe"): {"n_startup_trials": 5},
    ("optuna", "gp"): {"n_startup_trials": 5},
    ("optuna", "nsga2"): {"population_size": 4},
    ("hyperopt", "tpe"): {"n_startup_jobs": 5},
}
REFUSED = [("optuna", "gp", "constant"), ("optuna", "cmaes", "constant")]
NO_TORCH = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="gp needs the extra [gp] (torch)")
MARKS: Mapping[str, tuple[pytest.MarkDecorator, ...]] = {
    "gp": (NO_TORCH, pytest.mark.slow),
    "auto": (pytest.mark.slow,),  # a Gaussian process for each ask; test_auto_sampler.py has the quick part
}

Make = Callable[..., Sampler]


def finite(space: Space) -> Space:
    """The space with a list of values in the place of each continuous range, for the grid."""
    lists = {name: Choice((1e-3, 0.5)) for name in ("x", "rate", "c", "tol", "both")}
    return Space(tuple(replace(p, domain=lists.get(p.name, p.domain)) for p in space.parameters))


def pairs() -> list[object]:
    return [pytest.param(*key, marks=MARKS.get(key[1], ())) for key in SAMPLERS]


def cases() -> list[object]:
    return [
        pytest.param(engine, name, space, marks=MARKS.get(name, ()), id=f"{engine}-{name}-{space}")
        for engine, name in SAMPLERS
        for space in SPACES
        if (engine, name, space) not in REFUSED
    ]


def maker(engine: str, name: str, space: str, **options: object) -> Make:
    searched = finite(SPACES[space]) if name == "grid" else SPACES[space]

    def make(*, seed: int = 7, goal: Goal = Goal.MINIMIZE, window: int | None = WINDOW) -> Sampler:
        given = {**EARLY.get((engine, name), {}), **options}
        return make_sampler(engine, name, searched, seed=seed, goal=goal, window=window, options=given)

    return make


def number_of(value: Value) -> float:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain else zlib.crc32(repr(value).encode()) % 100 / 10  # type: ignore[arg-type]  # is plain


def score(params: Params) -> float:
    return sum(abs(math.log1p(abs(number_of(value))) - 1) for value in params.values())


def result(number: int, params: Params, sign: float = 1.0) -> Result:
    if number % 7 == 3:
        return Result(State.FAILED)
    if number % 11 == 9:
        return Result(State.PRUNED)
    return Result(State.COMPLETE, sign * score(params))


def sweep(
    sampler: Sampler,
    *,
    trials: int = TRIALS,
    slots: int = WINDOW,
    timing: int = 0,
    window: int = WINDOW,
    judge: Callable[[int, Params], Result] = result,
) -> list[Params]:
    """The params of a sweep under the rolling window, with trials that last as long as `timing` says."""
    clock = random.Random(timing)
    running: list[tuple[float, int]] = []
    ended: set[int] = set()
    params: list[Params] = []
    told, now = 0, 0.0
    while len(params) < trials or running:
        while len(params) < trials and len(running) < slots:
            number = len(params)
            if not set(range(number - window + 1)) <= ended:
                break
            while told <= number - window:
                sampler.tell(Trial(told, params[told], seed=0), judge(told, params[told]))
                told += 1
            asked = sampler.ask(range(number, number + 1))
            if not asked:
                trials = number
                break
            params.extend(asked)
            heapq.heappush(running, (now + clock.lognormvariate(0, 1), number))
        if running:
            now, number = heapq.heappop(running)
            ended.add(number)
    return params


def tell_all(sampler: Sampler, params: list[Params], judge: Callable[[int, Params], Result] = result) -> Sampler:
    for number, point in enumerate(params):
        sampler.tell(Trial(number, point, seed=0), judge(number, point))
    return sampler


def text(params: list[Params]) -> str:
    return repr([dict(point) for point in params])  # tells True from 1 from 1.0


@pytest.mark.parametrize(("engine", "name", "space"), cases())
def test_every_answer_is_a_point_of_the_space_in_plain_types(engine: str, name: str, space: str) -> None:
    searched = finite(SPACES[space]) if name == "grid" else SPACES[space]
    for point in sweep(maker(engine, name, space)()):
        assert searched.contains(point)
        for key, value in point.items():
            domain = searched[key].domain
            assert same_value(value, domain.conform(value))
            assert type(value) in (str, int, float, bool, type(None))
        assert json.loads(json.dumps(point)) == point


@pytest.mark.parametrize(("engine", "name", "space"), cases())
def test_asking_a_range_equals_asking_each_number(engine: str, name: str, space: str) -> None:
    make = maker(engine, name, space)
    told = sweep(make(), trials=9)
    together = tell_all(make(), told).ask(range(len(told), len(told) + WINDOW))
    alone = tell_all(make(), told)
    backwards = [alone.ask(range(number, number + 1)) for number in reversed(range(len(told), len(told) + WINDOW))]
    assert text(list(together)) == text([point for asked in reversed(backwards) for point in asked])


@pytest.mark.parametrize(("engine", "name"), pairs())
def test_numbers_that_know_the_same_trials_get_different_points(engine: str, name: str) -> None:
    make = maker(engine, name, "flat")
    told = sweep(make(), trials=12)
    for known in ([], told):
        points = tell_all(make(), known).ask(range(len(known), len(known) + WINDOW))
        assert len({text([point]) for point in points}) == WINDOW


@pytest.mark.everyday(without=("single", "constant", "flat"))
@pytest.mark.parametrize(("engine", "name", "space"), cases())
def test_the_trials_depend_neither_on_the_slots_nor_on_which_trial_ends_first(
    engine: str, name: str, space: str
) -> None:
    make = maker(engine, name, space)
    expected = text(sweep(make(), slots=1))
    for slots in range(1, WINDOW + 1):
        assert text(sweep(make(), slots=slots, timing=slots)) == expected


@pytest.mark.everyday(without=("single", "constant", "flat"))
@pytest.mark.parametrize("window", [WINDOW, *(pytest.param(size, marks=pytest.mark.slow) for size in (1, 3))])
@pytest.mark.parametrize(("engine", "name", "space"), cases())
def test_a_fresh_instance_told_the_history_at_any_point_goes_on_as_the_old_one(
    engine: str, name: str, space: str, window: int
) -> None:
    make = partial(maker(engine, name, space), window=window)
    whole = sweep(make(), window=window, slots=window)
    for number in range(len(whole)):
        fresh = tell_all(make(), whole[: max(0, number - window + 1)])
        assert text(list(fresh.ask(range(number, number + 1)))) == text([whole[number]])


@pytest.mark.parametrize(("engine", "name", "space"), cases())
def test_a_sweep_broken_off_and_resumed_ends_like_one_that_was_not(engine: str, name: str, space: str) -> None:
    make = maker(engine, name, space)
    whole = sweep(make())
    cut = min(13, len(whole))
    resumed = tell_all(make(), whole[: cut - WINDOW + 1]) if cut >= WINDOW else make()
    params = whole[:cut]
    for number in range(cut, len(whole)):
        if number > cut:
            resumed.tell(
                Trial(number - WINDOW, params[number - WINDOW], seed=0), result(number - WINDOW, params[-WINDOW])
            )
        params.extend(resumed.ask(range(number, number + 1)))
    assert text(params) == text(whole)


@pytest.mark.parametrize(("engine", "name", "space"), cases())
def test_redrawing_gives_other_points_of_the_space_and_never_changes_what_is_asked(
    engine: str, name: str, space: str
) -> None:
    searched = finite(SPACES[space]) if name == "grid" else SPACES[space]
    make = maker(engine, name, space)
    told = sweep(make(), trials=12)
    number = len(told)
    plain = tell_all(make(), told[: number - WINDOW + 1])
    asked = text(list(plain.ask(range(number, number + 1))))
    redrawn = [plain.redraw(number, attempt) for attempt in (1, 2, 3)]
    fresh = tell_all(make(), told[: number - WINDOW + 1])
    assert repr([fresh.redraw(number, attempt) for attempt in (3, 2, 1)]) == repr(redrawn[::-1])
    assert text([point for point in [fresh.redraw(number, 0)] if point is not None]) == asked
    assert text(list(fresh.ask(range(number, number + 1)))) == asked
    if name == "grid":
        assert redrawn == [None] * 3
        return
    points = [point for point in redrawn if point is not None]
    assert len(points) == 3
    assert all(searched.contains(point) for point in points)
    if space == "flat":
        assert len({asked, *(text([point]) for point in points)}) == 4


@pytest.mark.parametrize(("engine", "name"), pairs())
def test_a_point_that_was_redrawn_is_told_like_any_other(engine: str, name: str) -> None:
    options = {"with_margin": True, "popsize": 4} if name == "cmaes" else {}
    make = maker(engine, name, "flat", **options)

    def instead(sampler: Sampler, number: int) -> Params:
        return sampler.redraw(number, 2 if number % 3 == 1 else 0) or sampler.ask(range(number, number + 1))[0]

    running = make()
    told: list[Params] = []
    for number in range(TRIALS):
        if number >= WINDOW:
            running.tell(Trial(number - WINDOW, told[-WINDOW], seed=0), result(number - WINDOW, told[-WINDOW]))
        told.append(instead(running, number))
    for number in (WINDOW, 14, TRIALS - 1):
        fresh = tell_all(make(), told[: number - WINDOW + 1])
        assert text([instead(fresh, number)]) == text([told[number]])


@pytest.mark.parametrize(("engine", "name"), pairs())
def test_another_seed_gives_other_trials(engine: str, name: str) -> None:
    make = maker(engine, name, "flat")
    same = text(sweep(make(seed=1))) == text(sweep(make(seed=2)))
    assert same == (name == "grid")  # a grid has one order


@pytest.mark.everyday(without=("single", "constant", "flat"))
@pytest.mark.parametrize(("engine", "name", "space"), cases())
def test_maximizing_mirrors_minimizing(engine: str, name: str, space: str) -> None:
    make = maker(engine, name, space)
    mirrored = sweep(make(goal=Goal.MAXIMIZE), judge=lambda number, params: result(number, params, sign=-1.0))
    assert text(mirrored) == text(sweep(make(goal=Goal.MINIMIZE)))


@pytest.mark.everyday(without=("single", "constant", "flat"))
@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("engine", "name"), pairs())
def test_what_is_no_finite_value_is_told_as_a_failure(engine: str, name: str, value: float | None) -> None:
    def odd(number: int, params: Params) -> Result:
        return Result(State.COMPLETE, value) if number % 3 == 0 else Result(State.COMPLETE, score(params))

    def failed(number: int, params: Params) -> Result:
        return Result(State.FAILED) if number % 3 == 0 else Result(State.COMPLETE, score(params))

    make = maker(engine, name, "flat")
    assert text(sweep(make(), judge=odd)) == text(sweep(make(), judge=failed))


@pytest.mark.parametrize(("engine", "name"), pairs())
def test_a_sweep_whose_trials_all_fail_goes_on(engine: str, name: str) -> None:
    params = sweep(maker(engine, name, "conditional")(), judge=lambda number, params: Result(State.FAILED))
    assert len(params) == TRIALS


@pytest.mark.parametrize(("engine", "name"), pairs())
def test_the_global_generators_neither_matter_nor_change(engine: str, name: str) -> None:
    make = maker(engine, name, "conditional")
    random.seed(1)
    np.random.seed(1)
    before = (random.getstate(), repr(np.random.get_state()))
    one = text(sweep(make()))
    assert (random.getstate(), repr(np.random.get_state())) == before
    random.seed(2)
    np.random.seed(2)
    assert text(sweep(make())) == one


@pytest.mark.parametrize(("engine", "name"), pairs())
def test_a_sampler_is_silent_and_leaves_logging_alone(
    engine: str, name: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="optuna"), caplog.at_level(logging.INFO, logger="hyperopt"):
        sweep(maker(engine, name, "conditional")())
        assert logging.getLogger("optuna").level == logging.getLogger("hyperopt").level == logging.INFO
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


@pytest.mark.parametrize(("engine", "name"), pairs())
def test_a_free_window_is_served_too(engine: str, name: str) -> None:
    make = partial(maker(engine, name, "conditional"), window=None)
    sampler = make()
    points = list(sampler.ask(range(3)))
    for number in (2, 0):
        sampler.tell(Trial(number, points[number], seed=0), result(number, points[number]))
        points.extend(sampler.ask(range(len(points), len(points) + 1)))
    resumed = tell_all(make(), points)
    searched = finite(SPACES["conditional"]) if name == "grid" else SPACES["conditional"]
    assert all(searched.contains(point) for point in [*points, *resumed.ask(range(len(points), len(points) + 2))])


@pytest.mark.parametrize("options", [{"popsize": 4}, {"popsize": 4, "with_margin": True}])
def test_cmaes_resumes_under_a_free_window_from_trials_it_would_not_ask_for_again(options: dict[str, object]) -> None:
    make = partial(maker("optuna", "cmaes", "flat", **options), window=None)
    resumed = tell_all(make(), sweep(make(seed=1)))
    assert all(SPACES["flat"].contains(point) for point in resumed.ask(range(TRIALS, TRIALS + 8)))


def everything() -> dict[str, str]:
    """The trials of every sampler, in this process."""
    keys = [key for key in SAMPLERS if key[1] != "gp"]
    return {f"{engine} {name}": text(sweep(maker(engine, name, "conditional")())) for engine, name in keys}


@pytest.mark.slow
def test_another_process_gives_the_same_trials() -> None:
    code = f"import importlib.util as u, json; s = u.spec_from_file_location('t', {__file__!r});"
    code += "m = u.module_from_spec(s); s.loader.exec_module(m); print(json.dumps(m.everything()))"
    root = str(Path(__file__).resolve().parents[2])
    here = everything()
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == here


@pytest.mark.parametrize("engine", ["optuna", "hyperopt"])
def test_tpe_learns_where_random_search_does_not(engine: str) -> None:
    bowl = Space((Parameter("x", FloatRange(-5, 5)), Parameter("y", FloatRange(-5, 5))))

    def best(name: str, seed: int) -> float:
        sampler = make_sampler(engine, name, bowl, seed=seed, goal=Goal.MINIMIZE, window=2, options={})

        def value(params: Params) -> float:
            return (number_of(params["x"]) - 1.5) ** 2 + (number_of(params["y"]) + 2) ** 2

        trials = sweep(
            sampler, trials=60, window=2, slots=2, judge=lambda number, params: Result(State.COMPLETE, value(params))
        )
        return min(map(value, trials))

    tpe, chance = ([best(name, seed) for seed in range(5)] for name in ("tpe", "random"))
    assert sorted(tpe)[2] < sorted(chance)[2] / 2


@pytest.mark.parametrize("engine", ["optuna", "hyperopt"])
@pytest.mark.parametrize("good", [True, 1, 1.0])
def test_tpe_learns_which_of_equal_looking_choices_is_the_good_one(engine: str, good: Value) -> None:
    alike = Space((Parameter("x", Choice((True, 1, 1.0))), Parameter("y", FloatRange(0, 1))))
    sampler = make_sampler(engine, "tpe", alike, seed=0, goal=Goal.MINIMIZE, window=1, options={})

    def judge(number: int, params: Params) -> Result:
        return Result(State.COMPLETE, 0.0 if same_value(params["x"], good) else 1.0)

    late = sweep(sampler, trials=60, window=1, slots=1, judge=judge)[30:]
    assert sum(same_value(point["x"], good) for point in late) > 13  # 10 would be chance


OPTIONS = [
    ("optuna", "tpe", {"multivariate": False}),
    ("optuna", "tpe", {"group": False, "n_ei_candidates": 8}),
    ("optuna", "cmaes", {"with_margin": True, "popsize": 4}),
    ("optuna", "cmaes", {"use_separable_cma": True, "popsize": 4}),
    ("optuna", "cmaes", {"lr_adapt": True, "n_startup_trials": 0, "popsize": 4}),
    ("optuna", "qmc", {"qmc_type": "halton", "scramble": False}),
    ("optuna", "nsga2", {"population_size": 3, "mutation_prob": 0.5, "crossover_prob": 0.5, "swapping_prob": 0.2}),
    ("hyperopt", "tpe", {"gamma": 0.5, "n_EI_candidates": 5, "prior_weight": 0.5}),
    ("hyperopt", "tpe", {"prior_weight": 0}),
    ("hyperopt", "anneal", {"avg_best_idx": 3, "shrink_coef": 0.2}),
]


@pytest.mark.parametrize(("engine", "name", "options"), OPTIONS)
def test_options_of_the_engine_change_the_trials_and_stay_pure(
    engine: str, name: str, options: dict[str, object]
) -> None:
    make = maker(engine, name, "flat", **options)
    whole = sweep(make())
    assert text(whole) != text(sweep(maker(engine, name, "flat")()))
    for number in (WINDOW, 14, TRIALS - 1):
        fresh = tell_all(make(), whole[: number - WINDOW + 1])
        assert text(list(fresh.ask(range(number, number + 1)))) == text([whole[number]])


@pytest.mark.parametrize(
    ("engine", "name", "options", "message"),
    [
        (
            "optuna",
            "tpe",
            {"n_startup": 3},
            "sampler tpe: unknown option 'n_startup' - did you mean 'n_startup_trials'?",
        ),
        ("optuna", "tpe", {"n_startup": 3}, "its options are n_startup_trials, n_ei_candidates, multivariate, group"),
        (
            "optuna",
            "tpe",
            {"n_startup_trials": "ten"},
            "n_startup_trials must be a whole number of at least 0, got 'ten'",
        ),
        ("optuna", "tpe", {"multivariate": 1}, "multivariate must be true or false, got 1"),
        ("optuna", "qmc", {"qmc_type": "hammer"}, "qmc_type must be sobol or halton, got 'hammer'"),
        ("optuna", "cmaes", {"popsize": 0}, "popsize must be a whole number of at least 4, got 0"),
        ("optuna", "cmaes", {"lr_adapt": True, "with_margin": True}, "sampler cmaes: It is prohibited"),
        (
            "hyperopt",
            "tpe",
            {"multivariate": True},
            "its options are prior_weight, n_startup_jobs, n_EI_candidates, gamma",
        ),
        ("hyperopt", "anneal", {"avg_best_idx": 0.5}, "avg_best_idx must be a number of at least 1, got 0.5"),
        ("hyperopt", "random", {"seed": 1}, "sampler random: unknown option 'seed'; it has no options"),
        ("optuna", "tpee", {}, "engine optuna has no sampler 'tpee' - did you mean 'tpe'?; it has tpe, gp, cmaes"),
        ("hyperopt", "atpe", {}, "atpe is left out"),
        ("skopt", "gp", {}, "there is no engine 'skopt'; there are optuna, hyperopt and auto"),
    ],
)
def test_a_wrong_name_or_option_is_answered_with_the_right_ones(
    engine: str, name: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(EngineError) as caught:
        make_sampler(engine, name, SPACES["flat"], seed=0, goal=Goal.MINIMIZE, window=1, options=options)
    assert message in str(caught.value)


@pytest.mark.parametrize("space", [SPACES["constant"], Space((KIND,))])
def test_cmaes_refuses_a_space_without_a_number_that_is_always_active(space: Space) -> None:
    with pytest.raises(EngineError, match=r"cmaes needs a numeric parameter that has no `when`; use tpe"):
        make_sampler("optuna", "cmaes", space, seed=0, goal=Goal.MINIMIZE, window=1, options={})


def test_separable_cmaes_refuses_a_single_number() -> None:
    with pytest.raises(EngineError, match="use_separable_cma needs two numeric parameters"):
        maker("optuna", "cmaes", "single", use_separable_cma=True)()


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")
def test_gp_without_torch_names_the_extra() -> None:
    with pytest.raises(EngineError, match=r'pip install "tracked-hpo\[gp\]"'):
        maker("optuna", "gp", "flat")()


@NO_TORCH
def test_gp_refuses_a_space_where_nothing_is_always_active() -> None:
    with pytest.raises(EngineError, match=r"gp needs a parameter to search that has no `when`"):
        maker("optuna", "gp", "constant")()


def test_the_table_of_names_loads_no_engine() -> None:
    code = "import sys, hpo.samplers.names; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"optuna", "hyperopt", "numpy", "scipy"} & set(done.stdout.split())


@pytest.mark.parametrize("space", SPACES)
def test_a_grid_holds_every_point_once_and_then_ends(space: str) -> None:
    searched = finite(SPACES[space])
    grid = GridSampler(searched, seed=0)
    points = list(grid.ask(range(min(grid.size, 50_000) + 5)))
    assert len({text([point]) for point in points}) == len(points)
    if space != "flat":  # whose grid has hundreds of millions of points
        assert len(points) == grid.size == len(every_point(searched, {}))
        assert {text([point]) for point in points} == {text([point]) for point in every_point(searched, {})}
    assert grid.ask(range(grid.size - 1, grid.size + 3)) == grid.ask(range(grid.size - 1, grid.size))
    assert grid.ask(range(grid.size, grid.size + 3)) == []


def every_point(space: Space, params: Mapping[str, Value], depth: int = 0) -> list[Params]:
    if depth == len(space.parameters):
        return [params]
    parameter = space.parameters[depth]
    if not parameter.is_active(params):
        return every_point(space, params, depth + 1)
    values = parameter.domain.grid() or ()
    return [point for value in values for point in every_point(space, {**params, parameter.name: value}, depth + 1)]


def test_the_last_parameter_of_a_grid_changes_fastest() -> None:
    grid = GridSampler(Space((Parameter("a", Choice((2, 1))), Parameter("b", IntRange(0, 1)))), seed=0)
    assert [tuple(point.values()) for point in grid.ask(range(9))] == [(2, 0), (2, 1), (1, 0), (1, 1)]


@pytest.mark.parametrize(
    ("domain", "way_out"), [(FloatRange(0, 1), "a step or choices"), (FloatRange(1, 2, log=True), "give it choices")]
)
def test_a_grid_names_the_range_that_has_no_list_of_values(domain: FloatRange, way_out: str) -> None:
    with pytest.raises(EngineError, match=f"sampler grid: rate has no finite list of values; .*{way_out}"):
        GridSampler(Space((KIND, Parameter("rate", domain))), seed=0)
