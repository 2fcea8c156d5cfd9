"""Which process keeps a SQLite file busy, as far as this system tells (Linux: /proc/locks)."""

import os
from pathlib import Path

_PENDING, _RESERVED = 0x40000000, 0x40000001  # bytes of the database file, says the file format
_WAL_WRITER = 120  # byte of the shared-memory file
_WAL_READERS = range(123, 128)  # bytes of the same, one for each moment of the log that is being read


def holder(path: Path, *, locks: Path = Path("/proc/locks")) -> int:
    """The pid of another process that writes to the database at `path`; 0 where nobody does or nobody can tell.

    The lock table is read as text: to open the files themselves and close them again would, by a rule of POSIX, give
    up the locks that this process holds on them.
    """
    wanted = {
        (_inode(path.with_name(f"{path.name}.lock")), "FLOCK"): None,
        (_inode(path.with_name(f"{path.name}-shm")), "POSIX"): (_WAL_WRITER,),
        (_inode(path), "POSIX"): (_PENDING, _RESERVED),
    }
    for kind, pid, inode, first, last in _table(locks):
        bytes_wanted = wanted.get((inode, kind), ())
        if inode and pid not in (0, os.getpid()) and _covers(bytes_wanted, first, last):
            return pid
    return 0


def readers(path: Path, *, locks: Path = Path("/proc/locks")) -> list[int]:
    """The pids of other processes that read from the log of the database at `path` now, as far as one can tell."""
    inode = _inode(path.with_name(f"{path.name}-shm"))
    pids = {
        pid
        for kind, pid, locked, first, last in _table(locks, "READ")
        if inode and locked == inode and kind == "POSIX" and _covers(tuple(_WAL_READERS), first, last)
    }
    return sorted(pids - {-1, 0, os.getpid()})  # -1, 0: of another container


def _covers(wanted: tuple[int, ...] | None, first: int, last: float) -> bool:
    return wanted is None or any(first <= byte <= last for byte in wanted)


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _table(locks: Path, mode: str = "WRITE") -> list[tuple[str, int, int, int, float]]:
    """Kind, pid, inode, first and last byte of every lock that is held for writing, or reading."""
    try:
        lines = locks.read_text().splitlines()
    except OSError:
        return []
    # 1: POSIX  ADVISORY  WRITE 4711 fe:00:131079 120 120
    rows = [line.split() for line in lines]
    return [
        (row[1], int(row[4]), int(row[5].rpartition(":")[2]), int(row[6]), float("inf" if row[7] == "EOF" else row[7]))
        for row in rows
        if len(row) == 8 and row[3] == mode  # a row with `->` is one that waits
    ]
