"""A local folder as a place for files: written under another name, synced, then renamed."""

import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from trackers.artifacts.names import PART, is_below
from trackers.artifacts.place import Place
from trackers.artifacts.sources import CHUNK
from trackers.errors import InvalidRecord, NotFound, StoreUnavailable
from trackers.failpoints import reach
from trackers.records import Artifact

_MANY, _AT_ONCE = 64, 8


@dataclass(frozen=True)
class LocalPlace:
    """A folder; links below it that lead out are not followed."""

    folder: str

    def uri(self, name: str) -> str:
        """A path."""
        return f"{self.folder}/{name}"

    def save(self, sources: Sequence[tuple[Path, str]]) -> list[Artifact]:
        """Copies the files; a renamed file is safe only once its folder is synced too (fsync(2))."""
        saved = self._write_all(sources)
        with _reported(self.folder):
            for folder in {Path(self._path(name)).parent for _, name in sources}:
                _sync_folder(folder)
        return saved

    def open(self, name: str) -> BinaryIO:
        """A regular file, open for reading."""
        path = Path(self._path(name))
        with _reported(str(path)):
            if not path.is_file():
                raise NotFound(f"no file {name!r} in {self.folder}")
            return path.open("rb")

    def sizes(self) -> Mapping[str, int]:
        """The files below, links among them by what they lead to."""
        found = {}
        with _reported(self.folder):
            for folder, _, names in os.walk(self.folder):
                for path in (Path(folder, name) for name in names if not name.endswith(PART)):
                    with suppress(FileNotFoundError):  # removed meanwhile, or a link that leads nowhere
                        found[path.relative_to(self.folder).as_posix()] = path.stat().st_size
        return found

    def remove(self, names: Sequence[str]) -> None:
        """Removes files, then folders this left empty."""
        for name in names:
            path = Path(self._path(name))
            with _reported(str(path)):
                path.unlink(missing_ok=True)
            self._remove_empty_folders(path.parent)

    def check_writable(self) -> None:
        """Nothing: a local folder is made when the first file comes."""

    def _path(self, name: str) -> str:
        path = f"{self.folder}/{name}"
        if not is_below(os.path.realpath(path), os.path.realpath(self.folder)):
            raise InvalidRecord(f"{name!r} leads out of {self.folder}")
        return path

    def _write_all(self, sources: Sequence[tuple[Path, str]]) -> list[Artifact]:
        """Many at once where there are many: each waits for the disk, and a journal syncs what waits together."""
        if len(sources) < _MANY:
            return [self._write(path, name) for path, name in sources]
        pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="hpo-files")
        try:
            return list(pool.map(self._write, *zip(*sources, strict=True)))
        finally:
            pool.shutdown(cancel_futures=True)

    def _write(self, source: Path, name: str) -> Artifact:
        digest, size = hashlib.sha256(), 0
        with _reported(self.uri(name)), source.open("rb") as read, _new(Path(self._path(name))) as write:
            while chunk := read.read(CHUNK):
                digest.update(chunk)
                size += write.write(chunk)
                reach("artifact.half")
        return Artifact(name, size, digest.hexdigest())

    def _remove_empty_folders(self, folder: Path) -> None:
        while is_below(str(folder), self.folder) and str(folder) != self.folder:
            try:
                folder.rmdir()
            except OSError:  # not empty, or gone
                if folder.exists():
                    return
            folder = folder.parent


@contextmanager
def _new(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name when it is whole."""
    _make_folder(path.parent)
    part = path.with_name(f".{secrets.token_hex(8)}{PART}")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        reach("artifact.before_rename")
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _make_folder(folder: Path) -> None:
    """Makes a folder and those above it, for their owner alone, durably."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _reported(place: str) -> Iterator[None]:
    """The disk's errors as ours."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"no file {error.filename or place}") from error
    except OSError as error:
        raise StoreUnavailable(f"{error.filename or place}: {error.strerror or error}") from error


_: type[Place] = LocalPlace
