"""A Prefect server of its own for the tests of flows, and flows that run as processes against it."""

import contextlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 600.0
"""Seconds; Prefect takes ten of them to start, a busy machine makes a minute of that."""


@dataclass
class Prefect:
    """Where flows run: a home of Prefect, and a server if `url` names one; else each process makes one for itself."""

    home: Path
    url: str = ""
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def environment(self, **more: str) -> dict[str, str]:
        """No settings of whoever runs the tests, nothing sent to anybody."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "PYTHON"))}
        api = {"PREFECT_API_URL": self.url} if self.url else {"PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "600"}
        return {
            **kept,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": f"{self.home}{os.pathsep}{ROOT}",
            "PREFECT_HOME": str(self.home),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_UI_ENABLED": "false",
            **api,
            **more,
        }

    def start(self, folder: Path, *command: str, **environment: str) -> subprocess.Popen[str]:
        """A process of this home, ended with the test at the latest; what it says goes to `output.log`."""
        with (folder / "output.log").open("a") as log:
            process = subprocess.Popen(
                command, cwd=folder, env=self.environment(**environment), text=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def run(self, folder: Path, *command: str, **environment: str) -> int:
        """Its exit code, negative where a signal ended it."""
        return self.start(folder, *command, **environment).wait(PATIENCE)

    def flow(self, folder: Path, code: str, **environment: str) -> int:
        """Runs Python code."""
        return self.run(folder, sys.executable, "-c", code, **environment)

    def ask(self, path: str, body: Mapping[str, object] | None = None) -> Any:
        """What the server's API answers."""
        data = json.dumps(body if body is not None else {}).encode()
        asked = urllib.request.Request(f"{self.url}/{path}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def runs(self, kind: str, *, flow_run: str) -> list[dict[str, Any]]:
        """The `task_runs` of a flow run, or the `flow_runs` below it, in their order."""
        below = {"flow_run_id": {"any_": [flow_run]}} if kind == "task_runs" else {}
        parent = {"parent_flow_run_id": {"any_": [flow_run]}} if kind == "flow_runs" else {}
        body = {"task_runs": below} if below else {"flow_runs": parent}
        return sorted(self.ask(f"{kind}/filter", body), key=lambda found: found["created"])

    def end(self) -> None:
        """Ends what is left; a flow that was killed leaves the server that it made for itself."""
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


sys.modules["flows_conftest"] = sys.modules[__name__]  # for the tests beside it, which are no package


def wait_for(condition: Callable[[], object]) -> Any:
    """What the condition gives once it gives something."""
    until = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < until
        time.sleep(0.2)
    return found


@pytest.fixture(scope="session")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    if importlib.util.find_spec("prefect") is None:
        pytest.skip("Prefect is not installed")
    home = tmp_path_factory.mktemp("prefect")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    prefect = Prefect(home, f"http://127.0.0.1:{port}/api")
    server = prefect.start(home, "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port))

    def is_up() -> bool:
        assert server.poll() is None, (home / "output.log").read_text()
        try:
            with urllib.request.urlopen(f"{prefect.url}/health", timeout=60):
                return True
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return False

    try:
        wait_for(is_up)
        yield prefect
    finally:
        prefect.end()


@pytest.fixture
def prefect(_server: Prefect) -> Iterator[Prefect]:
    """With a server, one for all tests."""
    mine = Prefect(_server.home, _server.url)
    yield mine
    mine.end()


@pytest.fixture
def serverless(tmp_path: Path) -> Iterator[Prefect]:
    """Without one, as for who has just installed Prefect."""
    if importlib.util.find_spec("prefect") is None:
        pytest.skip("Prefect is not installed")
    home = tmp_path / "prefect"
    home.mkdir()
    mine = Prefect(home)
    yield mine
    mine.end()
