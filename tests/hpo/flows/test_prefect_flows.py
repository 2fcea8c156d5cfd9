"""Flows on a real Prefect server: what they give, what is tried again, and what a killed one leaves behind."""

import json
import os
import signal
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hpo import load
from trackers.opening import open_store

if TYPE_CHECKING:
    from conftest import Prefect

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 600.0
"""Seconds."""
SWEEP = """
name: {name}
metric: {{name: loss}}
objective: {{python: "parabola:objective"}}
parameters: {{x: {{type: float, low: 0, high: 4}}}}
engine: {{name: optuna, sampler: random, seed: 1}}
budget: {{n_trials: 4}}
parallel: {{backend: serial}}
tracker: {{artifacts: mlruns}}
register: {{name: {name}, top: 1, when: "loss <= 100"}}
"""
CODE = """
import os, pathlib, signal, time
from sklearn.dummy import DummyRegressor

def prepare(text):
    pathlib.Path("data.txt").write_text(text)

def objective(params, trial):
    once = pathlib.Path("once")
    if trial.number == 2 and "OF_FLOW" in os.environ and not once.exists():
        once.touch()
        if os.environ["OF_FLOW"] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(600)
    trial.log_model(DummyRegressor(strategy="constant", constant=params["x"]).fit([[0.0]], [0.0]))
    return (params["x"] - 1) ** 2
"""
CALL = """
import json, pathlib, sys
from hpo.flows import pipeline_flow, sweep_flow
pathlib.Path("answer.json").write_text(json.dumps({call}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with two sweeps, the second one in processes."""
    project = tmp_path / "project"
    project.mkdir()
    for name in ("first", "second"):
        (project / f"{name}.yaml").write_text(SWEEP.format(name=name))
    in_processes = (project / "second.yaml").read_text().replace("{backend: serial}", "{n_jobs: 2}")
    (project / "second.yaml").write_text(in_processes)
    (project / "parabola.py").write_text(CODE)
    return project


def answer(folder: Path) -> Any:
    return json.loads((folder / "answer.json").read_text())


def output(folder: Path) -> str:
    return (folder / "output.log").read_text()


def store(folder: Path) -> str:
    return f"sqlite:///{folder}/mlflow.db"


def top_run(prefect: "Prefect", flow: str) -> dict[str, Any]:
    """The latest run of a flow that no other flow called."""
    found = prefect.ask("flow_runs/filter", {"flows": {"name": {"any_": [flow]}}, "sort": "EXPECTED_START_TIME_DESC"})
    return next(run for run in found if run["parent_task_run_id"] is None)


def test_a_pipeline_prepares_searches_registers_and_promotes_and_says_so(prefect: "Prefect", folder: Path) -> None:
    call = """pipeline_flow(["first.yaml", "second.yaml"], name="{name}-{date}", preprocess="parabola:prepare",
        preprocess_options={"text": "ready"}, promote_to="production")"""
    assert prefect.flow(folder, CALL.replace("{call}", call)) == 0, output(folder)
    first, second = answer(folder)
    assert (folder / "data.txt").read_text() == "ready"
    assert first["registered"] == {"name": "first", "version": 1, "aliases": ["champion"]}
    assert second["promoted_to"] == "production"
    with open_store(store(folder), read_only=True) as opened:
        assert opened.registry.get("second", "production").version == 1
        assert opened.tracker.get(first["run_id"]).experiment == "first"
    top = top_run(prefect, "pipeline")
    below = prefect.runs("flow_runs", flow_run=top["id"])
    assert [run["name"] for run in below] == [first["sweep"], second["sweep"]]
    assert [task["name"].split("-")[0] for task in prefect.runs("task_runs", flow_run=below[0]["id"])] == [
        "search", "register", "promote", "report",
    ]  # fmt: skip
    said = [log["message"] for log in prefect.ask("logs/filter", {"logs": {"flow_run_id": {"any_": [below[0]["id"]]}}})]
    assert any(line.startswith("trial 3 COMPLETE") for line in said)
    (artifact,) = prefect.ask("artifacts/filter", {"artifacts": {"key": {"any_": ["hpo-first"]}}})
    assert artifact["data"].startswith(f"# {first['sweep']}")
    assert not (prefect.home / "storage").exists()  # results are kept in the store alone


