"""Saves what is in a database whose file was deleted while it was open."""

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path


def save_copy(path: Path, execute: Callable[[str], object]) -> Path | None:
    """A copy of the open database beside its old place, else in the folder for temporary files; None if neither can be.

    The log that lies beside the old place is then removed: it would break the copy that is put back there.
    """
    for folder in (path.parent, Path(tempfile.gettempdir())):
        copy = folder / f"{path.name}.rescued-{os.getpid()}"
        with contextlib.suppress(OSError, sqlite3.Error):
            copy.unlink(missing_ok=True)
            execute("VACUUM INTO '{}'".format(str(copy).replace("'", "''")))
            copy.chmod(0o600)
            if not path.exists():
                for ending in ("-wal", "-shm"):
                    path.with_name(path.name + ending).unlink(missing_ok=True)
            return copy
    return None
