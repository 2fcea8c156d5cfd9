"""A real `mlflow server` on a database that we wrote, asked over REST."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PARENT = "f" * 32
BEST = f"{3:032x}"
PATIENCE = 120.0

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def ask(
    request: pytest.FixtureRequest,
    made: Any,
    copied: Callable[[Any, Path], Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ask]:
    """Asks the server: the endpoint, and the body of a POST or the query of a GET."""
    if request.param == "sqlite":
        world = copied(made, tmp_path_factory.mktemp("served"))
    else:
        world = request.getfixturevalue("made_on_postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = world.folder / "server.log"
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    place = ["--backend-store-uri", world.uri, "--default-artifact-root", str(world.folder / "mlruns")]
    command = [sys.executable, "-m", "mlflow", "server", *place, "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*command, "--workers", "1"],
            stdout=output,
            stderr=output,
            env=environment,
            cwd=world.folder,
            start_new_session=True,
        )
    try:
        wait_until_healthy(server, port, lambda: log.read_text(errors="replace")[-2000:])
        yield lambda *asked, **query: answered(port, *asked, **query)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(20)


def wait_until_healthy(server: subprocess.Popen[bytes], port: int, log: Callable[[], str]) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert server.poll() is None, f"the server ended:\n{log()}"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                assert answer.read() == b"OK"
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"no answer in {PATIENCE} s:\n{log()}")


def answered(port: int, endpoint: str, body: dict[str, Any] | None = None, **query: str) -> dict[str, Any]:
    url = f"http://127.0.0.1:{port}/api/2.0/mlflow/{endpoint}?{urllib.parse.urlencode(query)}"
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(
        urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"}), timeout=30
    ) as answer:
        return json.load(answer)


def test_experiments_and_runs_are_searched(ask: Ask) -> None:
    found = ask("experiments/search", {"max_results": 10, "filter": "name = 'hpo'"})
    [experiment] = found["experiments"]

    runs = ask(
        "runs/search",
        {
            "experiment_ids": [experiment["experiment_id"]],
            "filter": f"tags.mlflow.parentRunId = '{PARENT}' and metrics.acc > 0.75",
            "order_by": ["metrics.acc DESC"],
        },
    )["runs"]
    assert [run["info"]["run_name"] for run in runs] == ["trial-3", "trial-2"]


def test_a_run_is_given_whole(ask: Ask) -> None:
    run = ask("runs/get", run_id=BEST)["run"]

    assert run["info"]["status"] == "FINISHED"
    assert {param["key"]: param["value"] for param in run["data"]["params"]}["depth"] == "3"
    assert run["outputs"]["model_outputs"][0]["model_id"].startswith("m-")
    parent = ask("runs/get", run_id=PARENT)["run"]
    assert parent["inputs"]["dataset_inputs"][0]["dataset"]["name"] == "iris"


def test_the_history_of_a_metric_is_given(ask: Ask) -> None:
    found = ask("metrics/get-history", run_id=BEST, metric_key="acc")

    assert [point["step"] for point in found["metrics"]] == [0, 1, 2]


def test_registered_models_and_versions_are_given(ask: Ask) -> None:
    model = ask("registered-models/get", name="clf")["registered_model"]
    assert {alias["alias"]: alias["version"] for alias in model["aliases"]}["champion"] == "1"
    assert model["latest_versions"][0]["current_stage"] == "Production"

    [version] = ask("model-versions/search", filter="name = 'clf'")["model_versions"]
    assert (version["version"], version["run_id"], version["status"]) == ("1", BEST, "READY")


def test_artifacts_are_listed(ask: Ask) -> None:
    assert [item["path"] for item in ask("artifacts/list", run_id=BEST)["files"]] == ["model", "notes"]
    listed = ask("artifacts/list", run_id=BEST, path="model")["files"]
    assert "model/MLmodel" in [item["path"] for item in listed]


def test_a_tag_set_over_rest_is_read_over_rest(ask: Ask) -> None:
    ask("runs/set-tag", {"run_id": PARENT, "key": "seen", "value": "by rest"})

    tags = {tag["key"]: tag["value"] for tag in ask("runs/get", run_id=PARENT)["run"]["data"]["tags"]}
    assert tags["seen"] == "by rest"
