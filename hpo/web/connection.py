"""A connection of the server, which does not wait for ever for somebody who connects and asks nothing."""

import asyncio
import resource

from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE = 10.0
"""Seconds in which the head of a request must be whole."""
_MOST_FILES = 8192


class Connection(H11Protocol):
    """Is closed where no whole request comes: else a few hundred such would be all that the server can hold.

    Between two requests uvicorn's own limit holds, which every single byte puts off.
    """

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Somebody connects."""
        super().connection_made(transport)
        self._waiting = self.loop.call_later(PATIENCE, self.transport.close)

    def data_received(self, data: bytes) -> None:
        """A part of a request, or the whole of it."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._waiting is None:
            self._waiting = self.loop.call_later(PATIENCE, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


def allow_many_files() -> None:
    """Lets this process have as many connections as pages may follow a sweep, if the system does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
