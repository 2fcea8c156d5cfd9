"""Runs trials one after the other in the driver's own process and thread."""

from collections.abc import Sequence

from hpo.executor import Answer, Executor, go_on
from hpo.executors.inner_threads import InnerThreads
from hpo.executors.work import Work
from hpo.trial import Outcome, Question, Report, Trial


class SerialExecutor:
    """One slot: a trial runs inside `wait`, which therefore lasts as long as the trial, whatever its timeout.

    What a trial prints goes where the driver prints. A Ctrl-C passes through `wait` as KeyboardInterrupt; the trial
    that was running is then no longer open. A trial that kills its process kills the driver.
    """

    def __init__(self, work: Work) -> None:
        work.prepare()
        self._work = work
        self._threads = InnerThreads(work.inner_threads)
        self._submitted: Trial | None = None

    @property
    def slots(self) -> int:
        """Always one."""
        return 1

    def submit(self, trial: Trial) -> None:
        """Takes the trial; the next `wait` runs it."""
        if self._submitted is not None:
            raise RuntimeError(f"trial {trial.number} was submitted while the only slot is busy")
        self._submitted = trial

    def wait(self, timeout: float | None, answer: Answer = go_on) -> Sequence[Outcome]:  # noqa: ARG002  # cannot interrupt itself
        """Runs what was submitted; questions are answered by a plain call."""
        trial, self._submitted = self._submitted, None
        if trial is None:
            return []
        self._threads.apply()
        asking = _Asking(trial, answer)
        outcome = self._work.run(trial, asking.ask)
        if asking.error is not None:
            raise asking.error
        return [self._work.save(outcome)]

    def cancel(self, trial: Trial) -> None:
        """Forgets the trial if it has not run yet."""
        mine = self._submitted
        if mine is not None and (mine.number, mine.attempt) == (trial.number, trial.attempt):
            self._submitted = None

    def close(self) -> None:
        """Forgets what was not run."""
        self._submitted = None
        self._threads.restore()


class _Asking:
    """Asks for one trial; what the answer raises is the driver's affair, and must not become the trial's failure."""

    def __init__(self, trial: Trial, answer: Answer) -> None:
        self._trial = trial
        self._answer = answer
        self.error: Exception | None = None

    def ask(self, reports: Sequence[Report]) -> bool:
        try:
            return self._answer(Question(self._trial.number, self._trial.attempt, reports))
        except Exception as error:
            self.error = error
            return True


_: type[Executor] = SerialExecutor
