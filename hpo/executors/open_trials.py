"""The trials of an executor that are open, and what comes back from its workers for them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from hpo.executor import Answer
from hpo.trial import Question, Trial

Ending = TypeVar("Ending")
Reply = Callable[[bool | None], object]
"""Tells the trial that asked whether it is to stop; None where nobody waits for what comes of it any more."""


@dataclass(frozen=True)
class _Asked:
    question: Question
    reply: Reply


class OpenTrials(Generic[Ending]):
    """Open trials, at most one a slot, by ticket; endings of trials that were cancelled are dropped.

    `end` and `ask` may be called from any thread, everything else from the driver's.
    """

    def __init__(self, slots: int) -> None:
        if slots < 1:
            raise ValueError(f"slots must be at least 1, got {slots}")
        self.slots = slots
        self._next = count()
        self._open: dict[int, Trial] = {}
        self._tickets: dict[tuple[int, int], int] = {}  # by number and attempt: each question looks here
        self._arrived: SimpleQueue[tuple[int, Ending] | _Asked] = SimpleQueue()
        self._is_closed = False

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self._open)

    def add(self, trial: Trial) -> int:
        """Opens a trial and gives its ticket; RuntimeError where every slot has one already."""
        if len(self._open) >= self.slots:
            raise RuntimeError(f"trial {trial.number} was submitted while all {self.slots} slots are busy")
        ticket = next(self._next)
        self._open[ticket] = trial
        self._tickets[trial.number, trial.attempt] = ticket
        return ticket

    def end(self, ticket: int, ending: Ending) -> None:
        """Hands in what came of a trial."""
        self._arrived.put((ticket, ending))

    def ask(self, question: Question, reply: Reply) -> None:
        """Hands in a question; `reply` is called in the driver's thread, or where nobody waits any more at once."""
        self._arrived.put(_Asked(question, reply))
        if self._is_closed:
            self._turn_away()

    def take(self, timeout: float | None, answer: Answer) -> list[tuple[int, Trial, Ending]]:
        """The trials ended since the last call, now closed; blocks up to `timeout` seconds for the first.

        Questions that arrive meanwhile are answered.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        taken: list[tuple[int, Trial, Ending]] = []
        while True:
            for _ in range(self._arrived.qsize()):  # no more: trials that ask and ask must not hold up the others
                self._sort_in(self._arrived.get(), taken, answer)
            left = None if deadline is None else deadline - time.monotonic()
            if taken or not self._open or (left is not None and left <= 0):
                return taken
            try:
                self._sort_in(self._arrived.get(timeout=left), taken, answer)
            except Empty:
                return taken

    def cancel(self, trial: Trial) -> int | None:
        """Closes a trial without an ending and gives its ticket; None where it is not open."""
        ticket = self._ticket(trial.number, trial.attempt)
        if ticket is not None:
            self._close(ticket)
        return ticket

    def clear(self) -> list[Trial]:
        """Closes all without an ending, for good, and names them; whoever asks from now on is told so."""
        trials = list(self._open.values())
        self._open.clear()
        self._tickets.clear()
        self._is_closed = True
        self._turn_away()
        return trials

    def _sort_in(
        self, arrived: tuple[int, Ending] | _Asked, taken: list[tuple[int, Trial, Ending]], answer: Answer
    ) -> None:
        if isinstance(arrived, _Asked):
            question = arrived.question
            is_open = self._ticket(question.number, question.attempt) is not None
            arrived.reply(answer(question) if is_open else None)
            return
        ticket, ending = arrived
        if ticket in self._open:
            taken.append((ticket, self._close(ticket), ending))

    def _ticket(self, number: int, attempt: int) -> int | None:
        return self._tickets.get((number, attempt))

    def _close(self, ticket: int) -> Trial:
        trial = self._open.pop(ticket)
        self._tickets.pop((trial.number, trial.attempt), None)
        return trial

    def _turn_away(self) -> None:
        while True:
            try:
                arrived = self._arrived.get_nowait()
            except Empty:
                return
            if isinstance(arrived, _Asked):
                arrived.reply(None)
