"""Settings of the line's sockets, and the address by which others are reached."""

import socket
from contextlib import suppress
from ipaddress import ip_address

IDLE, BETWEEN, TRIES = 10, 5, 4
"""Seconds until a silent line is asked for a sign of life, between two such questions, and how many stay unanswered."""

UNSENT = 30_000
"""Milliseconds for which what was sent may stay unacknowledged."""


def attend(connection: socket.socket) -> None:
    """Notices within about half a minute that the other side vanished, and sends small messages at once."""
    for level, name, value in (
        (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE", IDLE),
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", BETWEEN),
        (socket.IPPROTO_TCP, "TCP_KEEPCNT", TRIES),
        (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", UNSENT),
    ):
        with suppress(OSError, AttributeError):  # not every system has all of them
            connection.setsockopt(level, getattr(socket, name), value)


def own_address_towards(host: str, port: int) -> str:
    """The address of this machine's interface by which a host is reached; OSError where there is no way to it."""
    family, kind, _, _, target = socket.getaddrinfo(host, port or 1, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as probe:
        probe.connect(target)  # sends nothing
        return str(probe.getsockname()[0])


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
