"""Server-sent events of one sweep (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from hpo.web.answers import json_bytes
from hpo.web.pieces import GZIP_BEGINS, Piece
from hpo.web.watched import Watched

BEAT = 10.0
"""Seconds of silence after which a comment shows that the connection lives."""
_ALIVE = Piece(b": still here\n\n")


async def events(
    watched: Watched, known: int | None, stopping: asyncio.Event, *, packed: bool = False
) -> AsyncGenerator[bytes]:
    """`hello`, then `trials` and `sweep` whenever they change; from a known revision on, else from now on.

    With `packed` as gzip without the sum at its end: every reader is sent the very same bytes, whenever each began.
    """
    async with contextlib.aclosing(_pieces(watched, known, stopping)) as pieces:
        if packed:
            yield GZIP_BEGINS
        async for piece in pieces:
            yield piece.packed if packed else piece.plain


async def _pieces(watched: Watched, known: int | None, stopping: asyncio.Event) -> AsyncGenerator[Piece]:
    async with watched.watching():
        seen = await watched.recent()
        revision, is_known = (seen.revision, True) if known is None else (known, known == seen.revision)
        yield Piece(b"retry: 1000\n" + _event("hello", json_bytes({"revision": revision}), revision))
        stands = b""
        while not stopping.is_set():
            before, trials = (revision, stands), None
            if seen.revision > revision or not is_known:
                revision, body = await watched.new(revision)
                is_known, trials = True, body.content
            is_other, stands = seen.stands != stands, seen.stands
            if trials is not None or is_other:
                key = (before, trials is None, revision, stands)
                yield watched.pieces.get(key) or watched.pieces.keep(
                    key, _told(revision, trials, stands if is_other else None)
                )
            if seen.is_gone:
                yield Piece(_event("gone", b"{}", revision))
                return
            while (found := await watched.next(seen, BEAT)) is None and not stopping.is_set():
                yield _ALIVE
            seen = found or seen


def _told(revision: int, trials: bytes | None, stands: bytes | None) -> Piece:
    """Both at once: each piece costs each reader a system call."""
    told = (("trials", trials), ("sweep", stands))
    return Piece(b"".join(_event(name, data, revision) for name, data in told if data is not None))


def _event(name: str, data: bytes, revision: int) -> bytes:
    """JSON of ours holds no line breaks, so it is one line."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (revision, name.encode(), data)
