"""Drivers that are real processes, and how tests watch processes and wait for them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HPO = (sys.executable, "-c", "from hpo.cli.main import main; main()")
SECONDS = 60.0
"""How long a condition may take before a test gives up; far above what it takes, for a machine that is busy."""


@dataclass
class Driver:
    """A running `hpo` process with its output in files, so that no pipe can fill up."""

    process: subprocess.Popen[bytes]
    stdout_path: Path
    stderr_path: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def stdout(self) -> str:
        return self.stdout_path.read_text(errors="replace")

    @property
    def stderr(self) -> str:
        return self.stderr_path.read_text(errors="replace")

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def send(self, number: signal.Signals) -> None:
        """A signal to the driver alone."""
        self.process.send_signal(number)

    def send_group(self, number: signal.Signals) -> None:
        """A signal to its process group, as a terminal does."""
        os.killpg(self.pid, number)

    def wait(self, seconds: float = SECONDS) -> int:
        """Its exit code, as a shell has it for signals that killed it (137 for SIGKILL)."""
        code = self.process.wait(seconds)
        return 128 - code if code < 0 else code

    def kill9(self) -> None:
        """SIGKILL to the driver alone, and its end awaited."""
        self.process.kill()
        self.process.wait(SECONDS)


def on_host(host: str) -> Sequence[str]:
    """The command of an `hpo` that takes its host for one of that name."""
    code = f"import socket; socket.gethostname = lambda: {host!r}; from hpo.cli.main import main; main()"
    return sys.executable, "-c", code


def environment_with(more: Mapping[str, str]) -> dict[str, str]:
    """What a process gets: nothing of ours but what the test says."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HPO_", "MLFLOW_"))}
    return {**kept, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **more}


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie that nobody has awaited does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def processes_of(folder: Path) -> list[int]:
    """The living processes that work in this folder or below it, by /proc."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            where = (entry / "cwd").readlink()
        except OSError:
            continue
        if where.is_relative_to(folder) and alive(int(entry.name)):
            found.append(int(entry.name))
    return found


def until(condition: Callable[[], object], seconds: float = SECONDS, what: str = "") -> None:
    """Returns once the condition holds; fails the test if it does not within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:g} s in vain{' for ' + what if what else ''}")
        time.sleep(0.005)
