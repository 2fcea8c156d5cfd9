"""Which trials run once more: one count over workers and drivers, kept in the store."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from hpo.budget import Budget, Stop
from hpo.executor import Answer, Executor, go_on
from hpo.interruption import Interruption
from hpo.kept_models import KeptModels
from hpo.losses import LossCount, Losses
from hpo.plan import Plan
from hpo.reclaim import reclaimed, retry_marks, to_run_again
from hpo.samplers.names import make_sampler
from hpo.space import FloatRange, Parameter, Space
from hpo.sweep import Sweep
from hpo.sweep_records import SweepRecords
from hpo.trial import Goal, Outcome, State, Trial
from hpo.watcher import Silence
from trackers.memory_tracker import MemoryTracker
from trackers.records import Query, Run, RunStarted, SweepFacts, TrialFacts

PARENT, TRIAL = "f" * 32, "0" * 32


def lost(number: int, reason: str) -> Outcome:
    return Outcome(number, 1, State.FAILED, reason=reason)


class Losing:
    """Loses the worker of every attempt, for these reasons; after that trials end well."""

    slots = 1

    def __init__(self, reasons: Iterator[str]) -> None:
        self._reasons = reasons
        self._submitted: list[Trial] = []
        self.places: list[str] = []

    def submit(self, trial: Trial) -> None:
        self._submitted.append(trial)
        self.places.append(trial.artifact_uri)

    def wait(self, timeout: float | None, answer: Answer = go_on) -> Sequence[Outcome]:
        ended = []
        for trial in self._submitted:
            reason = next(self._reasons, "")
            end = Outcome(trial.number, trial.attempt, State.COMPLETE, {"loss": 2.0})
            ended.append(replace(end, state=State.FAILED, metrics={}, reason=reason) if reason else end)
        self._submitted.clear()
        return ended

    def cancel(self, trial: Trial) -> None:
        """Nothing runs."""

    def close(self) -> None:
        """Nothing is held."""


_: type[Executor] = Losing


class Place:
    """A store with one trial that is RUNNING, as a driver leaves it that dies."""

    def __init__(self) -> None:
        self.tracker = MemoryTracker()
        self.tracker.experiment("losses")
        facts = SweepFacts("{}", "hash", "loss", "minimize", 1, 1)
        self.tracker.record([RunStarted(PARENT, "losses", "losses", 1, sweep=facts)])
        self.start(1)

    def start(self, attempt: int) -> None:
        facts = TrialFacts(0, {"x": 0.5}, attempt=attempt)
        self.tracker.record([RunStarted(TRIAL, "trial-0", "losses", 2, PARENT, trial=facts)])

    @property
    def trial(self) -> Run:
        return self.tracker.get(TRIAL)

    @property
    def end(self) -> tuple[str, str, int]:
        facts = self.trial.trial
        assert facts is not None
        return str(facts.state), facts.reason, facts.attempt

    def driver_dies(self) -> None:
        self.tracker.record(reclaimed([self.trial], 3, is_lost=True))

    def drive(self, *reasons: str) -> Stop:
        space = Space((Parameter("x", FloatRange(0.0, 1.0)),))
        executor = Losing(iter(reasons))
        sweep = Sweep(
            Plan("loss", Goal.MINIMIZE, 7, 1, Budget(1, max_failures=1)),
            sampler=make_sampler("optuna", "random", space, seed=7, goal=Goal.MINIMIZE, window=1, options={}),
            executor=executor,
            tracker=self.tracker,
            records=SweepRecords(PARENT, "losses", "loss", "mem", "me", lambda: 1000, lambda: TRIAL),
            models=KeptModels(1, Goal.MINIMIZE, lambda uri, path: None),
            interruption=Interruption(),
        )
        sweep.take_up(to_run_again(self.tracker.find(Query(parent=PARENT))), 0.0)
        stop = sweep.run(Silence())
        assert executor.places[-1:] == [self.trial.artifact_uri]  # files go where the store says
        return stop


@pytest.mark.parametrize(
    ("reason", "times"),
    [("lost", 3), ("signal:9", 1), ("signal:11", 0), ("oom", 0), ("timeout", 0), ("exception", 0), ("", 0)],
)
def test_a_trial_runs_again_as_often_as_its_reason_allows(reason: str, times: int) -> None:
    count = LossCount()
    losses = [count.count(lost(4, reason)) for _ in range(5)]

    assert [each is not None and each.run_again for each in losses] == [True] * times + [False] * (5 - times)


def test_each_trial_is_counted_for_itself() -> None:
    count = LossCount()

    assert [(losses := count.count(lost(n, "signal:9"))) and losses.run_again for n in (1, 2, 1)] == [True, True, False]


def test_the_count_survives_in_the_tags_of_the_run() -> None:
    assert Losses.of(Losses(3, 1).tags) == Losses(3, 1)
    assert Losses.of({"hpo.lost": "many"}) == Losses()


@pytest.mark.parametrize("by_drivers", [0, 1, 2, 3])
def test_four_losses_in_any_mix_of_drivers_and_workers_are_too_many(by_drivers: int) -> None:
    """F1, F5: three are not, so the trial runs four times in all, whoever died."""
    place = Place()
    for attempt in range(1, by_drivers + 1):
        place.driver_dies()
        assert place.end[0] == "WAITING"
        place.start(attempt + 1)
    place.driver_dies() if by_drivers == 3 else place.drive(*["lost"] * (4 - by_drivers))
    # a sweep that takes up a RUNNING trial runs it as the next attempt
    assert place.end == ("FAILED", "lost", 4 if by_drivers == 3 else 5)
    assert place.trial.tags["hpo.lost"] == "4"
    assert place.trial.trial is not None
    assert "died 4 times" in place.trial.trial.error


@pytest.mark.parametrize("by_drivers", [0, 1, 2])
def test_three_losses_in_any_mix_are_no_failure(by_drivers: int) -> None:
    place = Place()
    for attempt in range(1, by_drivers + 1):
        place.driver_dies()
        place.start(attempt + 1)
    assert place.drive(*["lost"] * (3 - by_drivers)) is Stop.N_TRIALS
    assert place.end[0] == "COMPLETE"
    assert place.trial.tags["hpo.lost"] == "3"


def test_a_second_sigkill_is_the_trials_own_doing_also_after_a_resume() -> None:
    place = Place()
    place.drive("signal:9", "exception")
    assert place.trial.tags["hpo.killed"] == "1"
    place.start(9)
    assert place.drive("signal:9") is Stop.FAILURES
    assert place.end == ("FAILED", "signal:9", 10)


def test_a_trial_lost_for_good_is_no_failure_of_the_params_and_a_wish_to_retry_begins_the_count_anew() -> None:
    place = Place()
    assert place.drive(*["lost"] * 4) is Stop.N_TRIALS  # not max_failures
    place.tracker.record(retry_marks([place.trial]))
    assert place.drive(*["lost"] * 3) is Stop.N_TRIALS
    assert place.end[0] == "COMPLETE"
    assert place.trial.tags["hpo.lost"] == "3"
