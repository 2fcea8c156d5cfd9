"""The taxi pipeline through its four scripts, and then the registered model through the real MLflow."""

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from hpo.pipeline.prepared import open_prepared

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
CONFIG = SCRIPTS.parent / "configs" / "taxi.yaml"
NAME = "green-taxi-duration"


def script(folder: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, str(SCRIPTS / f"{name}.py"), *arguments]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def piped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the whole pipeline ran."""
    folder = tmp_path_factory.mktemp("taxi")
    steps = [
        ("make_taxi_data", "--rows", "400"),
        ("preprocess",),
        ("train", "--param", "n_estimators=3"),
        ("search", str(CONFIG), "-n", "3", "-S", "parallel.backend=threading"),
        ("register",),
    ]
    for name, *arguments in steps:
        done = script(folder, name, *arguments)
        assert done.returncode == 0, f"{name}\n{done.stdout}\n{done.stderr}"
    return folder


@pytest.fixture
def client(piped: Path, mlflow: Any) -> Any:
    uri = f"sqlite:///{piped}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return mlflow.MlflowClient(uri)


def test_the_registered_model_predicts_minutes_from_trips(client: Any, mlflow: Any, piped: Path) -> None:
    trips = [{"PU_DO": "43_151", "trip_distance": 2.1}, {"PU_DO": "43_151", "trip_distance": 9.0}]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own
        model = mlflow.pyfunc.load_model(f"models:/{NAME}@champion")
        near, far = model.predict(trips)
    assert 1 <= near < far <= 60


def test_mlflow_shows_the_version_with_its_lineage(client: Any, piped: Path) -> None:
    version = client.get_model_version_by_alias(NAME, "champion")
    assert version.description.startswith("Trial ")
    run = client.get_run(version.run_id)
    assert {"rmse", "mae", "test_rmse", "test_mae"} <= set(run.data.metrics)
    assert version.tags["hpo.data.train"] == open_prepared(piped / "data" / "taxi").digest("train")


def test_mlflow_shows_what_data_was_read_for_what(client: Any, piped: Path) -> None:
    version = client.get_model_version_by_alias(NAME, "champion")
    parent = client.get_run(client.get_run(version.run_id).data.tags["mlflow.parentRunId"])
    (single,) = client.search_runs([parent.info.experiment_id], "attributes.run_name = 'taxi-forest'")
    prepared = open_prepared(piped / "data" / "taxi")
    for run in (parent, single):
        seen = {
            item.dataset.name: (item.dataset.digest, *(tag.value for tag in item.tags))
            for item in run.inputs.dataset_inputs
        }
        assert seen == {
            "green-taxi-train": (prepared.digest("train"), "training"),
            "green-taxi-validation": (prepared.digest("validation"), "validation"),
        }
    profile = json.loads(single.inputs.dataset_inputs[0].dataset.profile)
    assert profile["num_rows"] <= 400


def test_a_script_says_what_is_wrong_and_exits_as_hpo_does(piped: Path, tmp_path: Path) -> None:
    missing = script(tmp_path, "preprocess")
    assert missing.returncode == 2
    assert "Error: no file data/green/green_tripdata_2023-01.parquet" in missing.stderr
    unknown = script(piped, "register", "taxy")
    assert unknown.returncode == 1
    assert "Error: no sweep 'taxy' in the store - did you mean 'taxi'?" in unknown.stderr
    wrong = script(piped, "train", "--param", "max_depth:3")
    assert wrong.returncode == 2
    assert "write it as key=value" in wrong.stderr
