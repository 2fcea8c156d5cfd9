"""tpe without optuna: the first points are optuna's own, and then it is optuna's."""

import gc
import weakref

import pytest

from hpo.errors import EngineError
from hpo.sampler import Sampler
from hpo.samplers import names
from hpo.samplers.late_tpe import STARTUP, LateTpe, drawn
from hpo.samplers.names import make_sampler
from hpo.samplers.optuna_sampler import OptunaSampler
from hpo.space import Choice, Constant, FloatRange, IntRange, Parameter, Space
from hpo.trial import Goal, Result, State, Trial

KIND = Parameter("kind", Choice(("svc", "forest", None)))
SPACE = Space(
    (
        Parameter("x", FloatRange(-5, 5)),
        Parameter("rate", FloatRange(1e-5, 1, log=True)),
        Parameter("share", FloatRange(0.1, 0.9, step=0.1)),
        Parameter("depth", IntRange(2, 16)),
        Parameter("batch", IntRange(16, 256, step=16)),
        Parameter("units", IntRange(1, 1000, log=True)),
        Parameter("few", IntRange(1, 2, log=True)),
        Parameter("mixed", Choice((True, 1, 1.0, "1", None))),
        Parameter("fixed", Constant("so")),
        Parameter("alone", Choice((0.5,))),
        KIND,
        Parameter("c", FloatRange(0.01, 100, log=True), when={"kind": ("svc",)}),
        Parameter("leaves", IntRange(2, 9), when={"kind": ("forest",)}),
    )
)


def optunas(seed: int) -> Sampler:
    return OptunaSampler(SPACE, kind="tpe", seed=seed, goal=Goal.MINIMIZE, window=4, options={})


def refuse() -> Sampler:
    raise AssertionError("nothing is learnt yet")


def tell(sampler: Sampler, number: int, result: Result) -> None:
    params = sampler.ask(range(number, number + 1))[0]
    sampler.tell(Trial(number, params, 0), result)


@pytest.mark.parametrize("seed", range(5))
def test_its_first_points_are_those_of_optunas_tpe(seed: int) -> None:
    late, real = LateTpe(SPACE, seed=seed, make=refuse), optunas(seed)
    assert repr(late.ask(range(40))) == repr(real.ask(range(40)))
    again = [(number, attempt) for number in range(5) for attempt in range(4)]
    assert [late.redraw(*each) for each in again] == [real.redraw(*each) for each in again]


def test_it_learns_as_optunas_tpe_does() -> None:
    late, real = LateTpe(SPACE, seed=3, make=lambda: optunas(3)), optunas(3)
    for number in range(STARTUP + 5):
        ends = State.FAILED if number == 1 else State.PRUNED if number == 2 else State.COMPLETE
        value = None if ends is State.FAILED else float(number)
        for sampler in (late, real):
            tell(sampler, number, Result(ends, value, curve={1: 0.5} if ends is State.PRUNED else {}))
        following = range(number + 1, number + 3)
        assert late.ask(following) == real.ask(following), number
        assert late.redraw(number + 1, 2) == real.redraw(number + 1, 2), number


def test_optuna_is_not_needed_as_long_as_too_few_trials_have_a_value() -> None:
    late = LateTpe(SPACE, seed=0, make=refuse)
    for number in range(2 * STARTUP):
        failed = number % 2 or number == 0
        tell(late, number, Result(State.FAILED, None) if failed else Result(State.COMPLETE, 1.0))
    late.ask(range(20, 21))


def test_failures_are_not_kept_and_change_no_point_of_a_search_by_two_metrics() -> None:
    def made() -> Sampler:
        return OptunaSampler(
            SPACE, kind="tpe", seed=5, goal=Goal.MINIMIZE, window=4, options={}, others=[Goal.MAXIMIZE]
        )

    late, real = LateTpe(SPACE, seed=5, make=made), made()
    failures = []
    for number in range(2 * STARTUP):
        params = late.ask(range(number, number + 1))[0]
        assert params == real.ask(range(number, number + 1))[0]
        trial = Trial(number, params, 0)
        values = (float(number % 7), float(number % 5))
        result = Result(State.FAILED, None) if number % 3 else Result(State.COMPLETE, values[0], values=values)
        late.tell(trial, result)
        real.tell(trial, result)
        if result.state is State.FAILED:
            failures.append(weakref.ref(trial))
        del trial
    gc.collect()
    assert failures
    assert [failure() for failure in failures] == [None] * len(failures)
    for number in range(2 * STARTUP, 2 * STARTUP + 6):
        params = late.ask(range(number, number + 1))[0]
        assert params == real.ask(range(number, number + 1))[0]
        values = (float(number % 7), float(number % 5))
        for sampler in (late, real):
            sampler.tell(Trial(number, params, 0), Result(State.COMPLETE, values[0], values=values))


def test_options_are_judged_at_once() -> None:
    with pytest.raises(EngineError):
        make_sampler("optuna", "tpe", SPACE, seed=0, goal=Goal.MINIMIZE, window=4, options={"n_ei_candidates": "many"})


def test_a_sweep_begins_without_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_optuna", lambda *given: refuse())
    sampler = make_sampler("optuna", "tpe", SPACE, seed=0, goal=Goal.MINIMIZE, window=4, options={})
    assert len(sampler.ask(range(3))) == 3


class Edge:
    """In place of a RandomState: draws the lowest number there is, or the highest, which rounding may give."""

    def __init__(self, share: float) -> None:
        self._share = share

    def uniform(self, low: float, high: float) -> float:
        return low + self._share * (high - low)


@pytest.mark.parametrize("share", [0.0, 1.0])
@pytest.mark.parametrize("name", ["x", "rate", "share", "depth", "batch", "units", "few"])
def test_what_is_drawn_at_the_edge_of_a_domain_is_within_it(name: str, share: float) -> None:
    (domain,) = (each.domain for each in SPACE.parameters if each.name == name)
    assert isinstance(domain, FloatRange | IntRange)
    value = drawn(domain, Edge(share))  # type: ignore[arg-type]  # all that is asked of it
    assert isinstance(value, float | int)
    assert domain.low <= value <= domain.high
    if domain.size is None and share:
        assert value < domain.high  # as optuna has it
