"""SQLite's errors as ours: what happened, where, and what to do about it."""

import errno
import os
import sqlite3
from pathlib import Path

from trackers.errors import NotAStore, NotPermitted, StoreBusy, StoreFull, StoreUnavailable
from trackers.sql.lock_holders import holder
from trackers.sql.sqlite_files import user

_LITTLE = 1 << 16
"""Bytes free below which an I/O error is taken for a full disk: SQLite reports some of them so."""

_KINDS = {
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_IOERR: "disk",
    sqlite3.SQLITE_CANTOPEN: "disk",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_PERM: "read-only",
    sqlite3.SQLITE_NOTADB: "damaged",
    sqlite3.SQLITE_CORRUPT: "damaged",
}


def fault(error: BaseException, path: Path) -> StoreUnavailable:
    """What an error of sqlite3, or of the system, means for the database at this path."""
    text = str(error).strip()
    kind = _kind(error)
    if kind == "damaged":
        return NotAStore(f"not a valid store: {path} is damaged ({text}); it was left untouched, restore a backup")
    if kind == "busy":
        return busy(path)
    if kind == "full" or (kind == "disk" and _is_full(path)):
        return full(path)
    if kind == "read-only":
        return NotPermitted(f"{path} cannot be written by {user()}: {text}")
    return StoreUnavailable(f"{path} failed: {text}")


def busy(path: Path) -> StoreBusy:
    """Somebody else writes to the database at this path."""
    pid = holder(path)
    who = f"process {pid}" if pid else "another process"
    return StoreBusy(f"{path} is busy: {who} has been writing to it; end it, or wait", pid)


def full(path: Path) -> StoreFull:
    """The disk of the database at this path has no space."""
    return StoreFull(f"no space left on {path.parent}; free space", str(path.parent))


def _kind(error: BaseException) -> str:
    if isinstance(error, OSError):
        return "full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    return _KINDS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "")


def _is_full(path: Path) -> bool:
    try:
        space = os.statvfs(path.parent)
    except OSError:
        return False
    return space.f_bavail * space.f_frsize < _LITTLE
