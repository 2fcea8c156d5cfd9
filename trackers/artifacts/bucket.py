"""The Bucket protocol: what is used of an object store."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from trackers.artifacts.content import Content


@dataclass(frozen=True)
class Stat:
    """What a store says of an object: `sha256` as it was told with the upload, `checksum` as it found itself.

    Either is empty where it does not know.
    """

    size: int
    sha256: str = ""
    checksum: str = ""


class Bucket(Protocol):
    """A bucket (Azure: a container) of an object store. An object appears under its key when it is whole.

    Errors that pass (5xx, timeouts, cut connections) are tried again a bounded number of times, then
    `StoreUnavailable`; `NotPermitted` where there is no such bucket, no credentials, or no access.
    """

    def put(self, key: str, content: Content) -> None:
        """Uploads a file, large ones in pieces, with bounded memory."""
        ...

    def stat(self, key: str) -> Stat | None:
        """What is known of an object; None where there is none."""
        ...

    def open(self, key: str) -> BinaryIO:
        """An object, open for reading; `NotFound` where there is none."""
        ...

    def list(self, folder: str) -> Iterator[tuple[str, int]]:
        """Key and size of every object below a folder (`a` holds `a/b` and not `ab`), page by page."""
        ...

    def delete(self, keys: Sequence[str]) -> None:
        """Removes objects, many in a request where the store can; what is gone already is no error."""
        ...
