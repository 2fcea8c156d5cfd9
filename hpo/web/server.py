"""Starts the server: binds first, so that the port is known before the address is printed, then serves until told."""

import contextlib
import gc
import hashlib
import logging
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import uvicorn

from hpo.driver import login_name
from hpo.errors import ConfigError
from hpo.views.commands import Commands
from hpo.web.application import application
from hpo.web.connection import Connection, allow_many_files
from hpo.web.doorman import Access
from hpo.web.hub import Hub
from hpo.web.sessions import Sessions
from hpo.web.users import Users
from trackers.opening import Store

log = logging.getLogger(__name__)
PORT = 8017
NICE = 5
"""A driver on the same machine goes first."""
SHORTEST_TOKEN = 22
"""Characters that a token set by the user must have: 128 bits, written as letters and digits."""
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Serving:
    """Where and for whom: `port` None for the usual one, or any free one. `token` is the user's own, '' for none."""

    host: str = "127.0.0.1"
    port: int | None = None
    token: str = ""
    users: Users | None = None
    hosts: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.token and len(self.token) < SHORTEST_TOKEN:
            raise ConfigError(
                f"the token has {len(self.token)} characters, and must have at least {SHORTEST_TOKEN}; "
                'make one by: python -c "import secrets; print(secrets.token_urlsafe(32))"'
            )
        if not self.is_local and not self.token and self.users is None:
            raise ConfigError(
                f"--host {self.host} lets others reach the page: set a token by $HPO_UI_TOKEN or --token-file, "
                "or name who may look by --users FILE (see docs/ui.md)"
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in _LOOPBACK


def serve(store: Store, commands: Commands, serving: Serving, started: Callable[[str, str], None]) -> None:
    """Serves until a signal ends it. `started` is told the address, and the token unless it is the user's own."""
    with _bound(serving) as bound:
        port = bound.getsockname()[1]
        is_own = not serving.token and serving.users is None
        token = serving.token or (secrets.token_urlsafe(32) if is_own else "")
        access = Access(
            port,
            hashlib.sha256(token.encode()).digest() if token else None,
            serving.users,
            frozenset(host.lower() for host in serving.hosts),
            # with a token of the user's own, a browser stays logged in when the server starts again
            Sessions(hashlib.sha256(b"hpo ui session " + (serving.token.encode() or secrets.token_bytes(32))).digest()),
        )
        app, hub = application(store, commands, access, user=login_name())
        config = uvicorn.Config(
            app,
            http=Connection,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            lifespan="off",
            timeout_graceful_shutdown=2,
            h11_max_incomplete_event_size=32 << 10,
        )
        os.nice(NICE)
        quiet = logging.getLogger("uvicorn")  # of broken requests, and of what was cut off at the end; faults are ours
        quiet.addHandler(logging.NullHandler())
        quiet.propagate = False
        allow_many_files()
        gc.freeze()  # what is imported stays; looking through it takes a third of the time that reading trials takes
        gc.set_threshold(50_000, 20, 50)
        started(_address(serving.host, port), token if is_own else "")
        with contextlib.suppress(KeyboardInterrupt):  # the way in which everybody ends it
            _Server(config, hub).run(sockets=[bound])


class _Server(uvicorn.Server):
    """Ends the streams of events first: the server waits for all answers to be given."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called once a signal came."""
        self._hub.stop()
        await super().shutdown(sockets)


@contextlib.contextmanager
def _bound(serving: Serving) -> Iterator[socket.socket]:
    """A listening socket; where nobody asked for a port and the usual one is taken, one at any free port."""
    ports = (PORT, 0) if serving.port is None else (serving.port,)
    for port in ports:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(serving.host, port, type=socket.SOCK_STREAM)[0]
            bound = socket.socket(family, kind, protocol)
        except OSError as error:
            raise ConfigError(f"cannot listen at {serving.host}: {error.strerror or error}") from error
        with bound:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                bound.bind(address)
            except OSError as error:
                if port == ports[-1]:
                    raise ConfigError(
                        f"cannot listen at {serving.host} port {port}: {error.strerror or error}; try --port 0"
                    ) from error
                continue
            bound.listen(128)
            yield bound
            return


def _address(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104  # compared, not bound
    shown = f"[{shown}]" if ":" in shown else shown
    return f"http://{shown}:{port}"
