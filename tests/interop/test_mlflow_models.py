"""Our model folders against those MLflow itself writes, and loaded by MLflow."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from trackers.models import ModelFacts, write_model

X, Y = load_iris(return_X_y=True)
TABLE = pd.DataFrame(X, columns=["sl", "sw", "pl", "pw"]).assign(sw=lambda t: t.sw.round().astype(int))
WORDS = np.array(["setosa", "versicolor", "virginica"])[Y]
TRIPS = [{"PU_DO": f"{i % 3}_{i % 2}", "trip_distance": float(i)} for i in range(20)]
MODEL_ID, RUN_ID = "m-" + "1" * 32, "2" * 32

CASES: dict[str, tuple[Callable[[], object], object]] = {
    "svc on arrays": (lambda: make_pipeline(StandardScaler(), SVC()).fit(X, Y), X),
    "forest on a table": (lambda: RandomForestClassifier(3, random_state=0).fit(TABLE, Y), TABLE),
    "logistic of words": (lambda: LogisticRegression(max_iter=500).fit(X, WORDS), X),
    "words from a table": (lambda: LogisticRegression(max_iter=500).fit(TABLE, WORDS), TABLE),
    "mlp": (lambda: MLPClassifier((4,), max_iter=400, tol=0.1, random_state=0).fit(X, Y), X),
    "trips": (
        lambda: make_pipeline(DictVectorizer(), RandomForestRegressor(3, random_state=0)).fit(TRIPS, range(20)),
        TRIPS,
    ),
    "boosting on float32": (
        lambda: GradientBoostingClassifier(n_estimators=3, random_state=0).fit(X, Y),
        X.astype("float32"),
    ),
    "neighbours on csr": (lambda: KNeighborsClassifier(algorithm="brute").fit(X, Y), sparse.csr_matrix(X)),
    "neighbours on csc": (lambda: KNeighborsClassifier(algorithm="brute").fit(X, Y), sparse.csc_matrix(X)),
    "two outputs": (lambda: RandomForestRegressor(2, random_state=0).fit(X, np.c_[Y, Y]), X),
    "scaler": (lambda: StandardScaler().fit(X), X),
}


def read(folder: Path) -> dict[str, Any]:
    """The whole folder: YAML files parsed, JSON parsed, other texts, the model by its name only."""
    found: dict[str, Any] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == ".yaml" or path.name == "MLmodel":
            found[path.name] = yaml.safe_load(path.read_text(encoding="utf-8"))
        elif path.suffix == ".json":
            found[path.name] = json.loads(path.read_text(encoding="utf-8"))
        else:
            found[path.name] = path.read_text(encoding="utf-8") if path.suffix == ".txt" else None
    return found


@pytest.mark.parametrize("name", CASES)
def test_the_folder_is_what_mlflow_writes_field_by_field(mlflow: Any, tmp_path: Path, name: str) -> None:
    make, example = CASES[name]
    model = make()
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    write_model(ours, model, facts=ModelFacts(MODEL_ID, RUN_ID, str(ours)), input_example=example)
    mine = read(ours)
    requirements = mine["requirements.txt"].splitlines()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns of integer columns
        mlflow.sklearn.save_model(
            model,
            str(theirs),
            mlflow_model=mlflow.models.Model(
                artifact_path=str(ours), run_id=RUN_ID, model_id=MODEL_ID, model_uuid=MODEL_ID
            ),
            serialization_format="skops",
            input_example=example[:5],
            skops_trusted_types=mine["MLmodel"]["flavors"]["sklearn"]["skops_trusted_types"],
            pip_requirements=requirements,  # guessing them takes MLflow seven seconds, and names pytest
        )

    other = read(theirs)
    assert mine["MLmodel"].pop("mlflow_version").split(".")[0] == other["MLmodel"].pop("mlflow_version").split(".")[0]
    for facts in (mine["MLmodel"], other["MLmodel"]):
        assert len(facts.pop("utc_time_created")) == 26
        if facts["saved_input_example_info"] is None:
            del facts["saved_input_example_info"]
    # the skops files differ by the ids of objects in memory, which they hold as numbers of varying length
    assert abs(mine["MLmodel"].pop("model_size_bytes") - other["MLmodel"].pop("model_size_bytes")) < 3000
    assert mine == other


@pytest.mark.parametrize("name", [name for name in CASES if name != "scaler"])
def test_mlflow_loads_it_and_predicts_the_same(mlflow: Any, tmp_path: Path, name: str) -> None:
    make, example = CASES[name]
    model = make()
    write_model(tmp_path, model, facts=ModelFacts(MODEL_ID, RUN_ID, str(tmp_path)), input_example=example)

    expected = model.predict(example)
    np.testing.assert_array_equal(mlflow.sklearn.load_model(str(tmp_path)).predict(example), expected)
    np.testing.assert_array_equal(mlflow.pyfunc.load_model(str(tmp_path)).predict(example), expected)


def test_mlflow_reads_the_input_example_back(mlflow: Any, tmp_path: Path) -> None:
    make, example = CASES["forest on a table"]
    write_model(tmp_path, make(), facts=ModelFacts(MODEL_ID, RUN_ID, str(tmp_path)), input_example=example)

    loaded = mlflow.models.Model.load(str(tmp_path))
    pd.testing.assert_frame_equal(loaded.load_input_example(str(tmp_path)), TABLE[:5])
    assert [column.name for column in loaded.get_input_schema().inputs] == list(TABLE.columns)


@pytest.mark.parametrize("value", ["no", "1e3", "2020-01-01", "~", "a: b #c", "ü😀", "'\"\\", "x" * 300])
def test_mlflow_reads_every_text_as_a_text(mlflow: Any, tmp_path: Path, value: str) -> None:
    model = LogisticRegression(max_iter=500).fit(pd.DataFrame(X, columns=[value, "b", "c", "d"]), Y)
    write_model(
        tmp_path,
        model,
        facts=ModelFacts(MODEL_ID, value, value),
        input_example=pd.DataFrame(X, columns=[value, "b", "c", "d"]),
    )

    loaded = mlflow.models.Model.load(str(tmp_path))
    assert (loaded.run_id, loaded.artifact_path) == (value, value)
    assert loaded.get_input_schema().input_names()[0] == value
