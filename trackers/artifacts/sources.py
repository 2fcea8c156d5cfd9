"""The local files that are to be kept, and what a file's content is."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from trackers.artifacts.names import check_name, is_below
from trackers.errors import InvalidRecord, NotFound

CHUNK = 1 << 20


def sources_of(source: Path, name: str) -> list[tuple[Path, str]]:
    """The regular files of a file or folder, each with the name it is to be kept under; what leads out is refused."""
    return [(path, check_name(f"{name}/{below}" if below else name)) for path, below in _files(source)]


def digest_of(file: BinaryIO) -> tuple[int, str]:
    """Bytes and sha256 of what is left to read."""
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()


def _files(source: Path) -> Iterator[tuple[Path, str]]:
    if source.is_file():
        yield source, ""
        return
    if not source.is_dir():
        raise NotFound(f"no file or folder {source} to keep")
    top = source.resolve()
    for folder, folders, files in os.walk(source):
        links = [Path(folder, name) for name in folders if Path(folder, name).is_symlink()]
        for path in sorted(links + [Path(folder, name) for name in files]):
            if path in links or not is_below(str(path.resolve()), str(top)):
                raise InvalidRecord(f"{path} is a link; only links to files within {source} are kept, so remove it")
            if stat.S_ISREG(path.stat().st_mode):
                yield path, path.relative_to(source).as_posix()
