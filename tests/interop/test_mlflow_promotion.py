"""A version that passed gates, and the re-runs behind it, through the real MLflow."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from hpo import run

SWEEP = """
name: gated
metric: {name: rmse}
objective:
  sklearn:
    data: {loader: sklearn.datasets.load_diabetes, test: 0.3}
    estimator: sklearn.tree.DecisionTreeRegressor
    cv: {folds: 3}
parameters: {max_depth: [2, 3, 4], max_features: 0.5}
engine: {name: optuna, sampler: grid}
budget: {n_trials: 3}
parallel: {backend: serial}
register: {name: trees, top: 2, when: rmse < 500, seeds: 2, better_than: champion, stage: Production}
"""


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the store of that sweep."""
    folder = tmp_path_factory.mktemp("gated")
    (folder / "sweep.yaml").write_text(SWEEP)
    run(
        folder / "sweep.yaml",
        tracker=f"sqlite:///{folder}/mlflow.db",
        overrides=[f"tracker.artifacts={folder}/mlruns"],
    )
    return folder


@pytest.fixture
def client(gated: Path, mlflow: Any) -> Any:
    uri = f"sqlite:///{gated}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow upgrades the database on opening it
        client = mlflow.MlflowClient(uri)
        client.search_experiments()
    return client


def test_mlflow_shows_what_the_gates_said_of_a_version(client: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # stages are deprecated there
        version = client.get_model_version_by_alias("trees", "champion")
        assert (str(version.version), version.current_stage) == ("1", "Production")
    said = {verdict["gate"]: verdict for verdict in json.loads(version.tags["hpo.gates"])}
    assert list(said) == ["when", "seeds", "test", "better_than"]
    assert all(verdict["passed"] for verdict in said.values())
    assert f"Gate seeds passed: {said['seeds']['text']}." in version.description
    parent = client.get_run(version.tags["hpo.sweep_run_id"])
    assert json.loads(parent.data.tags["hpo.promotion"])["registered"] == "trees version 1"
    assert version.tags["hpo.environment"] == parent.data.tags["hpo.environment"]
    assert len(version.tags["hpo.space_hash"]) == 64


def test_mlflow_shows_re_runs_below_their_trial_and_only_there(client: Any) -> None:
    version = client.get_model_version_by_alias("trees", "champion")
    winner = client.get_run(version.run_id)
    below = {
        run_id: client.search_runs(
            [winner.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'", order_by=["metrics.rmse ASC"]
        )
        for run_id in (winner.info.run_id, version.tags["hpo.sweep_run_id"])
    }
    again, trials = below.values()
    assert [run.data.tags["hpo.replicate"] for run in sorted(again, key=lambda run: run.info.run_name)] == ["0", "1"]
    assert {run.info.status for run in again} == {"FINISHED"}
    assert len(trials) == 3
    mean = sum(run.data.metrics["rmse"] for run in again) / 2
    assert winner.data.metrics["seeds_mean_rmse"] == pytest.approx(mean)
    assert again[0].data.params == winner.data.params
