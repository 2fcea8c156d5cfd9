"""Runs trials in threads of the driver's process."""

import threading
from collections.abc import Sequence
from queue import SimpleQueue

from hpo.attempt import failed
from hpo.errors import BrokenOff
from hpo.executor import Answer, Executor, go_on
from hpo.executors.inner_threads import InnerThreads
from hpo.executors.open_trials import OpenTrials
from hpo.executors.work import Work
from hpo.failure_text import failure_line
from hpo.trial import Outcome, Question, Report, Trial


class ThreadExecutor:
    """Slots are threads: quick to start and sharing memory, but Python code in them runs one at a time.

    A thread cannot be stopped: a cancelled trial runs on in its slot, at most until it reports where trials are judged,
    and its outcome is dropped. One that still runs
    after `close` does not keep the process from ending, and ends with it wherever it is. What trials print goes where
    the driver prints, mixed. A trial that kills its process kills the driver.
    """

    def __init__(self, work: Work, *, slots: int) -> None:
        self._open: OpenTrials[Outcome] = OpenTrials(slots)
        work.prepare()
        self._work = work
        self._threads = InnerThreads(work.inner_threads)
        self._submitted: SimpleQueue[tuple[int, Trial] | None] = SimpleQueue()
        self._wanted: set[int] = set()
        # not a ThreadPoolExecutor: the interpreter waits for its threads before it ends, for ever if a trial hangs
        self._pool = [
            threading.Thread(target=self._serve, name=f"hpo-slot-{number}", daemon=True) for number in range(slots)
        ]
        for thread in self._pool:
            thread.start()

    @property
    def slots(self) -> int:
        """How many trials can run at once."""
        return self._open.slots

    def submit(self, trial: Trial) -> None:
        """Starts a trial in a free thread."""
        ticket = self._open.add(trial)
        self._threads.apply()
        self._wanted.add(ticket)
        self._submitted.put((ticket, trial))

    def wait(self, timeout: float | None, answer: Answer = go_on) -> Sequence[Outcome]:
        """What has ended since the last call."""
        return [outcome for _, _, outcome in self._open.take(timeout, answer)]

    def cancel(self, trial: Trial) -> None:
        """Drops the trial's outcome; one that waits behind a cancelled trial does not begin at all."""
        ticket = self._open.cancel(trial)
        if ticket is not None:
            self._wanted.discard(ticket)

    def close(self) -> None:
        """Takes no more trials and drops the open ones; those that are running run on to their end."""
        self._wanted.clear()
        self._open.clear()
        for _ in self._pool:
            self._submitted.put(None)
        self._threads.restore()

    def _serve(self) -> None:
        """What each thread does: one trial after the other until it is told that there are no more."""
        while (submitted := self._submitted.get()) is not None:
            ticket, trial = submitted
            if ticket in self._wanted:
                self._wanted.discard(ticket)
                self._open.end(ticket, self._run(trial))

    def _run(self, trial: Trial) -> Outcome:
        is_wanted = True

        def ask(reports: Sequence[Report]) -> bool:
            nonlocal is_wanted
            replied: SimpleQueue[bool | None] = SimpleQueue()
            self._open.ask(Question(trial.number, trial.attempt, reports), replied.put)
            stop = replied.get()
            if stop is None:
                is_wanted = False
                raise BrokenOff
            return stop

        try:
            self._threads.apply_in_slot()
            outcome = self._work.run(trial, ask)
            return self._work.save(outcome) if is_wanted else outcome
        except BaseException as error:  # outside the objective; without an answer the driver would wait for ever
            return failed(trial, "lost", failure_line(error))


_: type[Executor] = ThreadExecutor
