"""Pilots as processes of this machine: the smallest cluster there is."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hpo.errors import ClusterUnavailable
from hpo.executors.remote.placement import LOST, PilotReport, Placement

_RUN = "import sys; from hpo.executors.remote.pilot import run; print(run(sys.stdin.readline()))"


class ProcessPlacement:
    """`environment` and `folder` are those of the pilots; `lose` makes the cluster go away, `mend` brings it back."""

    def __init__(self, environment: Mapping[str, str] | None = None, folder: Path | None = None) -> None:
        self._environment = {**os.environ, **(environment or {})}
        self._folder = folder
        self.pilots: list[subprocess.Popen[bytes]] = []
        self.placed = 0
        self.reports: list[PilotReport] = []
        self._is_lost = False
        self.room = 1_000

    @property
    def address(self) -> str:
        return "127.0.0.1"

    def place(self, errand: str, count: int) -> None:
        self._check()
        for _ in range(min(count, self.room)):
            pilot = subprocess.Popen(
                [sys.executable, "-c", _RUN],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=self._environment,
                cwd=self._folder,
            )
            assert pilot.stdin is not None
            pilot.stdin.write(errand.encode() + b"\n")
            pilot.stdin.close()
            self.pilots.append(pilot)
            self.placed += 1

    def ended(self) -> Sequence[PilotReport]:
        self._check()
        over = [pilot for pilot in self.pilots if pilot.poll() is not None]
        self.pilots = [pilot for pilot in self.pilots if pilot not in over]
        reports = [_report(pilot) for pilot in over]
        self.reports += reports
        return reports

    def close(self) -> None:
        for pilot in self.pilots:
            pilot.kill()
            pilot.wait()
            assert pilot.stdout is not None
            pilot.stdout.close()
        self.pilots.clear()

    def lose(self) -> None:
        self._is_lost = True
        for pilot in self.pilots:
            pilot.send_signal(signal.SIGKILL)

    def mend(self) -> None:
        self._is_lost = False

    def _check(self) -> None:
        if self._is_lost:
            raise ClusterUnavailable("nobody answers")


def _report(pilot: "subprocess.Popen[bytes]") -> PilotReport:
    assert pilot.stdout is not None
    with pilot.stdout:
        said = pilot.stdout.read().decode().strip()
    return PilotReport.parse(said) if said else PilotReport(LOST, f"exit {pilot.returncode}")


_: type[Placement] = ProcessPlacement
