"""`engine: auto`: what it chooses, that it learns, and that its trials repeat. The contract's slow part runs it too."""

import math
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from hpo.errors import EngineError
from hpo.sampler import Sampler
from hpo.samplers import surrogate_sampler
from hpo.samplers.acquisition import best_of_few, is_taken, log_improvement, most_promising
from hpo.samplers.auto_stages import SURROGATE_ENDS, Stage, choice_text, stages
from hpo.samplers.branches import EVERY, REACH, Branch, turn
from hpo.samplers.encoding import Encoding, distances
from hpo.samplers.evolution_sampler import EvolutionSampler
from hpo.samplers.gaussian_process import fitted
from hpo.samplers.names import make_sampler
from hpo.samplers.random_sampler import RandomSampler
from hpo.samplers.surrogate_sampler import Seen, ambition
from hpo.samplers.value_scale import levelled
from hpo.space import Choice, Constant, FloatRange, IntRange, Parameter, Params, Space
from hpo.trial import Goal, Result, State, Trial

BOWL = Space((Parameter("x", FloatRange(-5, 5)), Parameter("y", FloatRange(-5, 5))))
MIXED = Space(
    (
        Parameter("kind", Choice(("svc", "forest", None))),
        Parameter("c", FloatRange(0.01, 100, log=True), when={"kind": ("svc",)}),
        Parameter("depth", IntRange(1, 9), when={"kind": ("forest",)}),
        Parameter("leaves", IntRange(2, 9, log=True), when={"depth": (3, 4)}),
        Parameter("share", FloatRange(0, 1, step=0.1)),
        Parameter("fixed", Constant(3)),
    )
)


def bowl(params: Params) -> float:
    return (float(params["x"]) - 1.5) ** 2 + (float(params["y"]) + 2) ** 2  # type: ignore[arg-type]  # numbers


def mixed(params: Params) -> float:
    start = {"svc": 0.5, "forest": 0.0, None: 2.0}[params["kind"]]  # type: ignore[index]
    return start + abs(float(params.get("depth", 5)) - 4) + float(params["share"])  # type: ignore[arg-type]


def auto(space: Space, *, seed: int = 7, goal: Goal = Goal.MINIMIZE, window: int | None = 1) -> Sampler:
    return make_sampler("auto", "auto", space, seed=seed, goal=goal, window=window, options={})


def sweep(sampler: Sampler, judge: Callable[[Params], float | None], *, trials: int, window: int = 1) -> list[Params]:
    params: list[Params] = []
    for number in range(trials):
        if number >= window:
            tell(sampler, number - window, params[number - window], judge)
        params += sampler.ask(range(number, number + 1))
    return params


def tell(sampler: Sampler, number: int, params: Params, judge: Callable[[Params], float | None]) -> None:
    value = judge(params)
    result = Result(State.FAILED) if value is None else Result(State.COMPLETE, value)
    sampler.tell(Trial(number, params, seed=0), result)


def told(sampler: Sampler, params: list[Params], judge: Callable[[Params], float | None], first: int = 0) -> Sampler:
    for number, point in enumerate(params):
        tell(sampler, first + number, point, judge)
    return sampler


def test_it_starts_evenly_then_models_then_evolves_or_takes_tpe() -> None:
    assert stages(BOWL) == (Stage("sobol", 0), Stage("surrogate", 4), Stage("cmaes", SURROGATE_ENDS))
    assert stages(MIXED)[-1] == Stage("tpe", SURROGATE_ENDS)
    assert stages(Space((Parameter("x", Constant(1)),))) == (Stage("sobol", 0),)
    assert choice_text(MIXED) == "scrambled Sobol points, from trial 6 a Gaussian process, from trial 200 TPE"


def test_it_finds_the_bottom_of_a_bowl_in_fifteen_trials() -> None:
    best = [min(map(bowl, sweep(auto(BOWL, seed=seed), bowl, trials=15))) for seed in range(2)]
    assert min(best) < 0.01


def test_it_finds_the_good_branch_and_wastes_no_trial_on_a_point_twice() -> None:
    points = sweep(auto(MIXED), mixed, trials=20)
    assert all(point not in points[:number] for number, point in enumerate(points) if number >= stages(MIXED)[1].first)
    assert min(map(mixed, points)) < 0.2
    assert all(MIXED.contains(point) for point in points)


def test_what_is_open_is_kept_away_from() -> None:
    sampler = auto(BOWL, window=4)
    points = sweep(sampler, bowl, trials=16, window=4)
    apart = [math.dist((a["x"], a["y"]), (b["x"], b["y"])) for a in points[-4:] for b in points[-4:] if a is not b]  # type: ignore[arg-type]
    assert min(apart) > 1e-3


