"""What a file or a folder holds, as a digest; content that was read once is not read again while it looks the same."""

import hashlib
import io
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from hpo.provenance.digest_cache import DigestCache, Entry, cache_folder

DIGEST_LENGTH = 36
"""Hex digits of the sha256 that are kept: MLflow's column for digests is no wider."""
WORTH_KEEPING = 64 << 10
"""Bytes; a smaller file is read as fast as the cache."""
WORTH_WAITING = 64 << 20
"""Bytes; a larger file is not read by two processes at once."""
_COARSEST = 2_000_000_000
"""Nanoseconds: the coarsest clock of a file system (FAT's)."""


@dataclass(frozen=True)
class Content:
    """What a path holds: `digest` is the start of a sha256, `size` in bytes, `files` how many.

    `signature` changes whenever the content may have changed. `is_settled` is False where a change a moment ago could
    go unnoticed, because the file system's clock has not moved on since.
    """

    digest: str
    size: int
    files: int
    signature: str
    is_settled: bool
    is_folder: bool = False


def sha256_of(file: io.BufferedReader) -> str:
    """The start of the sha256 of all that is in an open file."""
    return hashlib.file_digest(file, "sha256").hexdigest()[:DIGEST_LENGTH]


class FileDigests:
    """Digests of files and folders. `clock` gives nanoseconds since 1970, `read` the digest of an open file."""

    def __init__(
        self,
        cache: DigestCache,
        clock: Callable[[], int] = time.time_ns,
        read: Callable[[io.BufferedReader], str] = sha256_of,
    ) -> None:
        self._cache = cache
        self._clock = clock
        self._read = read

    def content(self, path: Path) -> Content:
        """What the path holds; OSError where it cannot be read, or is neither a file nor a folder."""
        real = os.path.realpath(path)
        found = Path(real).stat()
        if stat.S_ISDIR(found.st_mode):
            return self._folder(real)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{path} is neither a file nor a folder")
        content, new = self._file(real, found)
        self._cache.put(new)
        return content

    def _file(self, real: str, found: os.stat_result) -> tuple[Content, list[Entry]]:
        """What a file holds, and what the cache is to learn."""
        looks = self._unread(found)
        if known := self._cache.get(real, looks.signature):
            return replace(looks, digest=known), []
        if looks.size < WORTH_WAITING or not looks.is_settled:
            return self._read_file(real)
        with self._cache.alone(real):
            self._cache.read_again(real)
            if known := self._cache.get(real, looks.signature):
                return replace(looks, digest=known), []
            content, new = self._read_file(real)
            self._cache.put(new)  # before another process goes on
            return content, []

    def _read_file(self, real: str) -> tuple[Content, list[Entry]]:
        with Path(real).open("rb") as file:
            before = self._unread(os.fstat(file.fileno()))
            digest = self._read(file)
            after = self._unread(os.fstat(file.fileno()))
        is_settled = before.is_settled and before.signature == after.signature
        content = replace(after, digest=digest, is_settled=is_settled)
        keeps = is_settled and content.size >= WORTH_KEEPING
        return content, [Entry(real, content.signature, digest)] if keeps else []

    def _unread(self, found: os.stat_result) -> Content:
        """The content without its digest; as git does it, a file that changed a moment ago is not relied upon."""
        signature = f"{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}:{found.st_ino}"
        is_settled = max(found.st_mtime_ns, found.st_ctime_ns) + _COARSEST < self._clock()
        return Content("", found.st_size, 1, signature, is_settled)

    def _folder(self, real: str) -> Content:
        files = sorted(_files_below(real, ()), key=lambda file: os.fsencode(file[0]))
        looks = [self._unread(found) for _, _, found in files]
        parts = zip((name for name, _, _ in files), (content.signature for content in looks), strict=True)
        whole = Content(
            digest="",
            size=sum(content.size for content in looks),
            files=len(files),
            signature=_joined(parts),
            is_settled=all(content.is_settled for content in looks),
            is_folder=True,
        )
        if known := self._cache.get(f"{real}/", whole.signature):
            return replace(whole, digest=known)
        digests, entries = [], []
        for name, path, found in files:
            content, new = self._file(path, found)
            digests.append((name, content.digest))
            entries += new
            whole = replace(whole, is_settled=whole.is_settled and content.is_settled)
        whole = replace(whole, digest=_joined(iter(digests)))
        if whole.is_settled:
            entries.append(Entry(f"{real}/", whole.signature, whole.digest))
        self._cache.put(entries)
        return whole


def content_of(path: Path) -> Content:
    """What a file or a folder holds; OSError where it cannot be read.

    A folder's digest is that of the names and digests of all files below it; links are followed, empty folders are
    nothing.
    """
    return _digests().content(path)


def digest_of_file(path: Path) -> str:
    """The first 36 hex digits of the sha256 of a file, or of a folder's files and names; OSError as `content_of`."""
    return content_of(path).digest


@lru_cache(maxsize=1)
def _digests() -> FileDigests:
    return FileDigests(DigestCache(cache_folder(os.environ)))


def _files_below(folder: str, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, str, os.stat_result]]:
    """Each file's name relative to the folder, its path and how it looks; a link to a folder above is left out."""
    here = Path(folder).stat()
    if (here.st_dev, here.st_ino) in above:
        return
    above = (*above, (here.st_dev, here.st_ino))
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                for name, path, found in _files_below(entry.path, above):
                    yield f"{entry.name}/{name}", path, found
            elif entry.is_file():
                yield entry.name, entry.path, entry.stat()


def _joined(parts: Iterator[tuple[str, str]]) -> str:
    digest = hashlib.sha256()
    for name, text in parts:
        digest.update(os.fsencode(name) + b"\0" + text.encode() + b"\n")
    return digest.hexdigest()[:DIGEST_LENGTH]
