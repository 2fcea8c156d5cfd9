"""A running `hpo ui` on a store of made-up trials, its readers, and any other server that is looked at."""

import contextlib
import http.client
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
from seeded_store import open_store, seed_sweep

BIN = Path(sys.executable).parent
NAME = "bench"


def seeded(folder: Path, trials: int) -> str:
    """A store with one sweep of so many trials; its URI."""
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with open_store(uri, artifacts=str(folder / "mlruns")) as store:
        seed_sweep(store, NAME, trials, seed=1)
    return uri


class Page:
    """A running `hpo ui`, asked with its token."""

    def __init__(self, uri: str) -> None:
        command = [str(BIN / "hpo"), "ui", "--port", "0", "-q", "--tracker", uri]
        environment = {key: value for key, value in os.environ.items() if key != "HPO_UI_TOKEN"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        self.login = self.process.stdout.readline().strip()
        self.base, _, self.token = self.login.partition("/login?token=")
        self.host = self.base.removeprefix("http://")

    def ask(self, path: str) -> bytes:
        connection = http.client.HTTPConnection(self.host, timeout=600)
        connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}", "Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body[:300]
        return body

    def cpu(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    @contextlib.contextmanager
    def read_by(self, count: int, name: str) -> Iterator[None]:
        """So many readers follow the events of a sweep, once it is there."""
        stop = threading.Event()
        thread = threading.Thread(target=self._read, args=(count, name, stop), daemon=True)
        thread.start()
        yield
        stop.set()
        thread.join(30)

    def _read(self, count: int, name: str, stop: threading.Event) -> None:
        with selectors.DefaultSelector() as waiting:
            for _ in range(count):
                while not stop.is_set():
                    with contextlib.suppress(AssertionError):
                        self.ask(f"/api/sweeps/{name}")
                        break
                    time.sleep(0.1)
                host, port = self.host.split(":")
                stream = socket.create_connection((host, int(port)))
                head = f"GET /api/sweeps/{name}/events HTTP/1.1\r\nHost: {self.host}\r\nAccept-Encoding: gzip"
                stream.sendall(f"{head}\r\nAuthorization: Bearer {self.token}\r\n\r\n".encode())
                stream.setblocking(False)
                waiting.register(stream, selectors.EVENT_READ)
            while not stop.is_set():
                for key, _ in waiting.select(0.2):
                    with contextlib.suppress(BlockingIOError):
                        key.fileobj.recv(1 << 20)  # type: ignore[union-attr]
            for key in list(waiting.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@contextlib.contextmanager
def page(uri: str) -> Iterator[Page]:
    running = Page(uri)
    try:
        yield running
    finally:
        running.close()


@contextlib.contextmanager
def serving(command: Sequence[str], address: str, folder: Path) -> Iterator[None]:
    """A server that answers, until the end of the block."""
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, start_new_session=True)
        try:
            until = time.monotonic() + 120
            while True:
                try:
                    urllib.request.urlopen(address, timeout=5).close()
                    break
                except OSError:
                    if time.monotonic() > until or process.poll() is not None:
                        raise
                    time.sleep(0.2)
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 15)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()
