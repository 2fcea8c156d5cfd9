"""A sweep whose slots wait for the window says so."""

import threading
from itertools import groupby

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
    clock.now = 1000.0  # until there are slots, none waits
    slots.note(idle=0, slots=8)
    clock.now += 2 * seconds
    slots.note(idle=idle, slots=8)
    clock.now += seconds
    slots.note(idle=0, slots=8)
    return slots.advice(plan(**of))  # type: ignore[arg-type]


def test_the_share_of_the_time_is_named_and_what_costs_nothing_where_nobody_learns() -> None:
    assert advice(4, 100.0, learns=False) == (
        "17 % of the slots' time went by waiting for parallel.window (16): a larger one, such as 64, keeps them "
        "busier and changes no trial"
    )


def test_who_learns_is_advised_to_learn_sooner_not_later() -> None:
    assert advice(4, 100.0).endswith(
        ": window: free lets none wait and learns sooner, but such a sweep does not repeat trial for trial"
    )


@pytest.mark.parametrize(("idle", "seconds"), [(0, 100.0), (2, 100.0), (8, 1.0)])
def test_a_small_share_or_a_few_seconds_are_not_worth_a_word(idle: int, seconds: float) -> None:
    assert advice(idle, seconds) == ""


class Pairs:
    """Lets each even trial end once the odd one after it is on record."""

    def __init__(self) -> None:
        self.has_ended = [threading.Event(), threading.Event()]

    def objective(self, params: Params, trial: TrialContext) -> float:
        if trial.number % 2 == 0:
            assert self.has_ended[trial.number // 2].wait(30)
        return 0.0 if trial.number else -1.0


class Release(Silence):
    def __init__(self, pairs: Pairs) -> None:
        self._pairs = pairs

    def trial_ended(self, trial: Trial, outcome: Outcome, progress: Progress) -> None:
        if trial.number % 2:
            self._pairs.has_ended[trial.number // 2].set()


@pytest.mark.parametrize(("window", "target", "idle"), [(2, None, [0, 1, 0]), (4, None, [0]), (2, -1.0, [0, 1, 0])])
def test_a_sweep_notes_what_the_window_keeps_idle_and_tells_it_at_its_end(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    window: int,
    target: float | None,
    idle: list[int],
) -> None:
    """Not what is idle since there are no more trials: in the end trial 2 is alone for a while."""
    noted: list[tuple[int, int]] = []
    note = IdleSlots.note

    def noting(self: IdleSlots, *, idle: int, slots: int) -> None:
        noted.append((idle, slots))
        note(self, idle=idle, slots=slots)

    monkeypatch.setattr(IdleSlots, "note", noting)
    monkeypatch.setattr(idle_slots, "SECONDS", 0.0)
    monkeypatch.setattr(idle_slots, "WORTH_TELLING", 1e-9)
    pairs = Pairs()
    settings = Plan("loss", Goal.MINIMIZE, 7, window, Budget(4, target=target))
    sampler = make_sampler("optuna", "tpe", SPACE, seed=7, goal=settings.goal, window=window, options={})
    bench.drive(settings, sampler, pairs.objective, backend="threading", slots=2, watcher=Release(pairs))
    assert [each for each, _ in groupby(noted)] == [(each, 2) for each in idle]
    assert ("waiting for parallel.window (2)" in caplog.text) == (1 in idle)
