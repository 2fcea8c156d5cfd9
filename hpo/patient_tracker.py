"""A tracker that does not give up at once: it waits for a store in trouble, and keeps aside what it cannot record."""

import logging
from collections.abc import Mapping, Sequence

from hpo.repeating import Patience, Repeating
from hpo.spool import Spool
from trackers.errors import StoreUnavailable
from trackers.records import Artifact, Change, Fence, Point, Query, Run, RunEnded
from trackers.tracker import Tracker

log = logging.getLogger(__name__)


class PatientTracker:
    """Another tracker, with patience: what it is asked is repeated while the store is busy, full or out of reach.

    Repeating is safe also where a commit was done and only its answer was lost: every change is idempotent by run and
    attempt. When patience ends, what ended is spooled and the store's error is raised; from then on nobody waits again.
    """

    def __init__(self, tracker: Tracker, spool: Spool, patience: Patience) -> None:
        self._tracker = tracker
        self._spool = spool
        self._patiently = Repeating(patience)
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


_: type[Tracker] = PatientTracker