@pytest.mark.parametrize("window", [1, 3])
def test_a_resumed_search_goes_on_as_the_one_that_was_not_interrupted(window: int) -> None:
    whole = sweep(auto(MIXED, window=window), mixed, trials=11, window=window)
    for number in (4, 8, 10):
        fresh = told(auto(MIXED, window=window), whole[: max(0, number - window + 1)], mixed)
        assert list(fresh.ask(range(number, number + 1))) == [whole[number]]


@pytest.mark.parametrize(("window", "asks"), [(1, 1), (2, 15)])
def test_earlier_asks_are_worked_out_again_only_where_trials_are_open(
    window: int, asks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[Seen] = []
    monkeypatch.setattr(surrogate_sampler, "proposed", lambda _, seen, *__: counted.append(seen) or np.zeros(2))
    sampler = told(auto(BOWL, window=window), sweep(RandomSampler(BOWL, seed=1), bowl, trials=19 - window), bowl)
    sampler.ask(range(18, 19))
    assert len(counted) == asks


def test_a_trial_that_was_drawn_again_changes_no_later_trial_after_a_resume() -> None:
    window, sampler = 3, auto(BOWL, window=3)
    points: list[Params] = []
    for number in range(11):
        if number >= window:
            tell(sampler, number - window, points[number - window], bowl)
        asked = sampler.ask(range(number, number + 1))[0]
        again = sampler.redraw(number, 1) if number in (5, 8) else None
        assert again != asked
        points.append(again or asked)
    fresh = told(auto(BOWL, window=window), points[:8], bowl)
    assert list(fresh.ask(range(10, 11))) == [points[10]]


def test_points_that_are_turned_down_are_left_behind() -> None:
    sampler = auto(BOWL)
    sweep(sampler, bowl, trials=13)
    drawn = [sampler.redraw(12, attempt) for attempt in range(6)]
    assert drawn[0] == sampler.ask(range(12, 13))[0]
    apart = [math.dist((a["x"], a["y"]), (b["x"], b["y"])) for a in drawn for b in drawn if a is not b]  # type: ignore[arg-type, index]
    assert min(apart) > 0.01
    assert max(apart) > 0.5
    assert all(BOWL.contains(sampler.redraw(12, attempt) or {}) for attempt in (50, 100_001, 123_456_789))


def test_a_pruned_trial_counts_as_what_it_reported_but_as_no_better_than_the_median() -> None:
    def next_after(*curves: dict[int, float]) -> Params:
        sampler = told(auto(BOWL), sweep(RandomSampler(BOWL, seed=1), bowl, trials=8), bowl)
        for number, curve in enumerate(curves, start=8):
            sampler.tell(Trial(number, {"x": 4.0 - number / 10, "y": 4.0}, seed=0), Result(State.PRUNED, curve=curve))
        return sampler.ask(range(10, 11))[0]

    assert next_after({1: -50.0}, {2: -60.0}) == next_after({1: 0.0}, {1: -1.0})
    assert next_after({1: 70.0}, {}) != next_after({1: 30.0}, {})
    assert next_after({1: math.nan}, {}) == next_after({}, {})


def test_maximizing_mirrors_minimizing() -> None:
    mirrored = sweep(auto(BOWL, goal=Goal.MAXIMIZE), lambda params: -bowl(params), trials=9)
    assert mirrored == sweep(auto(BOWL), bowl, trials=9)


def test_where_trials_fail_it_goes_elsewhere() -> None:
    def half(params: Params) -> float | None:
        return None if float(params["x"]) > 0 else bowl(params)  # type: ignore[arg-type]

    late = sweep(auto(BOWL), half, trials=24)[12:]
    assert sum(half(point) is None for point in late) <= 4


def test_all_failing_and_all_equal_trials_are_searched_on() -> None:
    for value in (None, 1.0):
        points = sweep(auto(MIXED), lambda _, value=value: value, trials=12)  # type: ignore[misc]
        assert all(MIXED.contains(point) for point in points)


@pytest.mark.parametrize("huge", [1e308, -1e308, 1e-320])
def test_values_of_any_size_are_searched(huge: float) -> None:
    points = sweep(auto(BOWL), lambda params: huge if float(params["x"]) > 0 else 0.0, trials=9)  # type: ignore[arg-type]
    assert all(BOWL.contains(point) for point in points)


def test_earlier_sweeps_take_the_place_of_the_quasi_random_start() -> None:
    earlier = sweep(RandomSampler(BOWL, seed=1), bowl, trials=12)
    first = told(auto(BOWL), earlier, bowl, first=-12).ask(range(1))[0]
    assert first not in list(auto(BOWL).ask(range(4)))


@pytest.mark.parametrize(("space", "judge"), [(BOWL, bowl), (MIXED, mixed)])
def test_beyond_the_surrogate_another_engine_goes_on_from_all_that_was_told(
    space: Space, judge: Callable[[Params], float]
) -> None:
    history = sweep(RandomSampler(space, seed=1), judge, trials=SURROGATE_ENDS)
    sampler = told(auto(space, window=3), history[:-2], judge)
    asked = list(sampler.ask(range(SURROGATE_ENDS, SURROGATE_ENDS + 1)))
    again = told(auto(space, window=3), history[:-2], judge).ask(range(SURROGATE_ENDS, SURROGATE_ENDS + 1))
    assert asked == list(again)
    assert judge(asked[0]) < sorted(map(judge, history))[SURROGATE_ENDS // 4]
    assert space.contains(sampler.redraw(SURROGATE_ENDS, 1) or {})


def test_evolution_gets_better_by_generations() -> None:
    history = sweep(RandomSampler(BOWL, seed=1), bowl, trials=SURROGATE_ENDS)
    sampler, points = told(auto(BOWL), history[:-1], bowl), history[-1:]
    for number in range(SURROGATE_ENDS, SURROGATE_ENDS + 60):
        tell(sampler, number - 1, points[-1], bowl)
        points += sampler.ask(range(number, number + 1))
    assert min(map(bowl, points)) < 1e-3 < min(map(bowl, history))


@pytest.mark.parametrize("window", [1, 4])
def test_evolution_told_its_history_goes_on_as_the_one_that_ran(window: int) -> None:
    def made() -> EvolutionSampler:
        return EvolutionSampler(BOWL, seed=1, goal=Goal.MINIMIZE, window=window, first=10)

    points = sweep(RandomSampler(BOWL, seed=1), bowl, trials=10)
    running = told(made(), points[: 11 - window], bowl)
    for number in range(10, 60):
        if number > 10:
            tell(running, number - window, points[number - window], bowl)
        points += running.ask(range(number, number + 1))
        if number % 7 == 0:
            fresh = told(made(), points[: number + 1 - window], bowl)
            assert fresh.ask(range(number, number + 1)) == points[number:]
            assert fresh.redraw(number, 1) == running.redraw(number, 1)


@pytest.mark.parametrize("space", [BOWL, MIXED])
def test_late_trials_are_not_remembered_one_by_one(space: Space) -> None:
    sampler, points = auto(space, window=4), RandomSampler(space, seed=1)
    sizes = []
    tracemalloc.start()
    try:
        for number in range(901):
            tell(sampler, number, points.ask(range(number, number + 1))[0], lambda _, n=number: 37.0 * n % 97)
            if number in (600, 900):
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[1] - sizes[0] < 200 * 300  # bytes; a trial and its result alone take 600


def test_auto_has_no_options() -> None:
    with pytest.raises(EngineError, match="sampler auto: unknown option 'x'"):
        make_sampler("auto", "auto", BOWL, seed=0, goal=Goal.MINIMIZE, window=1, options={"x": 1})


def test_draws_and_points_stand_for_the_same_params() -> None:
    encoding = Encoding(MIXED)
    draws = np.random.default_rng(0).random((200, encoding.width))
    for draw, point in zip(draws, encoding.points(draws), strict=True):
        params = encoding.params(draw)
        assert np.allclose(encoding.point(params), point)
        back = encoding.draws(point[None], np.full((1, encoding.width), 0.999))[0]
        assert encoding.params(back).keys() == params.keys()


def test_a_point_with_inactive_parameters_is_one_point() -> None:
    encoding = Encoding(MIXED)
    draws = np.random.default_rng(0).random((20, encoding.width))
    draws[:, [p.name for p in encoding.searched].index("kind")] = 0.99  # None: neither c nor depth
    points = encoding.points(draws)
    assert len(np.unique(points[:, :-1], axis=0)) == 1


def test_choices_that_differ_are_one_apart_and_numbers_squared() -> None:
    left, right = np.array([[0.0, 0.2]]), np.array([[2.0, 0.5], [0.0, 0.2]])
    assert np.allclose(distances(left, right, [True, False])[:, 0], [[1, 0], [0.09, 0]])


def test_the_process_goes_through_what_it_saw_and_doubts_what_it_did_not() -> None:
    points = np.linspace(0, 1, 12)[:, None]
    values = np.sin(6 * points[:, 0])
    values = (values - values.mean()) / values.std()
    process = fitted(points[::2], values[::2], np.array([False]))
    mean, deviation = process.predict(points)
    assert np.allclose(mean[::2], values[::2], atol=0.02)
    assert deviation[1::2].min() > deviation[::2].max()
    assert np.allclose(process.believing(points[1:2]).predict(points[1:2])[0], mean[1:2], atol=1e-3)


def test_expected_improvement_keeps_its_order_where_it_underflows() -> None:
    means = np.array([-1.0, 0.0, 1.0, 50.0, 60.0, 1e6])
    found = log_improvement(means, np.ones(6), 0.0)
    assert np.isfinite(found).all()
    assert (np.diff(found) < 0).all()
    assert math.isclose(found[1], math.log(1 / math.sqrt(2 * math.pi)))


def test_every_second_trial_looks_elsewhere_where_there_is_no_progress() -> None:
    better = np.array([1.0, 0.5, 0.0, -0.5])
    stuck = np.array([1.0, -0.5, -0.5, -0.505, -0.4])
    assert [ambition(better, number) for number in range(6)] == [0] * 6
    assert [ambition(stuck, number) > 0 for number in range(6)] == [False, True] * 3


def test_every_fourth_trial_searches_another_value_of_a_choice_than_the_best_has() -> None:
    encoding = Encoding(MIXED)
    points = encoding.points(np.random.default_rng(0).random((9, encoding.width)))
    points[:, 0] = [0, 0, 0, 0, 0, 0, 1, 1, 1]
    levels = np.arange(9.0)
    branches = [turn(encoding, points, levels, number) for number in range(2 * EVERY)]
    assert [bool(branch) for branch in branches] == ([False] * (EVERY - 1) + [True]) * 2
    assert branches[-1] == Branch(0, 2, None)
    points[8, 0] = 2
    behind = turn(encoding, points, levels, EVERY - 1)
    assert behind is not None
    assert behind.value == 1
    assert np.array_equal(behind.centre, points[6])  # type: ignore[arg-type]
    assert turn(Encoding(BOWL), points[:, :2], levels, EVERY - 1) is None


def test_the_search_of_a_branch_stays_in_it_and_near_its_best() -> None:
    encoding, rng = Encoding(MIXED), np.random.default_rng(0)
    points = encoding.points(rng.random((30, encoding.width)))
    centre = points[points[:, 0] == 1][0]
    branch = Branch(0, 1.0, centre)

    def corner(candidates: np.ndarray) -> np.ndarray:
        score: np.ndarray = np.abs(candidates - centre).sum(1) - branch.penalty(encoding, candidates)
        return score

    found = encoding.points(most_promising(encoding, corner, points[:5], points, rng, branch)[None])
    assert branch.holds(found).all()
    assert np.abs(found - centre)[:, ~encoding.is_choice].max() <= REACH


def test_a_look_elsewhere_takes_no_point_twice_while_there_are_others() -> None:
    space = Space((Parameter("a", Choice((1, 2, 3))), Parameter("b", IntRange(1, 3))))
    points = sweep(auto(space), lambda params: float(params["a"] == 2), trials=9)
    assert all(point not in points[:number] for number, point in enumerate(points) if number >= stages(space)[1].first)
    encoding, rng = Encoding(space), np.random.default_rng(0)
    every = encoding.points(rng.random((200, 2)))
    assert is_taken(encoding, best_of_few(encoding, lambda draws: draws[:, 0], every, rng), every)
    assert not is_taken(encoding, best_of_few(encoding, lambda draws: draws[:, 0], every[:1], rng), every[:1])


def plateau(params: Params) -> float:
    """The wide kind is soon as good as it gets; the other is better, in a small part."""
    x = float(params["x"])  # type: ignore[arg-type]
    return 1.0 if params["kind"] == "wide" and x > 0 else 5.0 if params["kind"] == "wide" else 4 * abs(x - 2)


def test_a_plateau_of_one_choice_does_not_hide_what_is_better_in_another() -> None:
    space = Space((Parameter("kind", Choice(("wide", "deep"))), Parameter("x", FloatRange(-5, 5))))
    assert all(min(map(plateau, sweep(auto(space, seed=seed), plateau, trials=25))) < 0.5 for seed in range(2))


def test_levels_keep_the_order_draw_in_what_is_far_off_and_put_failures_last() -> None:
    values = np.array([0.0, 1.0, 2.0, 3.0, 1e30, np.nan, 4.0, -0.5])
    levels = levelled(values)
    known = np.argsort(values[[0, 1, 2, 3, 6, 7]])
    assert (np.diff(levels[[0, 1, 2, 3, 6, 7]][known]) > 0).all()
    assert levels[5] == levels[4] == levels.max() < 4
