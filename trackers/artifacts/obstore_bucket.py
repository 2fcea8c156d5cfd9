"""S3 and Azure by obstore, which asks again after faults that pass and uploads large files in parts."""

import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, BinaryIO, cast

from trackers.artifacts import object_faults as faults
from trackers.artifacts.azure_settings import CONNECTION, settings_in
from trackers.artifacts.bucket import Bucket, Stat
from trackers.artifacts.client_limits import ClientLimits
from trackers.artifacts.content import PIECE, Content
from trackers.artifacts.uris import Location
from trackers.errors import NotFound, TrackerError

if TYPE_CHECKING:  # for the types only: it takes a tenth of a second to import
    from obstore import ReadableFile
    from obstore.store import AzureConfig, AzureStore, ClientConfig, RetryConfig, S3Config, S3Store

SHA256 = "sha256"
"""The name of the metadata that holds an object's hash; Azure takes letters and digits only."""
AT_ONCE = 4
"""Parts of a large file that are on their way at the same time: so many times 8 MiB is what an upload takes."""
PAGE = 1000
S3_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL")
"""The variables that name S3's endpoint, the first one that is set; MLflow's own before the one for all of AWS."""

_first_pid: list[int] = []
"""The process that used obstore first; its threads are not in a fork of it, where a request would wait for ever."""

_ENDPOINT = re.compile(r"https?://[^\s/@?#]+(/[^\s?#@]*)?")
_CHECKSUM = re.compile(r'"?([0-9a-f]{32}(?:-\d+)?)"?')


class ObstoreBucket:
    """A bucket of S3, or a container of Azure."""

    def __init__(self, place: Location, environment: Mapping[str, str]) -> None:
        self._place = place
        _first_pid.append(os.getpid())
        try:
            import obstore
        except ImportError:
            raise faults.not_installed(place, "cloud") from None
        self._library = obstore
        with self._reported(""):
            self._store = _s3(place, environment) if place.kind == "s3" else _azure(place, environment)

    def put(self, key: str, content: Content) -> None:
        """In one request where the file is one piece, else by a multipart upload."""
        attributes = {SHA256: content.sha256}
        with self._reported(key, writes=True):
            if content.whole is not None:
                (data,) = content.pieces()
                self._library.put(self._store, key, data, attributes=attributes, use_multipart=False)
            else:
                self._library.put(
                    self._store,
                    key,
                    content.pieces(),
                    attributes=attributes,
                    use_multipart=True,
                    chunk_size=content.piece,
                    max_concurrency=AT_ONCE,
                )

    def stat(self, key: str) -> Stat | None:
        """By one HEAD."""
        with suppress(NotFound), self._reported(key):
            found = self._library.get(self._store, key, options={"head": True})
            checksum = _CHECKSUM.fullmatch(found.meta["e_tag"] or "") if self._place.kind == "s3" else None
            sha256 = str(found.attributes.get(SHA256, ""))
            return Stat(found.meta["size"], sha256, checksum[1] if checksum else "")
        return None

    def open(self, key: str) -> BinaryIO:
        """By ranged GETs, one for each piece."""
        with self._reported(key):
            file = self._library.open_reader(self._store, key, buffer_size=PIECE)
        return cast(BinaryIO, io.BufferedReader(_Reading(self, key, file), PIECE))

    def list(self, folder: str) -> Iterator[tuple[str, int]]:
        """By pages of a thousand."""
        with self._reported(folder):
            for page in self._library.list(self._store, folder or None, chunk_size=PAGE):
                for item in page:
                    if item["path"].startswith(f"{folder}/" if folder else ""):
                        yield item["path"], item["size"]

    def delete(self, keys: Sequence[str]) -> None:
        """By bulk requests; Azure's refuses a page for one object that is gone, so then one by one."""
        try:
            with self._reported(self._place.path):
                self._library.delete(self._store, list(keys))
        except NotFound:
            for key in keys:
                with suppress(NotFound), self._reported(key):
                    self._library.delete(self._store, key)

    @contextmanager
    def _reported(self, key: str, *, writes: bool = False) -> Iterator[None]:
        """What obstore raises as ours, without its texts: they quote answers and URLs."""
        if os.getpid() != _first_pid[0]:
            raise faults.forked(self._place)
        place = replace(self._place, path=key)
        try:
            yield
        except TrackerError:
            raise
        except FileNotFoundError as error:
            text = str(error)
            if faults.is_no_bucket(text) or writes:
                raise faults.no_bucket(place) from None
            raise NotFound(f"no file {key!r} in {self._place.head}") from None
        except OSError as error:
            raise faults.unavailable(place, str(error)) from None
        except Exception as error:
            raise self._translated(error, place) from None
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # of Rust; it has no module to import it from
                raise
            raise faults.unavailable(place, "") from None

    def _translated(self, error: Exception, place: Location) -> Exception:
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

        text = str(error)
        if isinstance(error, PermissionDeniedError | UnauthenticatedError):
            return faults.refused(place, faults.code_in(text))
        if isinstance(error, BaseError | ValueError):
            return faults.no_bucket(place) if faults.is_no_bucket(text) else faults.unavailable(place, text)
        return error


