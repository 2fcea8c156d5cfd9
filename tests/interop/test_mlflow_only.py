"""A database that MLflow alone wrote: listed, ranked and registered from by us."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from hpo.cli.main import main
from trackers.errors import NotFound
from trackers.opening import open_store
from trackers.records import NewVersion, Order, Query, Status

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow warns of its own deprecations


@pytest.fixture(scope="module")
def theirs(mlflow: Any, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("theirs")
    uri = f"sqlite:///{folder}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    mlflow.create_experiment("theirs", artifact_location=str(folder / "mlruns"))
    mlflow.set_experiment("theirs")
    rows, targets = load_iris(return_X_y=True)
    with mlflow.start_run(run_name="parent") as parent:
        for number, value in enumerate([0.5, 0.9, float("nan"), float("inf")]):
            with mlflow.start_run(run_name=f"child-{number}", nested=True) as child:
                mlflow.log_param("depth", number)
                mlflow.log_metric("acc", 0.1, step=0)
                mlflow.log_metric("acc", value, step=1)
                if number == 1:
                    model = LogisticRegression(max_iter=500).fit(rows, targets)
                    logged = mlflow.sklearn.log_model(model, name="model", pip_requirements=["scikit-learn"])
                    best = child.info.run_id
    mlflow.register_model(f"models:/{logged.model_id}", "theirs")
    client = mlflow.MlflowClient(uri)
    client.set_registered_model_alias("theirs", "champion", "1")
    return SimpleNamespace(
        uri=uri, folder=folder, parent=parent.info.run_id, best=best, model_id=logged.model_id, model=model, rows=rows
    )


@pytest.fixture
def store(theirs: SimpleNamespace) -> Iterator[Any]:
    opened = open_store(theirs.uri, artifacts=str(theirs.folder / "mlruns"))
    yield opened
    opened.close()


def test_its_runs_are_listed_with_parents_and_states(theirs: SimpleNamespace, store: Any) -> None:
    [parent] = store.tracker.find(Query(sweeps=True))
    assert (parent.id, parent.name, parent.sweep) == (theirs.parent, "parent", None)

    children = store.tracker.find(Query(parent=theirs.parent))
    assert [child.name for child in children] == ["child-0", "child-1", "child-2", "child-3"]
    assert {child.status for child in children} == {Status.FINISHED}
    assert [child.params for child in children] == [{"depth": str(number)} for number in range(4)]
    assert dict(store.tracker.counts([theirs.parent])[theirs.parent]) == {"COMPLETE": 4}


def test_its_runs_are_ranked_without_nan_and_infinity(theirs: SimpleNamespace, store: Any) -> None:
    best = Query(parent=theirs.parent, finite="acc", order=[Order("metrics.acc", descending=True)], limit=3)

    assert [run.name for run in store.tracker.find(best)] == ["child-1", "child-0"]
    found = store.tracker.find(Query(where="metrics.acc > 0.6 and params.depth = '1'"))
    assert [run.name for run in found] == ["child-1"]


def test_its_registered_models_are_read(theirs: SimpleNamespace, store: Any) -> None:
    found = store.registry.get("theirs", "champion")

    assert (found.version, found.run_id, found.model_id) == (1, theirs.best, theirs.model_id)
    assert Path(found.source, "MLmodel").exists()
    assert list(store.registry.history("theirs")) == []
    with pytest.raises(NotFound, match="did you mean theirs"):
        store.registry.get("thiers", 1)


def test_every_reading_verb_of_the_command_line_reads_it(theirs: SimpleNamespace, tmp_path: Path) -> None:
    def told(*args: str) -> Any:
        done = CliRunner().invoke(main, [*args, "--tracker", theirs.uri, "-f", "json"])
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)

    assert [(sweep["name"], sweep["trials"]) for sweep in told("ls")] == [("parent", {"COMPLETE": 4})]
    assert told("show")["name"] == "parent"
    assert told("show", "parent#child-1")["models"][0]["model_id"] == theirs.model_id
    assert [trial["metrics"] for trial in told("trials")] == [{"acc": 0.5}, {"acc": 0.9}, {"acc": None}, {"acc": None}]
    assert [trial["value"] for trial in told("best", "--goal", "maximize")] == [0.9, 0.5]
    assert told("logs", theirs.best[:8])["output"] is None
    assert (told("models")[0]["sweep"], told("models")[0]["aliases"][-1:]) == ("parent", ["champion"])
    schema = next(finding for finding in told("doctor") if finding["check"] == "store schema")
    assert schema["state"] == "ok"
    file = tmp_path / "x.csv"
    assert CliRunner().invoke(main, ["export", "-o", str(file), "--tracker", theirs.uri]).exit_code == 0
    assert len(file.read_text().splitlines()) == 5


def test_a_model_of_its_runs_is_registered_by_us_and_loaded_by_mlflow(
    mlflow: Any, theirs: SimpleNamespace, store: Any
) -> None:
    run = store.tracker.get(theirs.best)
    [model] = run.models
    assert model.model_id == theirs.model_id

    made = store.registry.register(
        NewVersion("theirs", model.uri, run.id, f"theirs:{run.id}:1", model.model_id, aliases=("ours",), who="ada")
    )

    assert made.version == 2
    history = [(event.action, event.version, event.who) for event in store.registry.history("theirs")]
    assert history == [
        ("register", 1, "unknown (seen by ada)"),
        ("alias", 1, "unknown (seen by ada)"),
        ("register", 2, "ada"),
        ("alias", 2, "ada"),
    ]
    for uri in ("models:/theirs/2", "models:/theirs@ours", "models:/theirs@champion"):
        loaded = mlflow.pyfunc.load_model(uri)
        np.testing.assert_array_equal(loaded.predict(theirs.rows), theirs.model.predict(theirs.rows))
