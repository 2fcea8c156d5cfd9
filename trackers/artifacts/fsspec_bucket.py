"""Google Cloud Storage by gcsfs, and memory, behind fsspec's interface."""

import asyncio
import base64
import binascii
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import BinaryIO, Protocol, cast

from trackers.artifacts import object_faults as faults
from trackers.artifacts.bucket import Bucket, Stat
from trackers.artifacts.client_limits import ClientLimits
from trackers.artifacts.content import PIECE, Content
from trackers.artifacts.uris import Location
from trackers.errors import NotFound, TrackerError

SHA256 = "sha256"
_MAGIC = frozenset("*?[")
EMULATOR = "STORAGE_EMULATOR_HOST"


class _File(Protocol):
    """A file of fsspec's that is being written."""

    closed: bool

    def write(self, data: bytes) -> int: ...
    def close(self) -> None: ...


class _FileSystem(Protocol):
    """What is used of an fsspec file system."""

    def pipe_file(self, path: str, value: bytes, **options: object) -> None: ...
    def info(self, path: str) -> Mapping[str, object]: ...
    def isfile(self, path: str) -> bool: ...
    def open(self, path: str, mode: str, **options: object) -> object: ...
    def find(self, path: str, *, detail: bool) -> Mapping[str, Mapping[str, object]]: ...
    def rm(self, path: Sequence[str]) -> None: ...
    def rm_file(self, path: str) -> None: ...


class FsspecBucket:
    """A bucket of Google Cloud Storage, or the memory of this process."""

    def __init__(self, place: Location, environment: Mapping[str, str]) -> None:
        self._place = place
        self._root = f"{place.bucket}/" if place.bucket else "/"
        with self._reported(""):
            self._fs = _google(place, environment) if place.kind == "gs" else _memory()

    def put(self, key: str, content: Content) -> None:
        """In one request where the file is one piece, else by a resumable upload, which is given up on an error."""
        path = self._root + key
        with self._reported(key, writes=True), _large_bodies_allowed():
            if self._place.kind == "memory":
                self._fs.pipe_file(path, b"".join(content.pieces()))
            elif content.whole is not None:
                self._fs.pipe_file(path, b"".join(content.pieces()), metadata={SHA256: content.sha256})
            else:
                self._put_pieces(path, content)

    def stat(self, key: str) -> Stat | None:
        """By one request."""
        with suppress(NotFound), self._reported(key):
            found = self._fs.info(self._root + key)
            metadata = found.get("metadata")
            sha256 = str(metadata.get(SHA256, "")) if isinstance(metadata, Mapping) else ""
            return Stat(int(str(found["size"])), sha256, _checksum(found))
        return None

    def open(self, key: str) -> BinaryIO:
        """A file of fsspec's, which fetches a piece at a time."""
        with self._reported(key):
            if not self._fs.isfile(self._root + key):
                raise NotFound(f"no file {key!r} in {self._place.head}")
            return cast(BinaryIO, self._fs.open(self._root + key, "rb", block_size=PIECE, cache_type="readahead"))

    def list(self, folder: str) -> Iterator[tuple[str, int]]:
        """gcsfs pages by itself."""
        with self._reported(folder):
            found = self._fs.find(f"{self._root}{folder}/" if folder else self._root, detail=True)
            listed = [(path.removeprefix(self._root), int(str(info["size"]))) for path, info in found.items()]
        yield from ((key, size) for key, size in listed if key.startswith(f"{folder}/" if folder else ""))

    def delete(self, keys: Sequence[str]) -> None:
        """Many in a request; one by one what fsspec would take for a pattern, and all where one of them is gone."""
        plain = [key for key in keys if self._place.kind == "gs" and not _MAGIC.intersection(key)]
        alone = set(keys).difference(plain)
        try:
            with self._reported(self._place.path):
                if plain:
                    self._fs.rm([self._root + key for key in plain])
        except NotFound:
            alone = set(keys)
        for key in sorted(alone):
            with suppress(NotFound), self._reported(key):
                self._fs.rm_file(self._root + key)

    def _put_pieces(self, path: str, content: Content) -> None:
        file = cast(_File, self._fs.open(path, "wb", block_size=content.piece, metadata={SHA256: content.sha256}))
        try:
            for piece in content.pieces():
                file.write(piece)
        except BaseException:
            file.closed = True  # closing would publish what was sent so far; Google forgets that after a week
            raise
        file.close()

    @contextmanager
    def _reported(self, key: str, *, writes: bool = False) -> Iterator[None]:
        """What gcsfs raises as ours, without its texts."""
        try:
            yield
        except TrackerError:
            raise
        except FileNotFoundError:
            if writes:
                raise faults.no_bucket(replace(self._place, path=key)) from None
            raise NotFound(f"no file {key!r} in {self._place.head}") from None
        except Exception as error:
            raise self._translated(error, replace(self._place, path=key)) from None

    def _translated(self, error: Exception, place: Location) -> Exception:
        if place.kind == "memory":
            return faults.unavailable(place, "") if isinstance(error, OSError) else error
        import google.auth.exceptions
        import requests
        from aiohttp import ClientError
        from gcsfs.retry import HttpError  # type: ignore[import-untyped]  # it has none

        if isinstance(error, google.auth.exceptions.GoogleAuthError):
            return faults.no_credentials(place)
        code = str(getattr(error, "code", ""))
        if code in ("401", "403") or (isinstance(error, OSError) and str(error).startswith("Forbidden")):
            return faults.refused(place, code)
        known = (
            ClientError,
            HttpError,
            OSError,
            requests.RequestException,
            asyncio.TimeoutError,
            ValueError,
            RuntimeError,
        )
        if isinstance(error, known):
            text = f"status code: {code} from the store" if code.isdecimal() else type(error).__name__
            return faults.unavailable(place, text)
        return error


def _google(place: Location, environment: Mapping[str, str]) -> _FileSystem:
    if "://" not in environment.get(EMULATOR, "://") or "@" in environment.get(EMULATOR, ""):
        raise faults.wrong_endpoint(place, EMULATOR)
    try:
        import gcsfs  # type: ignore[import-untyped]  # it has none
    except ImportError:
        raise faults.not_installed(place, "gcsfs") from None
    # it logs a traceback for every error it raises, and ours says what matters
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)
    limits = ClientLimits.of(environment)
    token = "anon" if environment.get(EMULATOR) else "google_default"  # never the tokens it keeps in the home folder
    made = gcsfs.GCSFileSystem(
        token=token, requests_timeout=limits.timeout, use_listings_cache=False, skip_instance_cache=True
    )
    return cast(_FileSystem, made)


def _memory() -> _FileSystem:
    from fsspec.implementations.memory import MemoryFileSystem

    return cast(_FileSystem, MemoryFileSystem())


@contextmanager
def _large_bodies_allowed() -> Iterator[None]:
    """Silences what aiohttp says of gcsfs, which sends pieces as bytes; its warning comes from another thread."""
    warnings.filterwarnings("ignore", "Sending a large body directly", ResourceWarning)
    yield


def _checksum(found: Mapping[str, object]) -> str:
    """Google's MD5, in hex; an object that was composed of others has none."""
    try:
        return base64.b64decode(str(found.get("md5Hash") or ""), validate=True).hex()
    except binascii.Error:
        return ""


_: type[Bucket] = FsspecBucket
