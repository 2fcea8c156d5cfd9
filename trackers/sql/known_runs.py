"""Runs read before, taken from memory where another question finds them, as long as nobody has written anything."""

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from trackers.records import Run

KEPT = 1000
"""Runs that are remembered, a few megabytes, and counts."""
LARGEST = 200
"""Runs of an answer that is remembered."""


@dataclass(frozen=True)
class Known:
    """Runs by their ids, and what was counted on the way to an answer: all as the store is without another write."""

    runs: dict[str, Run] = field(default_factory=dict)
    counts: dict[Hashable, int] = field(default_factory=dict)

    def count(self, what: Hashable, count: Callable[[], int]) -> int:
        """A count, or what it was before."""
        known = self.counts.get(what)
        if known is None:
            if len(self.counts) >= KEPT:
                self.counts.clear()
            known = self.counts[what] = count()
        return known


Read = Callable[[Known], Sequence[Run]]
"""Answers in one transaction that reads, with what is known."""


class KnownRuns:
    """`stamp` gives a text that changes whenever somebody writes, or None where there is none so cheap.

    Runs are remembered from the second question on: who asks once, as a command does, pays nothing for it. May be used
    from several threads.
    """

    def __init__(self, stamp: Callable[[], str | None]) -> None:
        self._stamp = stamp
        self._is_asked_again = False
        self._lock = threading.Lock()
        self._of = ""
        self._last = Known()

    def through(self, read: Read) -> Sequence[Run]:
        """What `read` answers; it is called once more where somebody wrote meanwhile, so all is of one moment."""
        if not self._is_asked_again:
            self._is_asked_again = True
            return read(Known())
        before = self._stamp()
        if before is None:
            return read(Known())
        known = self._known(before)
        found = read(known)
        if self._stamp() != before:  # what was known may be older than what was read
            return read(Known())
        if len(found) <= LARGEST:
            self._keep(before, found)
        return found

    def _known(self, stamp: str) -> Known:
        with self._lock:
            if self._of != stamp:
                self._of, self._last = stamp, Known()  # a new one: another thread may still look into the old
            return self._last

    def _keep(self, stamp: str, found: Sequence[Run]) -> None:
        with self._lock:
            if self._of != stamp:
                return
            runs = self._last.runs
            for run in found:
                runs.setdefault(run.id, run)
            while len(runs) > KEPT:
                del runs[next(iter(runs))]  # the first is forgotten first
