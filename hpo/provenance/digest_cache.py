"""Digests of files that were read before, on disk in the user's cache folder: what has not changed is not read again.

Any number of processes may use it at once: lines are only appended, each under a checksum, and a file that grew too
large is rewritten under another name first. What is lost by that, or by a folder that cannot be written, is read again.
"""

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

LARGEST = 4 << 20
"""Bytes of one of the cache's 16 files; a larger one loses the older half of its entries."""


@dataclass(frozen=True)
class Entry:
    """That a path had this digest while it looked like this: `signature` changes whenever its content may have."""

    path: str
    signature: str
    digest: str


class DigestCache:
    """Entries by path; `folder` is None where nothing is kept for later processes."""

    def __init__(self, folder: Path | None, largest: int = LARGEST) -> None:
        self._folder = folder
        self._largest = largest
        self._read: set[Path] = set()
        self._known: dict[str, Entry] = {}

    def get(self, path: str, signature: str) -> str | None:
        """The digest of the path as it looks now; None where nobody knows it."""
        shard = self._shard(path)
        if shard is not None and shard not in self._read:
            self.read_again(path)
        known = self._known.get(path)
        return known.digest if known is not None and known.signature == signature else None

    def read_again(self, path: str) -> None:
        """Takes in what other processes have put there meanwhile."""
        shard = self._shard(path)
        if shard is not None:
            self._known.update(_entries(shard))
            self._read.add(shard)

    def put(self, entries: Sequence[Entry]) -> None:
        """Keeps entries; they take the place of earlier ones of the same paths."""
        self._known.update((entry.path, entry) for entry in entries)
        shards: dict[Path, list[Entry]] = {}
        for entry in entries:
            shard = self._shard(entry.path)
            if shard is not None:
                shards.setdefault(shard, []).append(entry)
        for shard, new in shards.items():
            with suppress(OSError):  # a full disk, a folder of somebody else: then it is read again next time
                self._append(shard, new)

    @contextmanager
    def alone(self, path: str) -> Iterator[None]:
        """Waits until no other process is at work on the same path; at once where there is no folder."""
        with ExitStack() as held:
            if self._folder is not None:
                with suppress(OSError):  # no room, or a file system without locks: then both read it
                    held.enter_context(_lock(self._folder / f"{_hex(path)[:16]}.lock"))
            yield

    def _append(self, shard: Path, entries: Sequence[Entry]) -> None:
        shard.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = b"".join(map(_line, entries))
        descriptor = os.open(shard, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "ab", buffering=0) as file:
            file.write(text)  # in one piece, so that those of two processes do not mix
            size = file.tell()
        if size > self._largest:
            self._shrink(shard)

    def _shrink(self, shard: Path) -> None:
        newest: list[bytes] = []
        room = self._largest // 2
        for entry in reversed(_entries(shard).values()):
            line = _line(entry)
            room -= len(line)
            if room < 0:
                break
            newest.append(line)
        descriptor, name = tempfile.mkstemp(prefix=".", dir=shard.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"".join(reversed(newest)))
        Path(name).replace(shard)

    def _shard(self, path: str) -> Path | None:
        if self._folder is None:
            return None
        # files of one folder stand together: who asks for one is likely to ask for the others
        return self._folder / f"{_hex(path.rpartition('/')[0])[0]}.jsonl"


def cache_folder(environment: Mapping[str, str]) -> Path | None:
    """Where this user's digests are kept; None where there is no home."""
    if given := environment.get("XDG_CACHE_HOME"):
        return Path(given, "tracked-hpo", "digests")
    home = environment.get("HOME")
    return Path(home, ".cache", "tracked-hpo", "digests") if home else None


@contextmanager
def _lock(file: Path) -> Iterator[None]:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        file.unlink(missing_ok=True)  # who waited for it may work beside who comes now: read twice, nothing worse
        os.close(descriptor)


def _hex(path: str) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()


def _entries(shard: Path) -> dict[str, Entry]:
    """What a file of the cache holds, by path, the last one put there last; damaged lines are left out."""
    found: dict[str, Entry] = {}
    with suppress(OSError):
        for line in shard.read_bytes().split(b"\n"):
            check, _, text = line.partition(b" ")
            if text and check == _check(text):
                with suppress(ValueError, TypeError):
                    entry = Entry(*json.loads(text))
                    found.pop(entry.path, None)
                    found[entry.path] = entry
    return found


def _line(entry: Entry) -> bytes:
    text = json.dumps([entry.path, entry.signature, entry.digest]).encode()
    return b"%b %b\n" % (_check(text), text)


def _check(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:8].encode()
