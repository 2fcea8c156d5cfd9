"""Pieces of a stream of events, made and compressed once for all who are told the same."""

import zlib
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

GZIP_BEGINS = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""The head of a stream in gzip: no name, no time (RFC 1952)."""
_KEPT = 64
_MOST_BYTES = 16 << 20
"""All that is kept together: a piece may hold all trials of a sweep."""


@dataclass(frozen=True)
class Piece:
    """A part of a stream; `packed` may follow any other packed piece, since it refers to nothing before it."""

    plain: bytes

    @cached_property
    def packed(self) -> bytes:
        """Blocks of deflate that end at a whole byte, with nothing left for later (RFC 1951)."""
        packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
        return packer.compress(self.plain) + packer.flush(zlib.Z_FULL_FLUSH)


class Pieces:
    """Those of late, each under what it was made from."""

    def __init__(self) -> None:
        self._made: dict[Hashable, Piece] = {}
        self._bytes = 0

    def get(self, key: Hashable) -> Piece | None:
        """The piece of this key, if there is one."""
        return self._made.get(key)

    def keep(self, key: Hashable, piece: Piece) -> Piece:
        """The piece, from now on that of this key; the oldest ones go."""
        self._made[key] = piece
        self._bytes += len(piece.plain)
        while len(self._made) > 1 and (len(self._made) > _KEPT or self._bytes > _MOST_BYTES):
            self._bytes -= len(self._made.pop(next(iter(self._made))).plain)
        return piece
