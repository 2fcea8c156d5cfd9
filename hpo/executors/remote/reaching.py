"""Whether a cluster can be had at all: looked at before a sweep is put on record for it."""

import errno
import re
import socket
import time
from collections.abc import Mapping
from importlib.util import find_spec

from hpo.errors import ClusterUnavailable, ConfigError
from hpo.executors.remote.cluster import Cluster, listen_at

SECONDS = 10.0
"""For which somebody may take to listen at the cluster's address, who was started a moment ago."""

PAUSE = 0.25
_NEEDS: Mapping[str, str] = {"dask": "distributed", "ray": "ray"}
_WHO: Mapping[str, str] = {"dask": "the dask scheduler", "ray": "the head of the ray cluster"}
_BY_TCP = re.compile(r"(?:(?:tcp|tls|ws|wss|ray)://)?(?P<host>\[[^\]]+\]|[^:/\[\]]+):(?P<port>[0-9]+)")


def missing_package(backend: str) -> str:
    """What has to be installed on this machine for that backend; empty where nothing has."""
    needed = _NEEDS.get(backend)
    if needed is None or find_spec(needed) is not None:
        return ""
    return f'parallel.backend: {backend} is not installed here: pip install "tracked-hpo[{backend}]"'


def check_reachable(backend: str, cluster: Cluster) -> None:
    """Raises where no trial could run.

    ConfigError for a library that is not installed, or an address to listen at that cannot be; ClusterUnavailable where
    nobody listens at the cluster's address. What only the cluster's own library knows to reach is left to that.
    """
    if missing := missing_package(backend):
        raise ConfigError(missing)
    if cluster.listen is not None:
        _check_listening(cluster.listen)
    found = _BY_TCP.fullmatch(cluster.address or "")
    if found is not None:
        _check_answers(backend, str(cluster.address), found["host"].strip("[]"), int(found["port"]))


def unreachable(who: str, address: str, why: str) -> ClusterUnavailable:
    """The error, with the way out."""
    return ClusterUnavailable(
        f"{who} at {address} is not reachable: {why} (if it is elsewhere now: correct parallel.address, hpo run FILE, "
        "which goes on with a sweep on record)"
    )


def resolved(listen: str) -> tuple[str, int]:
    """The numeric address and the port of `parallel.listen`; ConfigError where nobody knows the host."""
    host, port = listen_at(listen)
    try:
        return str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]), port
    except (OSError, UnicodeError) as error:  # the latter for what can be no name, such as "a..b"
        raise ConfigError(f"parallel.listen: nobody knows {host!r}: {error}") from error


def cannot_listen(host: str, port: int, error: OSError) -> ConfigError:
    """The error, with the way out."""
    where = f"{host}:{port}" if port else host
    why, way_out = {
        errno.EADDRINUSE: (
            f"port {port} is in use, perhaps by another sweep",
            f"name a free one there, or write listen: {f'[{host}]' if ':' in host else host} for any",
        ),
        errno.EADDRNOTAVAIL: ("this machine has no such address", "name one of its own (ip addr shows them)"),
        errno.EACCES: (f"port {port} is not for everybody", "name one above 1023"),
    }.get(error.errno or 0, (error.strerror or str(error), "name another address of this machine"))
    return ConfigError(f"parallel.listen: cannot listen at {where} for the hosts of the cluster: {why}; {way_out}")


def _check_listening(listen: str) -> None:
    host, port = resolved(listen)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the line does: what has ended is no matter
        try:
            probe.bind((host, port))
        except OSError as error:
            raise cannot_listen(host, port, error) from error


def _check_answers(backend: str, address: str, host: str, port: int) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            socket.create_connection((host, port), timeout=SECONDS).close()
        except UnicodeError as error:
            raise unreachable(_WHO[backend], address, f"{host!r} can be no name: {error}") from error
        except OSError as error:
            if time.monotonic() >= deadline:
                raise unreachable(_WHO[backend], address, error.strerror or str(error)) from error
        else:
            return
        time.sleep(PAUSE)
