"""The Place protocol: where the files of one run are kept."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from trackers.records import Artifact


class Place(Protocol):
    """One artifact URI, opened. Names are checked by the caller (`check_name`).

    Errors: `NotFound`, `NotPermitted` where waiting does not help, `StoreUnavailable` for the rest.
    """

    def uri(self, name: str) -> str:
        """The URI of a file or folder below."""
        ...

    def save(self, sources: Sequence[tuple[Path, str]]) -> list[Artifact]:
        """Copies these files to these names, each whole or not at all; on return all are durable."""
        ...

    def open(self, name: str) -> BinaryIO:
        """A kept file, open for reading; `NotFound` where there is none."""
        ...

    def sizes(self) -> Mapping[str, int]:
        """The bytes of every file below by its name; half written ones, and names that are not tidy, are left out."""
        ...

    def remove(self, names: Sequence[str]) -> None:
        """Removes files; what is gone already is no error."""
        ...

    def check_writable(self) -> None:
        """Raises what writing here would raise, as far as that can be known beforehand."""
        ...
