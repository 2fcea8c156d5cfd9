"""Notices that the write-ahead log of a SQLite file is gone, and with it what was recorded last.

SQLite itself cannot: without its log the file is a whole database, only an older one. So the writer that begins a log
puts a number into the database, which stands in the log first, and the same number into the lock file beside it, which
is emptied again when the log has been copied back. A lock file with a number that the database lacks, and no log,
means that somebody took the log away after a crash.
"""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from trackers.errors import NotAStore
from trackers.sql import sqlite_files

_DIGITS = 8
_WHERE = slice(60, 64)
"""Where `PRAGMA user_version` stands in the file's header; neither SQLite nor MLflow uses it."""


def set_mark(lock: int, put: Callable[[int], object]) -> str:
    """Marks database and lock file, in an order in which a crash in between raises no alarm; what `clear_mark` takes.

    `put` makes a number the database's `user_version`, durably. '' where the lock file may not be written: then
    neither is marked.
    """
    number = secrets.randbits(31)
    try:
        os.ftruncate(lock, 0)
    except OSError:
        return ""
    put(number)
    mark = f"{number:0{_DIGITS}x}"
    with suppress(OSError):
        os.pwrite(lock, mark.encode(), 0)
    return mark


def clear_mark(lock: int, mark: str) -> None:
    """Takes the mark away, unless another writer has set its own; the log has been copied back."""
    with suppress(OSError):
        if mark and os.pread(lock, _DIGITS, 0) == mark.encode():
            os.ftruncate(lock, 0)


def check_log(path: Path) -> None:
    """NotAStore where there was a log and is none, and the database lacks what stood in it."""
    mark = _mark_beside(path)
    if not mark or sqlite_files.has_log(path):
        return
    with path.open("rb") as file:
        known = file.read(100)[_WHERE].hex()
    if known != mark and not sqlite_files.has_log(path) and _mark_beside(path) == mark:
        raise NotAStore(
            f"not a valid store: the log {path}-wal is gone, and what was recorded last with it; put it back, "
            f"or go on without: rm {path}.lock"
        )


def _mark_beside(path: Path) -> str:
    try:
        text = path.with_name(f"{path.name}.lock").read_bytes()[:_DIGITS].decode("ascii", "replace")
    except OSError:
        return ""
    return text if len(text) == _DIGITS else ""
