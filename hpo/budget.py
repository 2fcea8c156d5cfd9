"""When a sweep stops asking: the budget's rules, judged in number order on the trials that were told."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from hpo.front import FrontSoFar
from hpo.trial import Goal, Result, State, Trial

LOST = "lost"
"""The reason of a trial that failed because who ran it was gone: no failure of its params, so not counted as one."""


class Stop(StrEnum):
    """Why a sweep asked for no more trials."""

    N_TRIALS = "n_trials"
    TIMEOUT = "timeout"
    PATIENCE = "patience"
    TARGET = "target"
    FAILURES = "max_failures"
    EXHAUSTED = "exhausted"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Budget:
    """The limits of a sweep; None means no limit. `timeout` is in seconds, over all its drivers."""

    n_trials: int
    timeout: float | None = None
    max_failures: int | None = None
    patience: int | None = None
    target: float | None = None


class Judge:
    """Follows the trials told and says when the budget is used up.

    Judged on told trials only, so the same trials end a sweep for any number of workers and any timing; the clock
    of `timeout` is the one exception. `others` are the goals of the metrics after the first; with them patience ends
    with a trial that makes the front reach farther. Trials that violate constraints are never the best, nor of the
    front.
    """

    def __init__(self, budget: Budget, goal: Goal, others: Sequence[Goal] = ()) -> None:
        self._budget = budget
        self._goal = goal
        self._best: float | None = None
        self._front = FrontSoFar([goal, *others]) if others else None
        self._since_best = 0
        self._failures = 0

    def tell(self, trial: Trial, result: Result) -> None:
        """Takes in an ended trial."""
        self._since_best += result.state is not State.PRUNED  # it had no chance to be the best
        self._failures += result.state is State.FAILED and result.reason != LOST
        if not result.is_feasible:
            return
        if self._front is not None:
            if result.values and self._front.add(trial.number, result.values):
                self._since_best = 0
        elif result.value is not None and self._goal.better(result.value, self._best):
            self._best, self._since_best = result.value, 0

    def spare(self) -> int:
        """How many trials more must fail to end the sweep; 0 where one that does not may end it as well."""
        budget = self._budget
        if budget.target is not None or budget.patience is not None:
            return 0
        return sys.maxsize if budget.max_failures is None else max(budget.max_failures - self._failures, 0)

    def verdict(self, number: int, seconds: float) -> Stop | None:
        """Why trial `number` is not to be asked for, or None; `seconds` is the time used so far."""
        budget = self._budget
        if budget.max_failures is not None and self._failures >= budget.max_failures:
            return Stop.FAILURES
        if self._reached_target():
            return Stop.TARGET
        if number >= budget.n_trials:
            return Stop.N_TRIALS
        if budget.patience is not None and self._since_best >= budget.patience:
            return Stop.PATIENCE
        return Stop.TIMEOUT if self.is_late(seconds) else None

    def is_late(self, seconds: float) -> bool:
        """Whether the time is over; the one rule that looks at nothing else."""
        return self._budget.timeout is not None and seconds >= self._budget.timeout

    def _reached_target(self) -> bool:
        target = self._budget.target
        return target is not None and self._best is not None and not self._goal.better(target, self._best)
