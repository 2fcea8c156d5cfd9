"""A result that comes when its attempt is not the one that counts any more is refused, and the sweep carries on."""

import logging
from collections.abc import Sequence

import pytest

from hpo.budget import Budget, Stop
from hpo.executor import Answer, Executor, go_on
from hpo.interruption import Interruption
from hpo.kept_models import KeptModels
from hpo.plan import Plan
from hpo.samplers.names import make_sampler
from hpo.space import FloatRange, Parameter, Space
from hpo.sweep import Sweep
from hpo.sweep_records import SweepRecords
from hpo.trial import Goal, Outcome, State, Trial
from hpo.watcher import Silence
from trackers.memory_tracker import MemoryTracker
from trackers.records import Query, RunStarted, SweepFacts, TrialFacts

PARENT, TRIAL = "f" * 32, "0" * 32


class Echo:
    """Runs nothing: with each result it hands out what an older attempt made of the same trial, and of another."""

    slots = 1

    def __init__(self) -> None:
        self._submitted: list[Trial] = []

    def submit(self, trial: Trial) -> None:
        self._submitted.append(trial)

    def wait(self, timeout: float | None, answer: Answer = go_on) -> Sequence[Outcome]:
        ended = [Outcome(trial.number, trial.attempt, State.COMPLETE, {"loss": 2.0}) for trial in self._submitted]
        late = [Outcome(trial.number, trial.attempt - 1, State.COMPLETE, {"loss": 1.0}) for trial in self._submitted]
        self._submitted.clear()
        return [*late, *ended, Outcome(77, 1, State.COMPLETE, {"loss": 0.0})]

    def cancel(self, trial: Trial) -> None:
        """Nothing runs."""

    def close(self) -> None:
        """Nothing is held."""


_: type[Executor] = Echo


def test_a_late_result_of_an_older_attempt_is_refused_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """F16: within one driver."""
    tracker = MemoryTracker()
    tracker.experiment("late")
    facts = SweepFacts("{}", "hash", "loss", "minimize", 1, 1)
    tracker.record(
        [
            RunStarted(PARENT, "late", "late", 1, sweep=facts),
            RunStarted(TRIAL, "trial-0", "late", 2, PARENT, trial=TrialFacts(0, {"x": 0.5})),
        ]
    )
    space = Space((Parameter("x", FloatRange(0.0, 1.0)),))
    sweep = Sweep(
        Plan("loss", Goal.MINIMIZE, 7, 1, Budget(1)),
        sampler=make_sampler("optuna", "random", space, seed=7, goal=Goal.MINIMIZE, window=1, options={}),
        executor=Echo(),
        tracker=tracker,
        records=SweepRecords(PARENT, "late", "loss", "mem", "me", lambda: 1000, lambda: TRIAL),
        models=KeptModels(1, Goal.MINIMIZE, lambda uri, path: None),
        interruption=Interruption(),
    )
    sweep.take_up(tracker.find(Query(parent=PARENT)), 0.0)
    with caplog.at_level(logging.WARNING):
        assert sweep.run(Silence()) is Stop.N_TRIALS
    [run] = tracker.find(Query(parent=PARENT))
    assert run.trial is not None
    assert (run.trial.attempt, run.trial.value) == (2, 2.0)
    assert caplog.messages == [
        "trial 0: a late result of attempt 1 was refused",
        "trial 77: a late result of attempt 1 was refused",
    ]
