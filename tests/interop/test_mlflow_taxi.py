"""The model that the taxi pipeline registers, and what it says of its data, through the real MLflow."""

import importlib.util
import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from hpo.pipeline.prepared import open_prepared
from hpo.pipeline.preprocessing import preprocess
from hpo.pipeline.registering import register
from hpo.pipeline.searching import search
from hpo.pipeline.training import train

ROOT = Path(__file__).resolve().parents[2]
NAME = "green-taxi-duration"


@pytest.fixture(scope="module")
def piped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the whole pipeline ran."""
    folder = tmp_path_factory.mktemp("taxi")
    make_months(folder)
    uri, data = f"sqlite:///{folder}/mlflow.db", preprocess(folder, folder / "data" / "taxi").folder
    train(data, params={"n_estimators": 3}, tracker=uri, artifacts=f"{folder}/mlruns")
    quick = ["budget.n_trials=3", "parallel={n_jobs: 1, backend: serial}", f"tracker.artifacts={folder}/mlruns"]
    search(ROOT / "configs" / "taxi.yaml", data=data, overrides=quick, tracker=uri)
    register("taxi", name=NAME, tracker=uri)
    return folder


def make_months(folder: Path) -> None:
    spec = importlib.util.spec_from_file_location("make_taxi_data", ROOT / "scripts" / "make_taxi_data.py")
    assert spec
    assert spec.loader
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    for month in make.MONTHS:
        make.write_month(folder / f"green_tripdata_{month}.parquet", month, rows=400, seed=0)


@pytest.fixture
def client(piped: Path, mlflow: Any) -> Any:
    uri = f"sqlite:///{piped}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow upgrades the database on opening it
        client = mlflow.MlflowClient(uri)
        client.search_experiments()
    return client


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
