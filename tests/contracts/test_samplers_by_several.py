"""What every sampler promises for several metrics: the same trials always, or a clear refusal."""

import re
from collections.abc import Callable, Mapping, Sequence
from random import Random

import pytest

from hpo.errors import EngineError
from hpo.front import front
from hpo.sampler import Sampler
from hpo.samplers.names import FOR_SEVERAL, SAMPLERS, make_sampler
from hpo.space import Choice, FloatRange, IntRange, Parameter, Params, Space
from hpo.trial import Goal, Result, State, Trial

TRIALS = 20
WINDOW = 4
GOALS = (Goal.MAXIMIZE, Goal.MINIMIZE)
STEPPED = Space((Parameter("x", FloatRange(0, 1, step=0.25)), Parameter("y", IntRange(0, 4))))
MIXED = Space(
    (
        Parameter("x", FloatRange(0, 1)),
        Parameter("y", FloatRange(1e-3, 1, log=True)),
        Parameter("kind", Choice(("plain", "deep"))),
        Parameter("depth", IntRange(1, 8), when={"kind": ("deep",)}),
    )
)
OPTIONS: Mapping[str, Mapping[str, object]] = {"tpe": {"n_startup_trials": 5}, "nsga2": {"population_size": 4}}
SERVED = list(FOR_SEVERAL)
REFUSED = [key for key in SAMPLERS if key not in FOR_SEVERAL]


def make(
    engine: str, name: str, *, seed: int = 3, goals: Sequence[Goal] = GOALS, window: int | None = WINDOW
) -> Sampler:
    space = STEPPED if name == "grid" else MIXED
    options = OPTIONS.get(name, {})
    return make_sampler(engine, name, space, seed=seed, goal=goals[0], others=goals[1:], window=window, options=options)


def value(params: Params, name: str) -> float:
    found = params.get(name, 0)
    return float(found) if isinstance(found, int | float) else 0.0


def both(params: Params) -> tuple[float, float]:
    x, y = value(params, "x"), value(params, "y")
    return -((x - 0.2) ** 2) - y / 10, (x - 0.8) ** 2 + y / 10 + value(params, "depth") / 100


def judged(number: int, params: Params, values: Callable[[Params], tuple[float, float]] = both) -> Result:
    if number % 7 == 3:
        return Result(State.FAILED)
    return Result(State.COMPLETE, values(params)[0], values=values(params))


def tell(sampler: Sampler, number: int, params: Params) -> None:
    sampler.tell(Trial(number, params, seed=0), judged(number, params))


def sweep(sampler: Sampler, trials: int = TRIALS) -> list[Params]:
    """The params of a sweep under the rolling window."""
    params: list[Params] = []
    while len(params) < trials:
        if len(params) >= WINDOW:
            tell(sampler, len(params) - WINDOW, params[-WINDOW])
        params += sampler.ask(range(len(params), len(params) + 1))
    return params


@pytest.mark.parametrize(("engine", "name"), SERVED)
def test_a_fresh_instance_told_the_history_goes_on_as_the_old_one(engine: str, name: str) -> None:
    whole = sweep(make(engine, name))
    assert sweep(make(engine, name)) == whole
    for number in range(0, TRIALS, 3):
        fresh = make(engine, name)
        for told in range(number - WINDOW + 1):
            tell(fresh, told, whole[told])
        assert list(fresh.ask(range(number, number + 1))) == [whole[number]]


@pytest.mark.parametrize(("engine", "name"), SERVED)
def test_asking_ahead_of_what_is_told_changes_nothing(engine: str, name: str) -> None:
    """Numbers of one window are asked in any order, as slots become free."""
    whole = sweep(make(engine, name))
    for number in (5, 10, 15):
        fresh = make(engine, name)
        for told in range(number):
            tell(fresh, told, whole[told])
        order = list(range(number, number + WINDOW))
        Random(number).shuffle(order)
        shuffled = {other: fresh.ask(range(other, other + 1))[0] for other in order}
        straight = make(engine, name)
        for told in range(number):
            tell(straight, told, whole[told])
        assert [shuffled[other] for other in sorted(order)] == list(straight.ask(range(number, number + WINDOW)))


@pytest.mark.parametrize(("engine", "name"), SERVED)
def test_goals_mirror_each_other(engine: str, name: str) -> None:
    def mirrored(params: Params) -> tuple[float, float]:
        first, second = both(params)
        return -first, -second

    plain = sweep(make(engine, name))
    sampler = make(engine, name, goals=(Goal.MINIMIZE, Goal.MAXIMIZE))
    turned: list[Params] = []
    while len(turned) < TRIALS:
        if (told := len(turned) - WINDOW) >= 0:
            sampler.tell(Trial(told, turned[told], seed=0), judged(told, turned[told], mirrored))
        turned += sampler.ask(range(len(turned), len(turned) + 1))
    assert turned == plain


@pytest.mark.parametrize("name", ["tpe", "nsga2"])
def test_what_learns_depends_on_every_metric(name: str) -> None:
    told = sweep(make("optuna", name))
    asked = []
    for other in (both, lambda params: (both(params)[0], value(params, "y"))):
        sampler = make("optuna", name)
        for number, params in enumerate(told):
            sampler.tell(Trial(number, params, seed=0), judged(number, params, other))
        asked.append(list(sampler.ask(range(TRIALS, TRIALS + WINDOW))))
    assert asked[0] != asked[1]


@pytest.mark.parametrize("name", ["tpe", "nsga2"])
def test_what_learns_finds_more_of_the_front_than_chance(name: str) -> None:
    chance = [both(params) for params in sweep(make("optuna", "random"), 80)]
    points = [both(params) for params in sweep(make("optuna", name), 80)]
    everybody = [*points, *chance]
    mine = sum(everybody[position] not in chance for position in front(everybody, GOALS))
    assert mine > len(front(everybody, GOALS)) / 2


@pytest.mark.parametrize(("engine", "name"), REFUSED)
def test_one_that_cannot_says_so_and_who_can(engine: str, name: str) -> None:
    with pytest.raises(EngineError, match=re.escape(f"{engine}'s {name} searches by one metric")) as refused:
        make(engine, name)
    assert "tpe" in str(refused.value)
    assert "nsga2" in str(refused.value)


def test_everyone_is_served_or_refused() -> None:
    assert set(FOR_SEVERAL) <= set(SAMPLERS)
    assert ("optuna", "cmaes") in REFUSED
    assert {key for key in SAMPLERS if key[0] == "hyperopt"} - set(REFUSED) == {
        ("hyperopt", "random"),
        ("hyperopt", "grid"),
    }


def test_a_generation_is_bred_from_the_last_one() -> None:
    """With nothing but crossing (no mutation, no new draws), later values are values of the first generation."""
    space = Space(tuple(Parameter(name, IntRange(0, 10_000)) for name in "abcd"))
    options = {"population_size": 4, "mutation_prob": 0.0}
    sampler = make_sampler(
        "optuna", "nsga2", space, seed=1, goal=Goal.MINIMIZE, others=[Goal.MAXIMIZE], window=1, options=options
    )
    told: list[Params] = []
    for number in range(16):
        told += sampler.ask(range(number, number + 1))
        values = (value(told[-1], "a"), value(told[-1], "b") - value(told[-1], "c"))
        sampler.tell(Trial(number, told[-1], seed=0), Result(State.COMPLETE, values[0], values=values))
    for name in "abcd":
        assert {params[name] for params in told[4:]} <= {params[name] for params in told[:4]}
