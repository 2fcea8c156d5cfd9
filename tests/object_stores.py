"""Real object stores for tests: S3 by moto's server, Azure by Azurite, Google by its emulator, each on loopback.

Azurite comes from npm, into `.tools` beside the project's own tools; without npm the tests that need it are skipped.
"""

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ROOT / ".tools"
AZURITE = "azurite@3.35.0"
AZURITE_MAIN = TOOLS / "node_modules/azurite/dist/src/blob/main.js"
BUCKET = "artifacts"
SECRET = "S3CRETkeyofnobody"
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's own, known to everybody."""
FORGOTTEN = ("AWS_", "AZURE_", "GOOGLE_", "MLFLOW_S3_", "STORAGE_EMULATOR_HOST", "HPO_ARTIFACTS_", "GCSFS_")
STARTING = 60.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class ObjectStore:
    """A running store with an empty bucket; `uri` is a folder in it, `environment` what its clients need."""

    kind: str
    uri: str
    environment: Mapping[str, str]
    port: int

    def use(self, patch: pytest.MonkeyPatch, **more: str) -> None:
        """Makes it the one that the environment of this process leads to."""
        forget(patch)
        for name, value in {**self.environment, **more}.items():
            patch.setenv(name, value)

    def through(self, port: int) -> "ObjectStore":
        """The same store behind a proxy."""
        changed = {name: value.replace(f":{self.port}", f":{port}") for name, value in self.environment.items()}
        return ObjectStore(self.kind, self.uri, changed, port)


def forget(patch: pytest.MonkeyPatch) -> None:
    """Takes all that leads to an object store out of the environment."""
    for name in list(os.environ):
        if name.startswith(FORGOTTEN):
            patch.delenv(name)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    port = _free_port()
    endpoint = f"http://127.0.0.1:{port}"
    environment = {
        "AWS_ACCESS_KEY_ID": "AKIANOBODY",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": endpoint,
    }
    with _running([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port, tmp_path_factory):
        _ask(f"{endpoint}/{BUCKET}", "PUT")
        yield ObjectStore("s3", f"s3://{BUCKET}/runs", environment, port)


@pytest.fixture(scope="session")
def gs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    port = _free_port()
    endpoint = f"http://127.0.0.1:{port}"
    # gcsfs looks for hierarchical buckets by gRPC, which the emulator does not speak
    environment = {"STORAGE_EMULATOR_HOST": endpoint, "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}
    emulator = str(Path(sys.executable).with_name("gcp-storage-emulator"))
    command = [emulator, "start", "--host", "127.0.0.1", "--port", str(port), "--in-memory", "-q"]
    with _running(command, port, tmp_path_factory):
        _ask(f"{endpoint}/storage/v1/b?project=p", "POST", f'{{"name": "{BUCKET}"}}'.encode())
        yield ObjectStore("gs", f"gs://{BUCKET}/runs", environment, port)


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    _install_azurite()
    port = _free_port()
    connection = (
        f"DefaultEndpointsProtocol=http;AccountName={AZURE_ACCOUNT};AccountKey={AZURE_KEY};"
        f"BlobEndpoint=http://127.0.0.1:{port}/{AZURE_ACCOUNT};"
    )
    options = ["--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    command = ["node", str(AZURITE_MAIN), "--blobHost", "127.0.0.1", "--blobPort", str(port), *options]
    with _running(command, port, tmp_path_factory):
        from azure.storage.blob import BlobServiceClient

        with BlobServiceClient.from_connection_string(connection) as client:
            client.create_container(BUCKET)
        uri = f"wasbs://{BUCKET}@{AZURE_ACCOUNT}.blob.core.windows.net/runs"
        yield ObjectStore("azure", uri, {"AZURE_STORAGE_CONNECTION_STRING": connection}, port)


def _install_azurite() -> None:
    """Puts Azurite into `.tools` if it is not there; skips where that cannot be done."""
    if not shutil.which("node") or not (AZURITE_MAIN.exists() or shutil.which("npm")):
        pytest.skip("Azure's store is not tested: Azurite needs node and npm, and they are not on PATH")
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / ".azurite.lock").open("w") as lock:  # two test processes must not install at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if AZURITE_MAIN.exists():
            return
        options = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        command = ["npm", "install", "--prefix", str(TOOLS), AZURITE, *options]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
            failure = done.stderr.strip()[-300:] if done.returncode else ""
        except subprocess.TimeoutExpired:
            failure = "it took more than 300 s"
    if failure or not AZURITE_MAIN.exists():
        pytest.skip(f"Azure's store is not tested: npm cannot install {AZURITE}: {failure}")


@contextlib.contextmanager
def _running(command: list[str], port: int, folders: pytest.TempPathFactory) -> Iterator[None]:
    """The server while it is needed, with its output in a file."""
    output = folders.mktemp("server") / "output.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd=output.parent, preexec_fn=_end_with_the_tests)
        try:
            _await(process, port, output)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _end_with_the_tests() -> None:
    """Leaves no server behind where the tests are killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _await(process: subprocess.Popen[bytes], port: int, output: Path) -> None:
    end = time.monotonic() + STARTING
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} did not start: {output.read_text(errors='replace')[-2000:]}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _ask(url: str, method: str, data: bytes | None = None) -> None:
    headers = {"Content-Type": "application/json"} if data else {}
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        answer.read()
