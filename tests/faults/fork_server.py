"""Drivers forked from a process that has everything imported: they start in milliseconds."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from driver_process import SECONDS, environment_with, until


class Zygote:
    """Runs `hpo` in forks of a process that has imported everything; see zygote.py."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("zygote.py"))],
            env=environment_with({}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "ready"

    def start(self, folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> "Forked":
        """`hpo ARGUMENTS` in the folder; HPO_FAILPOINT counts in that process from its start."""
        number = len(list(folder.glob("*.stderr")))
        stdout, stderr = folder / f"{number}.stdout", folder / f"{number}.stderr"
        stderr.touch()
        request = {
            "folder": str(folder),
            "arguments": arguments,
            "environment": dict(environment or {}),
            "stdout": str(stdout),
            "stderr": str(stderr),
        }
        return Forked(self, int(self.ask(request)), stdout, stderr)

    def hpo(self, folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> "Ended":
        """The same, run to its end."""
        forked = self.start(folder, *arguments, environment=environment)
        code = int(self.ask({"wait": forked.pid, "options": 0}))
        return Ended(128 - code if code < 0 else code, forked.stdout, forked.stderr)

    def ask(self, request: Mapping[str, object]) -> str:
        """One request, one answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait(SECONDS)

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@dataclass
class Forked:
    """A driver that the zygote forked."""

    zygote: Zygote
    pid: int
    stdout_path: Path
    stderr_path: Path
    code: int | None = None

    @property
    def stdout(self) -> str:
        return self.stdout_path.read_text(errors="replace") if self.stdout_path.exists() else ""

    @property
    def stderr(self) -> str:
        return self.stderr_path.read_text(errors="replace")

    @property
    def has_ended(self) -> bool:
        if self.code is None:
            answer = self.zygote.ask({"wait": self.pid, "options": os.WNOHANG})
            self.code = None if answer == "running" else int(answer)
        return self.code is not None

    def send(self, number: signal.Signals) -> None:
        """A signal to the driver alone."""
        os.kill(self.pid, number)

    def send_group(self, number: signal.Signals) -> None:
        """A signal to its process group, as a terminal does."""
        os.killpg(self.pid, number)

    def kill9(self) -> None:
        """SIGKILL to the driver alone, and its end awaited."""
        self.send(signal.SIGKILL)
        self.wait()

    def wait(self, seconds: float = SECONDS) -> int:
        """Its exit code, as a shell has it."""
        until(lambda: self.has_ended, seconds, "the driver's end")
        assert self.code is not None
        return 128 - self.code if self.code < 0 else self.code

    def end(self) -> None:
        """Kills it if it still runs."""
        if not self.has_ended:
            os.killpg(self.pid, signal.SIGKILL)
            self.wait()


@dataclass(frozen=True)
class Ended:
    """A driver that ended: its exit code as a shell has it, and what it printed."""

    code: int
    stdout: str
    stderr: str
