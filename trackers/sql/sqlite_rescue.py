"""Saves what is in a database whose file was deleted while it was open."""

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path


def save_copy(path: Path, execute: Callable[[str], object], before: Path | None = None) -> Path | None:
    """A copy of the open database beside its old place, else in a new folder among temporary files; None if neither.

    It takes the place of the copy `before`, if there is one. The log that lies beside the old place is then removed:
    it would break the copy that is put back there.
    """
    copy = _copied(path, before.parent if before else path.parent, execute)
    if copy is None and before is None:
        # a folder of its own, mode 0700: in /tmp anybody may have put a link of a name that can be guessed
        with contextlib.suppress(OSError):
            copy = _copied(path, Path(tempfile.mkdtemp(prefix="hpo-rescued-")), execute)
    if copy is not None and not path.exists():
        for ending in ("-wal", "-shm"):
            with contextlib.suppress(OSError):
                path.with_name(path.name + ending).unlink(missing_ok=True)
    return copy or before


def _copied(path: Path, folder: Path, execute: Callable[[str], object]) -> Path | None:
    copy = folder / f"{path.name}.rescued-{os.getpid()}"
    part = copy.with_name(f"{copy.name}.part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        execute("VACUUM INTO '{}'".format(str(part).replace("'", "''")))  # into an empty file, which keeps its mode
        part.replace(copy)
    except (OSError, sqlite3.Error):
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        return None
    return copy
