"""The content of a local file as it is uploaded: its size and hashes, known before its bytes are sent."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trackers.errors import InvalidRecord, StoreUnavailable
from trackers.failpoints import reach

PIECE = 8 << 20
"""Bytes that are sent in one request; a file up to this size is sent whole."""
MOST_PIECES = 9000
"""An upload to S3 may have 10,000 parts."""


@dataclass(frozen=True)
class Content:
    """What a file holds. `whole` is all of it where that is one piece, so that nobody can change it any more.

    `checksums` are what object stores may say of it, in hex: the MD5, and S3's MD5 of the MD5s of its pieces.
    """

    source: Path
    size: int
    sha256: str
    checksums: frozenset[str]
    piece: int = PIECE
    whole: bytes | None = None

    @classmethod
    def of(cls, source: Path) -> "Content":
        """Reads the file once, a piece at a time."""
        piece = piece_for(source.stat().st_size)
        sha, md5, of_pieces, count, size = hashlib.sha256(), _md5(), _md5(), 0, 0
        whole = b""
        for chunk in _read(source, piece):
            sha.update(chunk)
            md5.update(chunk)
            of_pieces.update(_md5(chunk).digest())
            size, count = size + len(chunk), count + 1
            whole = chunk if count == 1 else b""
        checksums = frozenset({md5.hexdigest(), f"{of_pieces.hexdigest()}-{count}"})
        return cls(source, size, sha.hexdigest(), checksums, piece, whole if count <= 1 else None)

    def pieces(self) -> Iterator[bytes]:
        """The bytes to send, hashed on the way; InvalidRecord before the end where the file is another by now."""
        if self.whole is not None:
            reach("artifact.half")
            yield self.whole
            return
        digest, size = hashlib.sha256(), 0
        for chunk in _read(self.source, self.piece):
            reach("artifact.half")
            digest.update(chunk)
            size += len(chunk)
            if size > self.size:  # it may grow for ever
                break
            yield chunk
        if (size, digest.hexdigest()) != (self.size, self.sha256):
            raise InvalidRecord(f"{self.source} was changed while it was being kept; keep it once it is whole")


def piece_for(size: int) -> int:
    """Bytes of a piece of a file of that size."""
    return PIECE * max(1, -(-size // (PIECE * MOST_PIECES)))


def _read(source: Path, piece: int) -> Iterator[bytes]:
    try:
        with source.open("rb") as file:
            while chunk := file.read(piece):
                yield chunk
    except OSError as error:  # not to be taken for an error of the object store
        raise StoreUnavailable(f"{source}: {error.strerror or error}") from error


def _md5(data: bytes = b"") -> "hashlib._Hash":
    return hashlib.md5(data, usedforsecurity=False)
