"""Runs read before, taken from memory where another question finds them, as long as nobody has written anything."""

import threading
from collections.abc import Callable, Mapping, Sequence

from trackers.records import Run

KEPT = 1000
"""Runs that are remembered: a few megabytes."""
LARGEST = 200
"""Runs of an answer that is remembered."""

Read = Callable[[Mapping[str, Run]], Sequence[Run]]
"""Answers in one transaction that reads, with those of the given runs, by their ids, that belong to the answer."""


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
        self._runs: dict[str, Run] = {}

    def through(self, read: Read) -> Sequence[Run]:
        """What `read` answers; it is called once more where somebody wrote meanwhile, so all is of one moment."""
        if not self._is_asked_again:
            self._is_asked_again = True
            return read({})
        before = self._stamp()
        if before is None:
            return read({})
        known = self._known(before)
        found = read(known)
        if self._stamp() != before:  # what was known may be older than what was read
            return read({})
        if len(found) <= LARGEST:
            self._keep(before, found)
        return found

    def _known(self, stamp: str) -> Mapping[str, Run]:
        with self._lock:
            if self._of != stamp:
                self._of, self._runs = stamp, {}  # a new one: another thread may still look into the old
            return self._runs

    def _keep(self, stamp: str, found: Sequence[Run]) -> None:
        with self._lock:
            if self._of != stamp:
                return
            for run in found:
                self._runs.setdefault(run.id, run)
            while len(self._runs) > KEPT:
                del self._runs[next(iter(self._runs))]  # the first is forgotten first
