"""Runs trials one after the other in the driver's own process and thread."""

from collections.abc import Sequence

from hpo.executor import Executor
from hpo.executors.inner_threads import InnerThreads
from hpo.executors.work import Work
from hpo.trial import Outcome, Trial


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

    def wait(self, timeout: float | None) -> Sequence[Outcome]:  # noqa: ARG002  # cannot interrupt itself
        """Runs what was submitted."""
        trial, self._submitted = self._submitted, None
        if trial is None:
            return []
        self._threads.apply()
        return [self._work.save(self._work.run(trial))]

    def cancel(self, trial: Trial) -> None:
        """Forgets the trial if it has not run yet."""
        mine = self._submitted
        if mine is not None and (mine.number, mine.attempt) == (trial.number, trial.attempt):
            self._submitted = None

    def close(self) -> None:
        """Forgets what was not run."""
        self._submitted = None
        self._threads.restore()


_: type[Executor] = SerialExecutor
