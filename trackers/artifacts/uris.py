"""Artifact URIs: which place one names, and that it holds no credentials."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from trackers.artifacts.azure_settings import account_in
from trackers.artifacts.names import is_below, is_tidy
from trackers.errors import InvalidRecord, StoreUnavailable

KINDS: Mapping[str, str] = {
    "s3": "s3",
    "gs": "gs",
    "gcs": "gs",
    "az": "azure",
    "abfs": "azure",
    "abfss": "azure",
    "wasb": "azure",
    "wasbs": "azure",
    "memory": "memory",
}
"""The schemes of artifact URIs that are opened, besides local folders, and the kind of store behind each."""

_REMOTE = re.compile(r"([a-z][a-z0-9+.-]*)://([^/]*)/?(.*)", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._-]{0,254}")
_AZURE_HOST = re.compile(r"([a-z0-9]{3,24})\.(?:blob|dfs)\.core\.windows\.net")


@dataclass(frozen=True)
class Location:
    """A place by its parts. `head` stands before the path in its URIs, such as `s3://bucket`; a local path has none.

    `path` is absolute in a local folder, else without slashes at its ends. `account` is Azure's.
    """

    kind: str
    head: str
    path: str
    bucket: str = ""
    account: str = ""

    def __str__(self) -> str:
        return f"{self.head}/{self.path}".rstrip("/") if self.head else self.path

    def key(self, name: str) -> str:
        """The path of something below."""
        return f"{self.path}/{name}" if self.path else name

    def uri(self, name: str) -> str:
        """The URI of something below."""
        return f"{self.head}/{self.key(name)}" if self.head else self.key(name)

    def is_below(self, other: "Location") -> bool:
        """Whether it is the other place or below it."""
        mine, its = (self.kind, self.bucket, self.account), (other.kind, other.bucket, other.account)
        return mine == its and is_below(self.path, other.path)


def location_of(uri: str) -> Location:
    """The place an artifact URI names: an absolute path, `file://..`, or a path in an object store.

    InvalidRecord where it is not well formed or holds credentials, StoreUnavailable for a scheme that is not opened.
    No message shows a remote URI that holds a secret.
    """
    if "\0" in uri:
        raise InvalidRecord(f"an artifact URI must not hold NUL, got {uri!r}")
    scheme = urlsplit(uri).scheme if not uri.startswith("/") else ""
    if scheme in ("", "file"):
        return _local(uri, scheme)
    if scheme not in KINDS:
        # fsspec also speaks http, ssh and chains of these: a database must not be able to make us call anybody
        raise StoreUnavailable(f"artifacts are kept in folders and in {', '.join(KINDS)}; got {scheme}://..")
    return _remote(uri, scheme)


def recorded_uri(uri: str, environment: Mapping[str, str]) -> str:
    """The URI under which MLflow too finds what is kept there: with Azure's account, and `gs` for `gcs`.

    InvalidRecord where the environment does not say which account `az://container` is in.
    """
    place = location_of(uri)
    if place.kind == "gs":
        return str(place).replace("gcs://", "gs://", 1)
    if place.kind != "azure" or place.account:
        return str(place)
    account = account_in(environment)
    if not account:
        raise InvalidRecord(
            f"{place} does not say in which storage account: set AZURE_STORAGE_CONNECTION_STRING or "
            f"AZURE_STORAGE_ACCOUNT_NAME, or write wasbs://{place.bucket}@ACCOUNT.blob.core.windows.net/.."
        )
    return str(location_of(f"wasbs://{place.bucket}@{account}.blob.core.windows.net/{place.path}"))


def local_path(uri: str) -> Path | None:
    """The path of a local artifact URI; None for another one."""
    try:
        place = location_of(uri)
    except (InvalidRecord, StoreUnavailable):
        return None
    return Path(place.path) if place.kind == "file" else None


def _local(uri: str, scheme: str) -> Location:
    # MLflow percent-encodes file URIs, never plain paths
    parts = urlsplit(uri) if scheme else None
    path = unquote(parts.path) if parts else uri
    if (parts and parts.netloc not in ("", "localhost")) or not path.startswith("/"):
        raise InvalidRecord(f"an artifact URI must be an absolute path or file:///path, got {uri!r}")
    return Location("file", "", os.path.normpath(path))


def _remote(uri: str, scheme: str) -> Location:
    match = _REMOTE.fullmatch(uri)
    authority, path = (match[2], match[3].rstrip("/")) if match else ("", "")
    if kept_back := _credentials_in(authority, path, KINDS[scheme]):
        raise InvalidRecord(f"an artifact URI must not hold credentials ({kept_back} of {scheme}://..): {_INSTEAD}")
    if not match or (path and not is_tidy(path)):
        raise InvalidRecord(
            f"an artifact URI must be {scheme}://bucket/path without '..', '//' or control characters; got {uri!r:.200}"
        )
    if scheme == "memory":
        return Location("memory", "memory:/", "/".join(part for part in (authority, path) if part))
    bucket, _, host = authority.partition("@")
    account = _AZURE_HOST.fullmatch(host)
    if not _BUCKET.fullmatch(bucket) or (host and not account):
        raise InvalidRecord(f"an artifact URI must name a bucket, as in {_EXAMPLES[KINDS[scheme]]}; got {uri!r:.200}")
    return Location(KINDS[scheme], f"{scheme}://{authority}", path, bucket, account[1] if account else "")


def _credentials_in(authority: str, path: str, kind: str) -> str:
    """What of a URI is, or may be, a secret; empty where nothing is."""
    if "?" in authority + path or "#" in authority + path:
        return "a query"
    user, at, _ = authority.rpartition("@")
    if ":" in authority or (at and kind != "azure") or "@" in user:
        return "a user or a password"
    return ""


_EXAMPLES = {
    "s3": "s3://bucket/path",
    "gs": "gs://bucket/path",
    "azure": "az://container/path or wasbs://container@account.blob.core.windows.net/path",
}
_INSTEAD = "they are taken from the environment alone, see docs/store.md"
