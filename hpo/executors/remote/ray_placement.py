"""Puts pilots into a Ray cluster; for a process of its own, since Ray ends the process that loses its cluster."""

import importlib
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hpo.errors import ClusterUnavailable, ConfigError
from hpo.executors.gpus import VISIBLE, visible_gpus
from hpo.executors.remote.cluster import Cluster
from hpo.executors.remote.placement import LOST, PilotReport, Placement
from hpo.executors.remote.placement_process import MAKING, PlacementProcess
from hpo.executors.remote.sent_pilot import sent_pilot
from hpo.executors.remote.sockets import own_address_towards
from hpo.failure_text import failure_line
from hpo.processes.family import below, see_off

CLIENT = "ray://"
OBJECT_STORE = 80 * 2**20
"""Bytes: about the least Ray takes; pilots put nothing there."""

LONGEST_FOLDER = 40
"""Characters: Ray makes sockets there, whose paths may have 107, and adds 67 itself. Else its logs stay in /tmp/ray."""


FAREWELL = 2.0
"""Seconds that processes of a cluster of our own have to notice that it is over; they take a tenth of that."""


class RayPlacement:
    """A cluster at `address` as Ray has it (`auto`, `ray://head:10001`, `head:6379`), or a local one for this alone.

    Each pilot is a task that takes `cpus` and `gpus` of Ray's, and is not tried again by Ray: the driver does that.
    """

    def __init__(self, *, address: str | None, slots: int, cpus: int | None, gpus: float | None) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        self._folder = Path(tempfile.mkdtemp(prefix="r"))
        self._pilots: list[Any] = []
        self._cpus, self._gpus = cpus or 1, gpus
        self._ray: Any = None
        self._is_own = address is None
        if address is None:
            _keep_to_this_machine(self._folder)
        try:
            self._ray = importlib.import_module("ray")
            if address is None:
                self._make(slots)
            else:
                self._find(address)
        except ImportError as error:
            self.close()
            raise ConfigError('parallel.backend: ray is not installed: pip install "tracked-hpo[ray]"') from error
        except BaseException:
            self.close()
            raise
        self._address = "127.0.0.1" if address is None else self._towards(address)

    @property
    def address(self) -> str:
        """The address of this machine's interface towards the head of the cluster."""
        return self._address

    def place(self, errand: str, count: int) -> None:
        """Submits so many tasks; those for which there is no room wait in Ray's queue."""
        more = {"num_gpus": self._gpus} if self._gpus else {}
        task = self._ray.remote(num_cpus=self._cpus, max_retries=0, **more)(sent_pilot())
        self._pilots += [task.remote(errand) for _ in range(count)]

    def ended(self) -> Sequence[PilotReport]:
        """The tasks that ended."""
        if not self._pilots:
            return []
        try:
            done, self._pilots = self._ray.wait(self._pilots, num_returns=len(self._pilots), timeout=0)
        except Exception as error:
            raise ClusterUnavailable(f"the ray cluster does not answer: {failure_line(error)}") from error
        return [self._report(pilot) for pilot in done]

    def close(self) -> None:
        """Disconnects, by which Ray ends what runs; a local cluster ends with it."""
        if self._ray is not None:
            started = below(os.getpid()) if self._is_own else []
            self._ray.shutdown()
            see_off(started, FAREWELL)  # Ray itself waits for some: the others would go on writing into the folder
        shutil.rmtree(self._folder, ignore_errors=True)

    def _make(self, slots: int) -> None:
        names = visible_gpus(os.environ).names if self._gpus else ()
        if names:
            os.environ[VISIBLE] = ",".join(names)  # Ray deals what stands here, parts of devices too
        self._ray.init(
            address="local",
            num_cpus=slots * self._cpus,
            num_gpus=len(names),
            object_store_memory=OBJECT_STORE,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            **({"_temp_dir": str(self._folder)} if len(str(self._folder)) <= LONGEST_FOLDER else {}),
        )

    def _find(self, address: str) -> None:
        host, port = _parts(address)
        try:
            if port:  # Ray itself takes minutes to find out that nobody listens
                socket.create_connection((host, port), timeout=5.0).close()
            self._ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except Exception as error:  # each way of connecting has errors of its own
            raise ClusterUnavailable(f"no ray cluster at {address}: {failure_line(error)}") from error

    def _towards(self, address: str) -> str:
        there = address if _parts(address)[1] else str(self._ray.get_runtime_context().gcs_address)
        host, port = _parts(there)
        try:
            return own_address_towards(host, port)
        except OSError as error:
            raise ClusterUnavailable(f"no way from here to the head of the ray cluster at {there}: {error}") from error

    def _report(self, pilot: object) -> PilotReport:
        try:
            return PilotReport.parse(self._ray.get(pilot))
        except Exception as error:  # its process or its node is gone
            return PilotReport(LOST, failure_line(error))


def ray_placement(cluster: Cluster, slots: int) -> Placement:
    """A Ray cluster, held by a process of its own."""
    asked = {"address": cluster.address, "slots": slots, "cpus": cluster.share.cpus, "gpus": cluster.share.gpus}
    # also to find one: Ray's client tries for 60 s, and the head's server for it may take 30 s more
    return PlacementProcess(f"{__name__}:{RayPlacement.__name__}", asked, seconds=MAKING, is_over=cluster.is_over)


def _parts(address: str) -> tuple[str, int]:
    """Host and port; port 0 where there is none, as in `auto`."""
    host, _, port = address.removeprefix(CLIENT).rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdigit() else (address, 0)


def _keep_to_this_machine(folder: Path) -> None:
    """A cluster of our own listens on loopback alone, and takes orders from nobody without its token."""
    token = folder / "token"
    token.touch(0o600)
    token.write_text(secrets.token_hex(32), "ascii")
    os.environ.update(RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0", RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(token))


_: type[Placement] = RayPlacement
