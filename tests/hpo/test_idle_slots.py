"""A sweep whose slots wait for the window says so."""

import threading

import pytest
from sweep_bench import Bench

from hpo import idle_slots
from hpo.budget import Budget
from hpo.idle_slots import IdleSlots
from hpo.objective import TrialContext
from hpo.plan import Plan
from hpo.progress import Progress
from hpo.samplers.names import make_sampler
from hpo.space import FloatRange, Parameter, Params, Space
from hpo.trial import Goal, Outcome, Trial
from hpo.watcher import Silence

SPACE = Space((Parameter("x", FloatRange(0.0, 1.0)),))


def plan(*, learns: bool = True, window: int | None = 16) -> Plan:
    return Plan("loss", Goal.MINIMIZE, 7, window, Budget(100), learns=learns)


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def advice(idle: int, seconds: float, **of: object) -> str:
    clock = Time()
    slots = IdleSlots(clock)
    slots.note(idle=0, slots=8)
    clock.now = seconds
    slots.note(idle=idle, slots=8)
    clock.now = 2 * seconds
    slots.note(idle=0, slots=8)
    return slots.advice(plan(**of))  # type: ignore[arg-type]


def test_the_share_of_the_time_and_a_larger_window_are_named() -> None:
    assert advice(4, 100.0) == (
        "25 % of the slots' time went by waiting for parallel.window (16): a larger one, such as 64, keeps them "
        "busier; it draws other trials, so it is another sweep"
    )
    assert advice(4, 100.0, learns=False).endswith("; it changes no trial")


@pytest.mark.parametrize(("idle", "seconds"), [(0, 100.0), (2, 100.0), (8, 1.0)])
def test_a_small_share_or_a_few_seconds_are_not_worth_a_word(idle: int, seconds: float) -> None:
    assert advice(idle, seconds) == ""


class First:
    """A watcher that lets trial 0 end once trial 1 is on record."""

    def __init__(self) -> None:
        self.has_ended = threading.Event()

    def objective(self, params: Params, trial: TrialContext) -> float:
        if trial.number == 0:
            assert self.has_ended.wait(30)
        return 0.0


class Release(Silence):
    def __init__(self, first: First) -> None:
        self._first = first

    def trial_ended(self, trial: Trial, outcome: Outcome, progress: Progress) -> None:
        if trial.number == 1:
            self._first.has_ended.set()


@pytest.mark.parametrize(("window", "is_told"), [(2, True), (4, False)])
def test_a_sweep_tells_it_at_its_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, window: int, is_told: bool
) -> None:
    monkeypatch.setattr(idle_slots, "SECONDS", 0.0)
    monkeypatch.setattr(idle_slots, "WORTH_TELLING", 1e-9)
    first = First()
    settings = Plan("loss", Goal.MINIMIZE, 7, window, Budget(4))
    sampler = make_sampler("optuna", "tpe", SPACE, seed=7, goal=settings.goal, window=window, options={})
    bench.drive(settings, sampler, first.objective, backend="threading", slots=2, watcher=Release(first))
    assert any("waiting for parallel.window (2)" in record.message for record in caplog.records) == is_told
