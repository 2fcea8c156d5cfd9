"""dask clusters of real processes, for tests."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest
from dask_zygote import ask

PATIENCE = 60.0
FOLDER = "DASK_TEMPORARY_DIRECTORY"


class DaskZygote:
    """Makes small clusters in forks of a process that has everything imported; see dask_zygote.py."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._place = str(folder / "zygote")
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("dask_zygote.py")), self._place],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def cluster(self, port: int = 0, environment: Mapping[str, str] | None = None, **more: object) -> "SmallCluster":
        """A scheduler and its `workers` (4) of one thread each, all in one process."""
        facts = {
            "be": "cluster",
            "environment": {**os.environ, FOLDER: str(self._folder), **(environment or {})},
            "path": [str(Path(entry).absolute()) for entry in sys.path],
            "port": port,
            "workers": 4,
            "resources": None,
            "protocol": "tcp://",
        }
        return SmallCluster(self._place, facts | more)

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait()


class SmallCluster:
    """A cluster that ends when this is closed; its slot hosts and their workers are processes, as ever."""

    def __init__(self, place: str, facts: Mapping[str, object]) -> None:
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        self._stdin, stdout = os.fdopen(ours_in, "w"), os.fdopen(ours_out)
        self._line = socket.socket(socket.AF_UNIX)
        self._line.connect(place)
        ask(self._line, facts, (theirs_in, theirs_out))
        with stdout:
            self.address = stdout.readline().strip()
        assert self.address

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def close(self) -> None:
        """All of it is gone on return; to those it worked for that looks as if it was killed. Safe to call twice."""
        if self._stdin.closed:
            return
        self._stdin.close()
        with self._line, self._line.makefile() as answer:
            answer.readline()


@pytest.fixture(scope="session")
def dask_zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskZygote]:
    """`dask_zygote.cluster()`: a cluster that starts in no time."""
    with tempfile.TemporaryDirectory(prefix="hpo-") as folder:  # a socket's path has to be short
        zygote = DaskZygote(Path(folder))
        yield zygote
        zygote.close()


@pytest.fixture(scope="session")
def dask_cluster(dask_zygote: DaskZygote) -> Iterator[str]:
    """One cluster for all tests of this process that only want to use one."""
    cluster = dask_zygote.cluster()
    yield cluster.address
    cluster.close()


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
