"""Ray clusters of real processes, for tests."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

PATIENCE = 120.0


class Nodes:
    """A Ray cluster whose head has no CPUs; what `tell` understands stands in ray_nodes.py."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="hpo-", dir="/tmp")  # sockets want it short
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("ray_nodes.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            env={
                **os.environ,
                "RAY_TMPDIR": self._folder,
                "RAY_USAGE_STATS_ENABLED": "0",
                "RAY_gcs_rpc_server_reconnect_timeout_s": "3",
            },
        )
        self.address, self.client_address = self._line().split()

    def tell(self, words: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{words}\n")
        self._process.stdin.flush()
        assert self._line() == "done"

    def kill(self) -> None:
        """All of them at once, and all that they run."""
        for process in psutil.Process(self._process.pid).children(recursive=True) if self.is_there else ():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.kill()
        self.close()

    @property
    def is_there(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(OSError):
            self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[str]:
    """The address of one cluster for all tests of this process that only want to use one."""
    pytest.importorskip("ray")
    nodes = Nodes()
    try:
        nodes.tell("add 4")
        yield nodes.address
    finally:
        nodes.close()
