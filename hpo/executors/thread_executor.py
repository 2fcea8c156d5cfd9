"""Runs trials in threads of the driver's process."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from hpo.attempt import failed
from hpo.executor import Executor
from hpo.executors.inner_threads import InnerThreads
from hpo.executors.open_trials import OpenTrials
from hpo.executors.work import Work
from hpo.failure_text import failure_line
from hpo.trial import Outcome, Trial


class ThreadExecutor:
    """Slots are threads: quick to start and sharing memory, but Python code in them runs one at a time.

    A thread cannot be stopped: a cancelled trial runs on in its slot and its outcome is dropped, and after `close` the
    interpreter ends only when running trials have. What trials print goes where the driver prints, mixed. A trial
    that kills its process kills the driver.
    """

    def __init__(self, work: Work, *, slots: int) -> None:
        self._open: OpenTrials[Outcome] = OpenTrials(slots)
        work.prepare()
        self._work = work
        self._threads = InnerThreads(work.inner_threads)
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix="hpo-slot")
        self._futures: dict[int, Future[None]] = {}

    @property
    def slots(self) -> int:
        """How many trials can run at once."""
        return self._open.slots

    def submit(self, trial: Trial) -> None:
        """Starts a trial in a free thread."""
        ticket = self._open.add(trial)
        self._threads.apply()
        self._futures[ticket] = self._pool.submit(self._run, ticket, trial)

    def wait(self, timeout: float | None) -> Sequence[Outcome]:
        """What has ended since the last call."""
        taken = self._open.take(timeout)
        for ticket, _, _ in taken:
            del self._futures[ticket]
        return [outcome for _, _, outcome in taken]

    def cancel(self, trial: Trial) -> None:
        """Drops the trial's outcome; one that waits behind a cancelled trial does not begin at all."""
        ticket = self._open.cancel(trial)
        if ticket is not None:
            self._futures.pop(ticket).cancel()

    def close(self) -> None:
        """Takes no more trials and drops the open ones; those that are running run on to their end."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._open.clear()
        self._futures.clear()
        self._threads.restore()

    def _run(self, ticket: int, trial: Trial) -> None:
        try:
            self._threads.apply_in_slot()
            outcome = self._work.run(trial)
        except BaseException as error:  # outside the objective; without an answer the driver would wait for ever
            outcome = failed(trial, "lost", failure_line(error))
        self._open.answer(ticket, outcome)


_: type[Executor] = ThreadExecutor
