"""Training: one tracked model, on record with everything that it came from; and the objective of the search."""

import json
from pathlib import Path

import numpy as np
import pytest

from hpo.errors import ConfigError, ObjectiveError
from hpo.pipeline import taxi
from hpo.pipeline.prepared import open_prepared
from hpo.pipeline.training import train
from trackers.artifacts import ArtifactFolder
from trackers.opening import open_store
from trackers.records import Query, Run, Status


def trained(folder: Path, data: Path, **options: object) -> Run:
    uri, artifacts = f"sqlite:///{folder}/mlflow.db", f"{folder}/mlruns"
    return train(data, tracker=uri, artifacts=artifacts, **options)  # type: ignore[arg-type]  # as the caller has them


def test_a_trained_model_is_on_record_with_params_errors_data_and_files(data: Path, tmp_path: Path) -> None:
    run = trained(tmp_path, data, params={"n_estimators": 3, "max_depth": 4}, seed=7)
    assert run.status is Status.FINISHED
    assert run.params == {
        "n_estimators": "3",
        "max_depth": "4",
        "min_samples_leaf": "2",
        "seed": "7",
        "data": str(data),
    }
    assert 0 < run.metrics["mae"] < run.metrics["rmse"] < 60
    assert open_prepared(data).digests("train", "validation").items() <= run.tags.items()
    assert [model.name for model in run.models] == ["model"]
    with open_store(f"sqlite:///{tmp_path}/mlflow.db") as store:
        manifest = store.tracker.artifacts(run.id)
    assert not ArtifactFolder().verify(run.artifact_uri, manifest)
    assert {"model/MLmodel", "model/input_example.json"} <= {artifact.path for artifact in manifest}


def test_the_saved_model_predicts_from_trips_what_the_matrix_gives(data: Path, tmp_path: Path) -> None:
    run = trained(tmp_path, data, params={"n_estimators": 3}, seed=7)
    with open_store(f"sqlite:///{tmp_path}/mlflow.db") as store:
        model = ArtifactFolder().load_model(run.artifact_uri, "model", store.tracker.artifacts(run.id))
    prepared = open_prepared(data)
    train_part = prepared.part("train")
    forest = taxi.fit({**{"max_depth": 10, "min_samples_leaf": 2}, "n_estimators": 3}, train_part, seed=7)
    trips = prepared.example
    expected = forest.predict(train_part.x[: len(trips)])
    assert np.array_equal(model.predict(list(trips)), expected)  # type: ignore[attr-defined]  # a Pipeline
    assert model.predict([{"PU_DO": "0_0", "trip_distance": 2.1}]).shape == (1,)  # type: ignore[attr-defined]


def test_a_param_that_a_forest_does_not_have_is_named_and_nothing_recorded(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no parameter 'max_dept' - did you mean 'max_depth'\?"):
        trained(tmp_path, data, params={"max_dept": 3})
    assert not (tmp_path / "mlflow.db").exists()


def test_a_fit_that_fails_is_on_record_as_failed(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="max_depth"):
        trained(tmp_path, data, params={"max_depth": -1})
    with open_store(f"sqlite:///{tmp_path}/mlflow.db") as store:
        (run,) = store.tracker.find(Query())
    assert run.status is Status.FAILED
    assert "max_depth" in run.tags["hpo.error"]


def test_data_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ObjectiveError, match=r"no prepared data in .*nowhere; make it with"):
        trained(tmp_path, tmp_path / "nowhere")


def test_the_same_params_data_and_seed_give_the_same_forest(data: Path) -> None:
    prepared = open_prepared(data)
    fitted = [taxi.fit({"n_estimators": 5, "data": "x"}, prepared.part("train"), seed=seed) for seed in (1, 1, 2)]
    first, again, other = (taxi.errors(forest, prepared.part("validation")) for forest in fitted)
    assert first == again != other


def test_the_example_in_the_manifest_is_of_train(data: Path) -> None:
    manifest = json.loads((data / "manifest.json").read_text())
    prepared = open_prepared(data)
    rows = prepared.preprocessor().transform(manifest["example"])
    assert (rows != prepared.part("train").x[: rows.shape[0]]).nnz == 0
