"""Server-sent events of one sweep (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

import asyncio
from collections.abc import AsyncGenerator

from hpo.web.answers import json_bytes
from hpo.web.watched import Watched

BEAT = 10.0
"""Seconds of silence after which a comment shows that the connection lives."""


async def events(watched: Watched, known: int | None, stopping: asyncio.Event) -> AsyncGenerator[bytes]:
    """`hello`, then `trials` and `sweep` whenever they change; from a known revision on, else from now on."""
    async with watched.watching():
        seen = await watched.look()
        revision, is_known = (seen.revision, True) if known is None else (known, known == seen.revision)
        yield b"retry: 1000\n" + _event("hello", json_bytes({"revision": revision}), revision)
        stands = b""
        while not stopping.is_set():
            told = b""
            if seen.revision > revision or not is_known:
                revision, body = await watched.new(revision)
                is_known = True
                told = _event("trials", body.content, revision)
            if seen.stands != stands:
                stands = seen.stands
                told += _event("sweep", stands, revision)
            if told:
                yield told  # at once: each piece costs each reader a system call
            if seen.is_gone:
                yield _event("gone", b"{}", revision)
                return
            while (found := await watched.next(seen, BEAT)) is None and not stopping.is_set():
                yield b": still here\n\n"
            seen = found or seen


def _event(name: str, data: bytes, revision: int) -> bytes:
    """JSON of ours holds no line breaks, so it is one line."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (revision, name.encode(), data)
