"""A real `mlflow server` of the tests' own, and a proxy before it that can be slow, fail, and lose answers.

One server runs for each process of tests that asks for one; every test uses experiments and models of names of its own.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 180.0
ADMIN, PASSWORD = "admin", "S3CRET-of-the-tests"
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


@dataclass
class MlflowServer:
    """A server: started, killed and started again on the same port, with what it keeps in a folder."""

    folder: Path
    port: int
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    password: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns once it answers."""
        place = [
            "--backend-store-uri", f"sqlite:///{self.folder}/remote.db",
            "--default-artifact-root", "mlflow-artifacts:/",
            "--artifacts-destination", str(self.folder / "files"),
        ]  # fmt: skip
        command = [sys.executable, "-m", "mlflow", "server", *place, "--host", "127.0.0.1", "--port", str(self.port)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HPO_", "MLFLOW_"))}
        with (self.folder / "server.log").open("ab") as output:
            self.process = subprocess.Popen(
                [*command, "--workers", "1", *self.options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**kept, **QUIET, **self.environment},
                cwd=self.folder,
                start_new_session=True,
            )
        end = time.monotonic() + PATIENCE
        while not self._is_healthy():
            log = (self.folder / "server.log").read_text(errors="replace")[-2000:]
            assert self.process.poll() is None, f"the server ended:\n{log}"
            assert time.monotonic() < end, f"no answer in {PATIENCE} s:\n{log}"
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL to all its processes."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(PATIENCE)
            self.process = None

    def ask(self, endpoint: str, body: dict[str, Any] | None = None, **query: str) -> dict[str, Any]:
        """A POST of the body, or a GET with the query."""
        url = f"{self.uri}/api/2.0/mlflow/{endpoint}?{urllib.parse.urlencode(query)}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
        if self.user:
            import base64

            token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            request.add_header("Authorization", f"Basic {token}")
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def runs(self, experiment: str, view: str = "ACTIVE_ONLY") -> list[dict[str, Any]]:
        """The runs of an experiment, by name; none where there is no such experiment. Tags and the like by key."""
        try:
            found = self.ask("experiments/get-by-name", experiment_name=experiment)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return []
            raise
        body = {"experiment_ids": [found["experiment"]["experiment_id"]], "max_results": 5000, "run_view_type": view}
        runs = self.ask("runs/search", body).get("runs", [])
        for run in runs:
            for part in ("tags", "params", "metrics"):
                run[part] = {item["key"]: item["value"] for item in run["data"].get(part, [])}
        return sorted(runs, key=lambda run: (len(run["info"]["run_name"]), run["info"]["run_name"]))

    def _is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=10) as answer:
                return bool(answer.read() == b"OK")
        except OSError:
            return False


@dataclass
class Proxy:
    """Stands before a server. `rule` is asked of every request what to do with it: `pass`, `fail` (500), `unknown`
    (404), `cut` (no answer, nothing done), `lose` (done, no answer), `hang` (until released)."""

    server: MlflowServer
    rule: Callable[[str], str] = lambda _: "pass"
    seen: list[str] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    _http: ThreadingHTTPServer | None = None

    @property
    def uri(self) -> str:
        assert self._http is not None
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def count(self, ending: str) -> int:
        """How many requests had a path that ends so."""
        return sum(path.endswith(ending) for path in list(self.seen))

    def open(self) -> None:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = self.path.partition("?")[0]
                proxy.heard.append(self.path.encode() + b"\n" + bytes(self.headers) + body)
                action = proxy.rule(path)
                proxy.seen.append(path)
                if action == "hang":
                    proxy.released.wait(PATIENCE)
                if action in ("cut", "hang"):
                    return self.cut()
                if action in ("fail", "unknown"):
                    return self.answer(500 if action == "fail" else 404, b"no", "text/plain")
                headers = {
                    name: text for name, text in self.headers.items() if name.lower() not in ("host", "connection")
                }
                request = urllib.request.Request(
                    proxy.server.uri + self.path, data=body or None, headers=headers, method=self.command
                )
                try:
                    with urllib.request.urlopen(request, timeout=PATIENCE) as found:
                        status, content, kind = found.status, found.read(), found.headers.get("Content-Type", "")
                except urllib.error.HTTPError as error:
                    status, content, kind = error.code, error.read(), error.headers.get("Content-Type", "")
                except OSError:
                    return self.cut()
                return self.cut() if action == "lose" else self.answer(status, content, kind)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do  # noqa: N815  # as they are called

            def cut(self) -> None:
                self.close_connection = True
                with contextlib.suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)

            def answer(self, status: int, content: bytes, kind: str) -> None:
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    self.send_header("Content-Type", kind)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.released.set()
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(server: MlflowServer) -> Iterator[MlflowServer]:
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A server for all tests of this process."""
    with running(MlflowServer(tmp_path_factory.mktemp("server"), free_port())) as server:
        yield server


@pytest.fixture(scope="session")
def closed_mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A server that asks for user and password (basic-auth)."""
    folder = tmp_path_factory.mktemp("closed")
    settings = {
        "default_permission": "READ",
        "database_uri": f"sqlite:///{folder}/users.db",
        "admin_username": ADMIN,
        "admin_password": PASSWORD,
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
    }
    (folder / "auth.ini").write_text("\n".join(["[mlflow]", *(f"{name} = {text}" for name, text in settings.items())]))
    environment = {"MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"), "MLFLOW_FLASK_SERVER_SECRET_KEY": "tests"}
    closed = MlflowServer(folder, free_port(), ("--app-name", "basic-auth"), environment, user=ADMIN, password=PASSWORD)
    with running(closed) as server:
        yield server


@pytest.fixture
def mlflow_proxy(mlflow_server: MlflowServer) -> Iterator[Proxy]:
    """A proxy before the server, which passes everything on until it is given a rule."""
    proxy = Proxy(mlflow_server)
    proxy.open()
    yield proxy
    proxy.close()


@pytest.fixture
def fresh_name() -> str:
    """A name that no other test gives to its experiment or model."""
    return f"t{uuid.uuid4().hex[:12]}"
