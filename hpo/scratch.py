"""Folders for what a driver needs only while it runs; one that is left behind says whose it was."""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

PREFIX = "hpo-scratch-"
_NAMED = re.compile(r"hpo-scratch-(\d+)-\w+")
_YOUNG = 3600.0
"""Seconds: a folder changed so recently is left alone, for its driver may run in another container, unseen."""


def own_prefix() -> str:
    """How the names of this process's folders begin, so that it is known whose they were if it is killed."""
    return f"{PREFIX}{os.getpid()}-"


def new_scratch() -> Path:
    """A new empty folder of this process."""
    return Path(tempfile.mkdtemp(prefix=own_prefix()))


def abandoned(folder: Path, now: float | None = None) -> list[Path]:
    """The scratch folders in `folder` that belong to us and whose driver is dead."""
    before = (time.time() if now is None else now) - _YOUNG
    found = []
    for path in sorted(folder.glob(f"{PREFIX}*")):
        match = _NAMED.fullmatch(path.name)
        if match is None or path.is_symlink() or not path.is_dir() or Path(f"/proc/{match[1]}").exists():
            continue
        status = path.stat()
        if status.st_uid == os.geteuid() and status.st_mtime < before:
            found.append(path)
    return found


def size_of(folder: Path) -> int:
    """The bytes of all files below."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def remove(folders: Sequence[Path]) -> None:
    """Deletes the folders with all that is in them."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
