"""Answers that are asked for again and again, given from memory as long as nobody has written anything."""

import threading
from collections.abc import Callable, Hashable, Sequence

from trackers.records import Run

KEPT = 32
"""Questions that are remembered."""
LARGEST = 200
"""Runs of an answer that is remembered."""


class Answers:
    """`stamp` gives a text that changes whenever somebody writes, or None where there is none so cheap.

    A question is remembered when it is asked first and its answer when it is asked again: who asks once, as a command
    does, pays nothing for it. May be used from several threads.
    """

    def __init__(self, stamp: Callable[[], str | None]) -> None:
        self._stamp = stamp
        self._lock = threading.Lock()
        self._known: dict[Hashable, tuple[str, Sequence[Run]] | None] = {}

    def to(self, question: Hashable, ask: Callable[[], Sequence[Run]]) -> Sequence[Run]:
        """What `ask` answers, or answered since the last write."""
        if question not in self._known:
            self._keep(question, None)
            return ask()
        stamp = self._stamp()  # before asking: what is written meanwhile makes it another one
        known = self._known.get(question)
        if known is not None and known[0] == stamp:
            return list(known[1])
        answer = ask()
        if stamp is not None and len(answer) <= LARGEST:
            self._keep(question, (stamp, list(answer)))
        return answer

    def _keep(self, question: Hashable, known: tuple[str, Sequence[Run]] | None) -> None:
        with self._lock:
            self._known.pop(question, None)  # to the end: the first is forgotten first
            self._known[question] = known
            while len(self._known) > KEPT:
                del self._known[next(iter(self._known))]
