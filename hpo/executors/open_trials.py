"""The trials of an executor that are open, and what comes back from its workers for them."""

import time
from itertools import count
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from hpo.trial import Trial

Answer = TypeVar("Answer")


class OpenTrials(Generic[Answer]):
    """Open trials, at most one a slot, by ticket; answers to trials that were cancelled are dropped.

    `answer` may be called from any thread, everything else from the driver's.
    """

    def __init__(self, slots: int) -> None:
        if slots < 1:
            raise ValueError(f"slots must be at least 1, got {slots}")
        self.slots = slots
        self._next = count()
        self._open: dict[int, Trial] = {}
        self._answers: SimpleQueue[tuple[int, Answer]] = SimpleQueue()

    def add(self, trial: Trial) -> int:
        """Opens a trial and gives its ticket; RuntimeError where every slot has one already."""
        if len(self._open) >= self.slots:
            raise RuntimeError(f"trial {trial.number} was submitted while all {self.slots} slots are busy")
        ticket = next(self._next)
        self._open[ticket] = trial
        return ticket

    def answer(self, ticket: int, answer: Answer) -> None:
        """Hands in what came of a trial."""
        self._answers.put((ticket, answer))

    def take(self, timeout: float | None) -> list[tuple[int, Trial, Answer]]:
        """The trials answered since the last call, now closed; blocks up to `timeout` seconds for the first."""
        deadline = None if timeout is None else time.monotonic() + timeout
        taken: list[tuple[int, Trial, Answer]] = []
        while self._open:
            try:
                ticket, answer = self._answers.get(block=not taken, timeout=_left(deadline))
            except Empty:
                break
            trial = self._open.pop(ticket, None)
            if trial is not None:
                taken.append((ticket, trial, answer))
        return taken

    def cancel(self, trial: Trial) -> int | None:
        """Closes a trial without an answer and gives its ticket; None where it is not open."""
        for ticket, candidate in self._open.items():
            if (candidate.number, candidate.attempt) == (trial.number, trial.attempt):
                del self._open[ticket]
                return ticket
        return None

    def clear(self) -> list[Trial]:
        """Closes all without an answer, and names them."""
        trials = list(self._open.values())
        self._open.clear()
        return trials


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