class _Reading(io.RawIOBase):
    """obstore's file as one of Python's."""

    def __init__(self, bucket: ObstoreBucket, key: str, file: "ReadableFile") -> None:
        self._bucket = bucket
        self._key = key
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the stub's Buffer has no len()
        with self._bucket._reported(self._key):
            # older versions fail where more is asked for than is left
            data = self._file.read(min(len(buffer), self._file.size - self._file.tell()))
        buffer[: len(data)] = memoryview(data)
        return len(data)


def _s3(place: Location, environment: Mapping[str, str]) -> "S3Store":
    from obstore.store import S3Store

    for name in (*S3_ENDPOINTS, "AWS_ENDPOINT"):
        if name in environment and not _ENDPOINT.fullmatch(environment[name]):
            raise faults.wrong_endpoint(place, name)  # obstore takes it as it is, and panics
    endpoint = next((environment[name] for name in S3_ENDPOINTS if name in environment), "")
    if (
        not endpoint
        and environment.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"
        and not _has_keys(environment)
    ):
        raise faults.no_credentials(place)
    config: S3Config = {"endpoint": endpoint} if endpoint else {}
    client, retry = _limits(environment, allow_http=endpoint.startswith("http://"))
    return S3Store(place.bucket, config=config, client_options=client, retry_config=retry)


def _has_keys(environment: Mapping[str, str]) -> bool:
    names = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    return any(environment.get(name) for name in (*names, "AWS_CONTAINER_CREDENTIALS_FULL_URI"))


def _azure(place: Location, environment: Mapping[str, str]) -> "AzureStore":
    from obstore.store import AzureStore

    settings = settings_in(environment, place.account)
    if not _ENDPOINT.fullmatch(settings.get("endpoint", "https://host")):
        raise faults.wrong_endpoint(place, CONNECTION)
    client, retry = _limits(environment, allow_http=settings.get("endpoint", "").startswith("http://"))
    return AzureStore(place.bucket, config=cast("AzureConfig", settings), client_options=client, retry_config=retry)


def _limits(environment: Mapping[str, str], *, allow_http: bool) -> "tuple[ClientConfig, RetryConfig]":
    limits = ClientLimits.of(environment)
    timeout = timedelta(seconds=limits.timeout)
    client: ClientConfig = {"timeout": timeout, "connect_timeout": min(timeout, timedelta(seconds=10))}
    if allow_http:
        client["allow_http"] = True
    retry: RetryConfig = {
        "max_retries": limits.retries,
        "retry_timeout": timeout * 3,
        "backoff": {"init_backoff": timedelta(seconds=0.2), "max_backoff": timedelta(seconds=10), "base": 2},
    }
    return client, retry


_: type[Bucket] = ObstoreBucket