def test_a_store_that_is_away_at_first_is_tried_again(prefect: "Prefect", folder: Path) -> None:
    from postgres_server import running_server

    with running_server() as server:
        uri = server.uri_with_password(server.create())
        server.stop(signal.SIGINT)
        code = CALL.replace("{call}", 'sweep_flow("first.yaml", retries=30, retry_delay=1)')
        flow = prefect.start(folder, sys.executable, "-c", code, HPO_TRACKER=uri, HPO_STORE_RETRY_FOR="0")
        wait_for = sys.modules["flows_conftest"].wait_for
        wait_for(lambda: "will start 1.0 second(s) from now" in output(folder) or flow.poll() is not None)
        assert flow.poll() is None, output(folder)
        server.start()
        assert flow.wait(PATIENCE) == 0, output(folder)
        assert load("first", tracker=uri).counts() == {"COMPLETE": 4}
    assert answer(folder)["registered"]["version"] == 1
    assert server.uri_with_password("x").split(":")[2].split("@")[0] not in output(folder)


def test_what_is_wrong_in_a_file_is_said_at_once_and_nothing_is_run(prefect: "Prefect", folder: Path) -> None:
    (folder / "second.yaml").write_text(SWEEP.format(name="second").replace("n_trials", "n_trails"))
    code = CALL.replace("{call}", 'pipeline_flow(["first.yaml", "second.yaml"], retry_delay=600)')
    assert prefect.flow(folder, code) == 1
    assert "did you mean 'n_trials'" in output(folder)
    top = top_run(prefect, "pipeline")
    assert top["state_type"] == "FAILED"
    assert not prefect.runs("flow_runs", flow_run=top["id"])
    assert not (folder / "mlflow.db").exists()


def test_parameters_are_checked_and_described_before_a_run_begins(prefect: "Prefect", folder: Path) -> None:
    code = """
        import json, pathlib
        from hpo.flows import pipeline_flow, sweep_flow
        wrong = [{"file": "a", "retries": -1}, {"file": "a", "overrides": "x=1"}, {"file": "a", "retry_delay": "soon"}]
        refused = 0
        for parameters in wrong:
            try:
                sweep_flow.validate_parameters(parameters)
            except Exception as error:
                refused += "retr" in str(error) or "overrides" in str(error)
        described = pipeline_flow.parameters.model_dump()["properties"]["name"]["description"]
        pathlib.Path("answer.json").write_text(json.dumps([refused, described]))
    """
    assert prefect.flow(folder, textwrap.dedent(code)) == 0, output(folder)
    refused, described = answer(folder)
    assert refused == 3
    assert "{name}-{date}" in described


def test_an_error_of_the_user_is_not_tried_again(prefect: "Prefect", folder: Path) -> None:
    (folder / "parabola.py").unlink()
    code = CALL.replace("{call}", 'sweep_flow("first.yaml", retry_delay=600)')
    assert prefect.flow(folder, code) == 1
    (search,) = prefect.runs("task_runs", flow_run=top_run(prefect, "sweep")["id"])
    assert (search["run_count"], search["state_type"]) == (1, "FAILED")
    assert "no module" in output(folder).lower()


def test_gates_that_refuse_are_an_answer_unless_that_is_a_failure(prefect: "Prefect", folder: Path) -> None:
    changes = 'sweep_flow("first.yaml", ["register.when=loss < 0"]'
    assert prefect.flow(folder, CALL.replace("{call}", f"{changes}, promote_to='production')")) == 0, output(folder)
    assert answer(folder)["registered"] is None
    assert "gate when" in answer(folder)["not_registered"]
    assert prefect.flow(folder, CALL.replace("{call}", f"{changes}, require_register=True)")) == 1
    assert top_run(prefect, "sweep")["state_type"] == "FAILED"
    assert prefect.ask("artifacts/filter", {"artifacts": {"key": {"any_": ["hpo-first"]}}})


def test_a_flow_that_was_killed_goes_on_when_it_is_run_again(serverless: "Prefect", folder: Path) -> None:
    code = CALL.replace("{call}", 'pipeline_flow(["first.yaml"])')
    assert serverless.flow(folder, code, OF_FLOW="kill") == -signal.SIGKILL, output(folder)
    before = load("first", tracker=store(folder))
    assert before.counts() == {"COMPLETE": 2, "RUNNING": 1}
    assert serverless.flow(folder, code, OF_FLOW="kill") == 0, output(folder)
    assert answer(folder)[0]["run_id"] == before.run_id
    assert answer(folder)[0]["trials"] == {"COMPLETE": 4}
    assert answer(folder)[0]["registered"]["version"] == 1


def test_a_flow_that_is_terminated_leaves_nothing_running(prefect: "Prefect", folder: Path) -> None:
    code = CALL.replace("{call}", 'sweep_flow("first.yaml", ["parallel.backend=threading"])')
    flow = prefect.start(folder, sys.executable, "-c", code, OF_FLOW="sleep")
    sys.modules["flows_conftest"].wait_for(lambda: (folder / "once").exists() or flow.poll() is not None)
    os.kill(flow.pid, signal.SIGTERM)
    assert flow.wait(PATIENCE) != 0, output(folder)
    assert load("first", tracker=store(folder)).counts() == {"COMPLETE": 2, "WAITING": 1}
    assert top_run(prefect, "sweep")["state_type"] == "CRASHED"
    assert prefect.flow(folder, code, OF_FLOW="sleep") == 0, output(folder)
    assert answer(folder)["trials"] == {"COMPLETE": 4}


