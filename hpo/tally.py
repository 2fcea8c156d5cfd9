"""What has come of a sweep so far: trials by state, the best one or the front."""

import time
from collections.abc import Callable, Mapping

from hpo.front import FrontSoFar
from hpo.plan import Plan
from hpo.progress import Progress
from hpo.trial import Result, State, Trial


class Tally:
    """Counts ended trials and the seconds used, and knows the best; order and timing of the trials change nothing."""

    def __init__(self, plan: Plan, clock: Callable[[], float] = time.monotonic) -> None:
        self._plan = plan
        self._clock = clock
        self._counts = dict.fromkeys(State, 0)
        self._best: tuple[float, int] | None = None
        self._front = FrontSoFar(tuple(plan.goals.values())) if plan.others else None
        self._used = 0.0
        self._began = clock()

    def go_on_from(self, seconds: float) -> None:
        """Earlier drivers have used that many seconds."""
        self._used = seconds

    def begin(self) -> None:
        """The clock runs from now on."""
        self._began = self._clock()

    def end(self, trial: Trial, result: Result) -> bool:
        """Takes in an ended trial; whether it is the best so far (of equals the lowest number)."""
        value = result.value
        self._counts[result.state] += 1
        if value is None or not result.is_feasible:
            return False
        if self._front is not None:  # which has no best trial
            self._front.add(trial.number, result.values)
            return False
        best, number = self._best if self._best else (None, -1)
        if self._plan.goal.better(value, best) or (value == best and trial.number < number):
            self._best = (value, trial.number)
            return True
        return False

    def progress(self, *, running: int, waiting: int) -> Progress:
        """Where the sweep stands now, with so many trials that have not ended."""
        value, number = self._best if self._best else (None, None)
        counts: Mapping[State, int] = {**self._counts, State.RUNNING: running, State.WAITING: waiting}
        seconds = self._used + self._clock() - self._began
        front = None if self._front is None else len(self._front)
        return Progress(counts, self._plan.budget.n_trials, value, number, seconds, front)
