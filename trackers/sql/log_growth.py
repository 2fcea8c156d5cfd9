"""Notices that a write-ahead log grows because somebody reads for long, and says so once.

A log begins anew when all of it has been copied back, which waits for every reader that began before. So one reader
that does not let go makes it grow without end; the writer is not delayed by that, but the disk fills up.
"""

import logging
from pathlib import Path

from trackers.sql.lock_holders import readers

log = logging.getLogger(__name__)

LIMIT = 64 << 20
"""Bytes from which a log is worth a word, and to which it is cut when it begins anew."""
_SHOWN = 5


class LogGrowth:
    """Watches the log of one database."""

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self._path = path
        self._log = path.with_name(f"{path.name}-wal")
        self._limit = limit
        self._was_said = False

    def look(self) -> None:
        """Called after a commit: warns once when the log is beyond the limit, and again only after it was cut."""
        try:
            size = self._log.stat().st_size
        except OSError:  # no log: another kind of journal
            return
        if size <= self._limit:
            self._was_said = False
        elif not self._was_said:
            self._was_said = True
            log.warning("%s", self._warning(size))

    def _warning(self, size: int) -> str:
        pids = readers(self._path)
        shown = ", ".join(map(str, pids[:_SHOWN])) + (", .." if len(pids) > _SHOWN else "")
        who = {0: "somebody reads", 1: f"process {shown} reads"}.get(len(pids), f"one of the processes {shown} reads")
        return (
            f"the log {self._log} has grown to {size / 1e6:.0f} MB, because {who} the database for long; nothing is "
            "lost and the sweep goes on; once that reader has ended the log is cut by itself"
        )
