"""Pilots as long tasks of a dask cluster."""

import logging
import secrets
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from math import ceil
from typing import Protocol
from urllib.parse import urlsplit

from hpo.errors import ClusterUnavailable, ConfigError
from hpo.executors.remote.local_cluster import LocalDask
from hpo.executors.remote.placement import LOST, PilotReport, Placement
from hpo.executors.remote.reaching import missing_package, unreachable
from hpo.executors.remote.sent_pilot import sent_pilot
from hpo.executors.remote.sockets import is_loopback, own_address_towards
from hpo.failure_text import failure_line

log = logging.getLogger(__name__)

SECONDS = 10.0
"""For one try to connect to a scheduler, and to connect again where the line broke."""

LOOPBACK = "127.0.0.1"


class _Future(Protocol):
    """What is used of distributed.Future."""

    status: str

    def result(self, timeout: float) -> object: ...


class _Client(Protocol):
    """What is used of distributed.Client."""

    status: str

    def map(self, *given: object, **more: object) -> list[_Future]: ...

    def scheduler_info(self) -> dict[str, dict[str, dict[str, dict[str, float]]]]: ...

    def close(self, timeout: float) -> None: ...


class DaskPlacement:
    """A cluster whose scheduler is at `address`; without one a cluster of `workers` processes on this machine.

    dask's own configuration says what it needs beyond that: a tls:// address takes its certificates from there.
    `resources` are what a worker must have to hold one pilot, as in `dask worker --resources`.
    """

    def __init__(self, address: str | None, workers: int, resources: dict[str, float] | None = None) -> None:
        _check_installed()
        self._resources = resources
        self._own = LocalDask(workers) if address is None else None
        self._address = _url(self._own.address if self._own else str(address))
        self._pilots: list[_Future] = []
        self._client: _Client | None = None
        self._is_closed = False
        self._quiet = _Quiet()
        try:
            self._warn_of_resources(self._connected())
        except BaseException:
            self.close()
            raise
        if self._own is not None and not self._own.security:
            log.warning(
                "other users of this machine can run code in the local dask cluster; pip install cryptography, "
                "which protects it, or use backend loky"
            )
        if not is_loopback(self.address) and not self._address.startswith("tls://"):
            log.warning(
                "the dask scheduler at %s is neither encrypted nor protected: who reaches it can run code there; "
                "use tls:// or a network that you trust",
                self._address,
            )

    @property
    def address(self) -> str:
        """The address of this machine's interface by which the scheduler is reached."""
        where = urlsplit(self._address)
        if self._own is not None or not where.hostname:
            return LOOPBACK
        try:
            return own_address_towards(where.hostname, where.port or 8786)
        except OSError as error:
            raise unreachable("the dask scheduler", self._address, str(error)) from error

    def place(self, errand: str, count: int) -> None:
        """Submits that many tasks, each of which may be run again elsewhere where its worker dies.

        What is sent is code by value: dask's workers end themselves where a function cannot be imported.
        """
        client, key = self._connected(), f"hpo-pilot-{secrets.token_hex(8)}"
        with _translated(self._address):
            self._pilots += client.map(
                sent_pilot(),
                [errand] * count,
                key=[f"{key}-{n}" for n in range(count)],
                pure=False,
                resources=self._resources,
            )

    def ended(self) -> Sequence[PilotReport]:
        """What tasks returned, or how they failed; all have, once the client has given the scheduler up."""
        client = self._client
        if client is None:
            return []
        if client.status == "closed":
            gone = [PilotReport(LOST) for _ in self._pilots]
            self._pilots, self._client = [], None
            return gone
        if client.status != "running":
            raise ClusterUnavailable(f"the dask scheduler at {self._address} does not answer")
        over = [future for future in self._pilots if future.status != "pending"]
        if over:
            self._pilots = [future for future in self._pilots if future not in over]
        return [_report(future) for future in over]

    def close(self) -> None:
        """Leaves the scheduler; tasks that still wait for a worker are forgotten."""
        self._is_closed = True
        self._pilots.clear()
        self._hang_up()
        if self._own is not None:
            self._own.close()
        self._quiet.over()

    def _warn_of_resources(self, client: _Client) -> None:
        """Says where none of the workers offers what a pilot needs; others that do may come."""
        with _translated(self._address):
            offers = [worker["resources"] for worker in client.scheduler_info()["workers"].values()]
        for name, needed in (self._resources or {}).items():
            most = max((offer.get(name, 0.0) for offer in offers), default=needed)
            if most < needed:
                log.warning(
                    "parallel.%ss_per_trial: a trial needs %g of dask's resource %s, and of the workers at %s none "
                    'offers more than %g; waiting for one that does: dask worker %s --resources "%s=%d"',
                    name.lower(), needed, name, self._address, most, self._address, name, max(1, ceil(needed)),
                )  # fmt: skip

    def _connected(self) -> _Client:
        if self._client is not None and self._client.status == "running":
            return self._client
        self._hang_up()
        dask = import_module("distributed")  # it takes a second, and need not be there
        own = self._own.security if self._own else {}
        security = dask.Security(require_encryption=True, **own) if own else None
        with _translated(self._address), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # versions that differ: hosts say that themselves where it matters
            client: _Client = dask.Client(self._address, timeout=SECONDS, set_as_default=False, security=security)
        self._client = client
        if self._is_closed:  # by another thread, meanwhile
            self._hang_up()
            raise ClusterUnavailable("the sweep has ended")
        return client

    def _hang_up(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):  # it is of no more use, whatever it says
                client.close(timeout=SECONDS)


def _report(future: _Future) -> PilotReport:
    try:
        return PilotReport.parse(future.result(timeout=SECONDS))
    except BaseException as error:  # cancelled with its scheduler, or its workers died
        return PilotReport(LOST, failure_line(error))


@contextmanager
def _translated(address: str) -> Iterator[None]:
    try:
        yield
    except (ConfigError, ClusterUnavailable):
        raise
    except Exception as error:  # dask raises OSError, TimeoutError, RuntimeError and ValueError for a line that broke
        raise unreachable("the dask scheduler", address, failure_line(error)) from error


def _url(address: str) -> str:
    url = address if "://" in address else f"tcp://{address}"
    try:  # dask's client finds that out too, and then waits for itself when it is taken apart
        import_module("distributed.comm.addressing").get_address_host_port(url, strict=True)
    except ValueError as error:
        raise ConfigError(
            f"parallel.address: {address!r} is not where a dask scheduler is ({error}); "
            "it is HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT"
        ) from error
    return url


def _check_installed() -> None:
    if missing := missing_package("dask"):
        raise ConfigError(missing)


class _Quiet:
    """As long as there is a placement, what dask's client logs of a lost scheduler is said by us."""

    def __init__(self) -> None:
        import_module("distributed")  # which sets the level itself, once
        self._logger = logging.getLogger("distributed.client")
        self._before = self._logger.level
        self._logger.setLevel(logging.CRITICAL)

    def over(self) -> None:
        """Lets it speak again."""
        self._logger.setLevel(self._before)


_: type[Placement] = DaskPlacement
