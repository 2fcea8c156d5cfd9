"""A tracker that does not give up at once: it waits for a store in trouble, and keeps aside what it cannot record."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hpo.spool import Spool
from trackers.errors import NotAStore, NotPermitted, ReadOnlyStore, StoreBusy, StoreFull, StoreGone, StoreUnavailable
from trackers.records import Artifact, Change, Fence, Point, Query, Run, RunEnded
from trackers.tracker import Tracker

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

HOPELESS = (NotAStore, ReadOnlyStore, NotPermitted, StoreGone)
"""What waiting does not mend."""

SHORTEST_PAUSE, LONGEST_PAUSE = 0.05, 5.0
"""Seconds between two tries, growing from one to the other."""

SAY_AGAIN = 10.0
"""Seconds after which the waiting is said once more; from then on each time the wait has doubled."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for a store, in seconds; `over` says when somebody outside wants an end.

    `clock` and `pause` are time itself, unless a test brings its own.
    """

    retry_for: float
    over: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


class PatientTracker:
    """Another tracker, with patience: what it is asked is repeated while the store is busy, full or out of reach.

    Repeating is safe also where a commit was done and only its answer was lost: every change is idempotent by run and
    attempt. When patience ends, what ended is spooled and the store's error is raised; from then on nobody waits again.
    """

    def __init__(self, tracker: Tracker, spool: Spool, patience: Patience) -> None:
        self._tracker = tracker
        self._spool = spool
        self._patience = patience
        self._is_spent = False
        self._spooled: set[str] = set()

    def record(self, changes: Sequence[Change], fence: Fence | None = None) -> None:
        """As the tracker does; StoreUnavailable once patience has ended, with what ended kept in the spool."""
        try:
            self._patiently(lambda: self._tracker.record(changes, fence))
        except StoreUnavailable:
            self._keep_aside(changes)
            raise
        if self._spooled and self._spooled <= _ended(changes):  # the last word of a driver repeats what it had to spool
            self._spool.discard()
            self._spooled = set()

    def experiment(self, name: str, artifact_location: str | None = None) -> str:
        """See `Tracker`."""
        return self._tracker.experiment(name, artifact_location)

    def get(self, run_id: str) -> Run:
        """See `Tracker`."""
        return self._patiently(lambda: self._tracker.get(run_id))

    def find(self, query: Query) -> Sequence[Run]:
        """See `Tracker`."""
        return self._patiently(lambda: self._tracker.find(query))

    def history(self, run_id: str, metric: str | None = None) -> Sequence[Point]:
        """See `Tracker`."""
        return self._patiently(lambda: self._tracker.history(run_id, metric))

    def artifacts(self, run_id: str) -> Sequence[Artifact]:
        """See `Tracker`."""
        return self._patiently(lambda: self._tracker.artifacts(run_id))

    def counts(self, parents: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """See `Tracker`."""
        return self._patiently(lambda: self._tracker.counts(parents))

    def _patiently(self, act: Callable[[], Answer]) -> Answer:
        began = self._patience.clock()
        try:
            return self._try(act)
        except StoreUnavailable as error:
            return self._try_again(error, act, began)

    def _try(self, act: Callable[[], Answer], after: float = 0.0) -> Answer:
        try:
            self._pause(after)
            return act()
        except Exception:
            raise
        except BaseException:  # Ctrl-C, the second time: the driver still has a last word, and it should be short
            self._is_spent = True
            raise

    def _pause(self, seconds: float) -> None:
        """In short parts, for a wish to end may come meanwhile."""
        until = self._patience.clock() + seconds
        while (left := until - self._patience.clock()) > 0 and not self._patience.over():
            self._patience.pause(min(left, SHORTEST_PAUSE))

    def _try_again(self, error: StoreUnavailable, act: Callable[[], Answer], began: float) -> Answer:
        pause, say_at = SHORTEST_PAUSE, 0.0
        while not self._is_over(error, waited := self._patience.clock() - began):
            if waited >= say_at:
                log.warning("%s", _waiting(error, waited, self._patience.retry_for))
                say_at = max(2 * waited, SAY_AGAIN)
            try:
                answer = self._try(act, after=min(pause, max(self._patience.retry_for - waited, 0.0)))
            except StoreUnavailable as again:
                error, pause = again, min(2 * pause, LONGEST_PAUSE)
            else:
                log.warning("the store is back: reconnected after %.0f s", self._patience.clock() - began)
                return answer
        self._is_spent = True
        raise error

    def _is_over(self, error: StoreUnavailable, waited: float) -> bool:
        patience = self._patience
        return self._is_spent or isinstance(error, HOPELESS) or waited >= patience.retry_for or patience.over()

    def _keep_aside(self, changes: Sequence[Change]) -> None:
        ended = _ended(changes)
        path = self._spool.write(changes) if ended else None
        if path is not None:
            self._spooled |= ended
            log.warning("what ended is kept in %s until the sweep goes on", path)
        elif ended:
            log.warning("nor is there room to keep what ended: those trials run again when the sweep goes on")


def _ended(changes: Sequence[Change]) -> set[str]:
    return {change.run_id for change in changes if isinstance(change, RunEnded)}


def _waiting(error: StoreUnavailable, waited: float, retry_for: float) -> str:
    if isinstance(error, StoreBusy):
        return f"store busy {waited:.0f} s, waiting" + (f" (pid {error.pid})" if error.pid else "")
    if isinstance(error, StoreFull):
        return f"no space left on {error.path}: waiting {retry_for:.0f} s for some, {waited:.0f} s so far"
    return f"store unreachable, retrying ({waited:.0f} s): {error}"


_: type[Tracker] = PatientTracker
