"""Runs trials that no sampler asked for in the slots of an executor: re-runs of finalists, scoring on test data."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from hpo.errors import BrokenOff
from hpo.executor import Executor
from hpo.interruption import Interruption
from hpo.losses import LossCount, Losses, lost_for_good
from hpo.sweep import TICK
from hpo.sweep_records import next_attempt
from hpo.trial import Outcome, Trial


class Job(Protocol):
    """What happens around trials that are carried out; their numbers tell them apart."""

    def is_wanted(self, trial: Trial) -> bool:
        """Whether the trial, whose turn it is, is to be run at all."""
        ...

    def started(self, trial: Trial) -> None:
        """It is about to start."""
        ...

    def ended(self, trial: Trial, outcome: Outcome) -> None:
        """It ended."""
        ...

    def put_back(self, trial: Trial, losses: Losses | None) -> None:
        """It was broken off; with `losses` it runs again at once, as its next attempt."""
        ...


def carry_out(
    executor: Executor, trials: Sequence[Trial], job: Job, interruption: Interruption, losses: LossCount | None = None
) -> None:
    """Runs them all; none keeps its models. One that lost its worker runs again.

    BrokenOff where the work is to end: what was open is put back, and nothing else is started.
    """
    _CarryingOut(executor, list(trials), job, interruption, losses or LossCount()).run()


class _CarryingOut:
    def __init__(
        self, executor: Executor, waiting: list[Trial], job: Job, interruption: Interruption, losses: LossCount
    ) -> None:
        self._executor = executor
        self._waiting = waiting
        self._job = job
        self._interruption = interruption
        self._losses = losses
        self._open: dict[int, Trial] = {}
        self._cut_off: list[Trial] = []

    def run(self) -> None:
        try:
            while self._waiting or self._open:
                self._fill_slots()
                if self._interruption.over or (self._interruption.asked and not self._open):
                    raise BrokenOff
                with self._interruption.waiting():
                    outcomes = self._executor.wait(TICK) if self._open else ()
                for outcome in outcomes:
                    self._take(outcome)
            if self._cut_off:
                raise BrokenOff
        except BaseException:
            self._executor.close()
            for trial in [*self._open.values(), *self._cut_off]:
                self._job.put_back(trial, None)
            raise

    def _fill_slots(self) -> None:
        while self._waiting and len(self._open) < self._executor.slots and not self._interruption.asked:
            trial = replace(self._waiting.pop(0), bar=math.nan)
            if self._job.is_wanted(trial):
                self._job.started(trial)
                self._open[trial.number] = trial
                self._executor.submit(trial)

    def _take(self, outcome: Outcome) -> None:
        trial = self._open.pop(outcome.number)
        if self._interruption.asked and outcome.reason.startswith("signal:"):
            self._cut_off.append(trial)  # the signal was for all of this program, and says nothing of the trial
            return
        losses = self._losses.count(outcome)
        if losses is not None and losses.run_again:
            self._job.put_back(trial, losses)
            self._waiting.insert(0, next_attempt(trial))
        else:
            self._job.ended(trial, lost_for_good(outcome, losses) if losses is not None else outcome)
