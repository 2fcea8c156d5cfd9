"""docs/serving.md: a registered model answers requests, by MLflow's server and by the program on that page."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import hpo

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()
PATIENCE = 180.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(words: list[str], folder: Path, uri: str, port: int) -> Iterator[Callable[[object], Any]]:
    """Asks the server that a command starts; it is ended afterwards with all that it started."""
    names = ("HPO_TRACKER", "MLFLOW_REGISTRY_URI", "PYTHONWARNINGS")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment |= {"MLFLOW_TRACKING_URI": uri, "MLFLOW_DISABLE_TELEMETRY": "true"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            words, cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        until = time.monotonic() + PATIENCE
        while not _listens(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)
        yield lambda question: _ask(port, question)
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _ask(port: int, question: object) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", json.dumps(question).encode(), {"Content-Type": "application/json"}
    )
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            pytest.fail(error.read().decode())
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < until
            time.sleep(0.1)


@pytest.mark.slow
def test_the_program_on_the_page_answers_as_the_model_does(made: Any, tmp_path: Path) -> None:
    [program] = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.S) if "HTTPServer" in block]
    (tmp_path / "serve.py").write_text(program)
    port = free_port()
    with served([sys.executable, "serve.py", "clf@champion", str(port)], tmp_path, made.uri, port) as ask:
        answer = ask({"inputs": made.rows[::10].tolist()})
    assert answer == {"predictions": made.predictions[::10].tolist()}


@pytest.mark.slow
def test_mlflow_serves_the_registered_model(world: Any, tmp_path: Path) -> None:
    [command] = re.findall(r"^mlflow models serve .*$", PAGE, re.M)
    port = free_port()
    command = command.replace("breast-cancer@champion", "clf@champion").replace("5001", str(port))
    with served(shlex.split(command), tmp_path, world.uri, port) as ask:
        answer = ask({"inputs": world.rows[::10].tolist()})
    model: Any = hpo.load_model("clf@champion", tracker=world.uri)
    assert answer == {"predictions": model.predict(world.rows[::10]).tolist()}
