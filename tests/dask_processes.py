"""dask clusters of real processes, for tests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

PATIENCE = 60.0
FOLDER = "DASK_TEMPORARY_DIRECTORY"

_SMALL = """
import os, sys
from distributed import LocalCluster
with LocalCluster(
    n_workers=4, threads_per_worker=1, processes=False, protocol="tcp://", host="127.0.0.1",
    dashboard_address="127.0.0.1:0", scheduler_kwargs={"dashboard": False}, memory_limit=None, silence_logs="CRITICAL",
) as cluster:
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
    os._exit(0)
"""


@contextmanager
def small_cluster(folder: Path) -> Iterator[str]:
    """The address of a scheduler with four workers of one thread each, all in one process."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SMALL],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, FOLDER: str(folder)},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        yield process.stdout.readline().strip()
    process.wait()


@pytest.fixture(scope="session")
def dask_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One cluster for all tests of this process that only want to use one."""
    with small_cluster(tmp_path_factory.mktemp("dask")) as address:
        yield address


class DaskProcesses:
    """A scheduler and workers as they are started by hand, each a process with its nanny, to be killed one by one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self.port = 0
        self.scheduler: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def start_scheduler(self) -> None:
        """At the address that it had before, where there was one."""
        note = self._folder / "scheduler.json"
        note.unlink(missing_ok=True)
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard", "--dashboard-address",
            "127.0.0.1:0", "--scheduler-file", str(note),
        )  # fmt: skip
        until(note.exists)
        if not self.port:
            import json

            until(lambda: bool(note.read_text()))
            self.port = int(json.loads(note.read_text())["address"].rpartition(":")[2])

    def start_worker(
        self, environment: Mapping[str, str] | None = None, *more: str, cwd: Path | None = None
    ) -> "subprocess.Popen[bytes]":
        return self._start(
            "worker", self.address, "--nthreads", "1", "--host", "127.0.0.1", "--no-dashboard", "--memory-limit", "0",
            "--local-directory", str(self._folder), *more, environment=environment, cwd=cwd,
        )  # fmt: skip

    def close(self) -> None:
        for process in self._processes:
            kill_family(process.pid)
            process.wait()

    def _start(
        self, kind: str, *arguments: str, environment: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> "subprocess.Popen[bytes]":
        log = (self._folder / f"{kind}-{len(self._processes)}.log").open("wb")
        with log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", kind, *arguments],
                env={**os.environ, FOLDER: str(self._folder), **(environment or {})},
                stdout=log,
                stderr=log,
                cwd=cwd,
                start_new_session=True,
            )
        self._processes.append(process)
        return process


def kill_family(pid: int) -> None:
    """SIGKILL to a process and its children, but not to what these start in sessions of their own."""
    try:
        process = psutil.Process(pid)
        family = [process, *(child for child in process.children() if os.getsid(child.pid) == os.getsid(pid))]
    except (psutil.Error, OSError):
        return
    for each in family:
        try:
            each.send_signal(signal.SIGKILL)
        except psutil.Error:
            continue


def until(condition: object) -> None:
    """Waits for something that happens on its own."""
    assert callable(condition)
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.02)


@pytest.fixture
def dask_processes(tmp_path: Path) -> Iterator[DaskProcesses]:
    """A scheduler without workers."""
    folder = tmp_path / "dask"
    folder.mkdir()
    cluster = DaskProcesses(folder)
    cluster.start_scheduler()
    yield cluster
    cluster.close()