def test_a_sweep_that_somebody_stops_is_a_cancelled_run(prefect: "Prefect", folder: Path) -> None:
    code = CALL.replace("{call}", 'pipeline_flow(["first.yaml"], ["parallel.backend=threading"])')
    flow = prefect.start(folder, sys.executable, "-c", code, OF_FLOW="sleep")
    sys.modules["flows_conftest"].wait_for(lambda: (folder / "once").exists() or flow.poll() is not None)
    assert prefect.run(folder, "hpo", "stop", "first") == 0, output(folder)
    assert flow.wait(PATIENCE) == 1, output(folder)
    assert load("first", tracker=store(folder)).counts() == {"COMPLETE": 2, "WAITING": 1}
    top = top_run(prefect, "pipeline")
    assert top["state_type"] == "CANCELLED"
    assert [run["state_type"] for run in prefect.runs("flow_runs", flow_run=top["id"])] == ["CANCELLED"]


def test_a_deployment_runs_on_a_worker_and_its_crashed_run_goes_on(prefect: "Prefect", folder: Path) -> None:
    assert prefect.run(folder, "prefect", "work-pool", "create", "--type", "process", "pool") == 0, output(folder)
    deploy = f"""
        from prefect import flow
        flow.from_source({str(folder)!r}, entrypoint="nightly.py:pipeline_flow").deploy(
            name="nightly", work_pool_name="pool", cron="0 2 * * *", parameters={{"files": ["first.yaml"]}}
        )
    """
    (folder / "nightly.py").write_text("from hpo.flows import pipeline_flow\n")
    assert prefect.flow(folder, textwrap.dedent(deploy)) == 0, output(folder)
    deployment = prefect.ask("deployments/filter", {"deployments": {"name": {"any_": ["nightly"]}}})[0]
    run = prefect.ask(f"deployments/{deployment['id']}/create_flow_run")["id"]
    worker = ("prefect", "worker", "start", "--pool", "pool", "--run-once")
    assert prefect.run(folder, *worker, OF_FLOW="kill") == 0, output(folder)
    state = prefect.ask("flow_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})[0]
    assert state["state_type"] == "CRASHED", output(folder)
    prefect.ask(f"flow_runs/{run}/set_state", {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "force": True})
    assert prefect.run(folder, *worker, OF_FLOW="kill") == 0, output(folder)
    state = prefect.ask("flow_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})[0]
    assert state["state_type"] == "COMPLETED", output(folder)
    assert load("first", tracker=store(folder)).counts() == {"COMPLETE": 4}


def test_a_run_of_the_documented_project_that_is_cancelled_on_its_worker_leaves_nothing_running(
    prefect: "Prefect", folder: Path
) -> None:
    project = (ROOT / "docs" / "examples" / "prefect.yaml").read_text()
    (folder / "prefect.yaml").write_text(project.replace("/srv/sweeps", str(folder)))
    assert prefect.run(folder, "prefect", "work-pool", "create", "--type", "process", "sweeps") == 0, output(folder)
    assert prefect.run(folder, "prefect", "--no-prompt", "deploy", "--all") == 0, output(folder)
    (deployment,) = prefect.ask("deployments/filter", {"work_pools": {"name": {"any_": ["sweeps"]}}})
    assert deployment["schedules"][0]["schedule"]["cron"] == "0 2 * * *"
    changed = {**deployment["parameters"], "overrides": ["parallel.backend=threading"]}
    run = prefect.ask(f"deployments/{deployment['id']}/create_flow_run", {"parameters": changed})["id"]
    prefect.start(folder, "prefect", "worker", "start", "--pool", "sweeps", OF_FLOW="sleep")
    wait_for = sys.modules["flows_conftest"].wait_for

    def state() -> str:
        return str(prefect.ask("flow_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})[0]["state_type"])

    wait_for(lambda: (folder / "once").exists() or state() not in ("SCHEDULED", "PENDING", "RUNNING"))
    assert state() == "RUNNING", output(folder)
    prefect.ask(f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}, "force": True})
    wait_for(lambda: state() not in ("RUNNING", "CANCELLING"))
    assert state() == "CANCELLED", output(folder)
    assert load("@latest", tracker=store(folder)).counts() == {"COMPLETE": 2, "WAITING": 1}
