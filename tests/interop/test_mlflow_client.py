"""The real MlflowClient on databases that we wrote, a file and one on a server, reading them and writing back."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trackers.artifacts import ArtifactFolder
from trackers.opening import open_store
from trackers.records import NewVersion, Order, Query, RunEnded, RunStarted, Status, TrialFacts

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow warns of its own deprecations

PARENT = "f" * 32
BEST = f"{3:032x}"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest, world: Any) -> Any:
    return world if request.param == "sqlite" else request.getfixturevalue("made_on_postgres")


@pytest.fixture
def client(mlflow: Any, world: Any) -> Any:
    mlflow.set_tracking_uri(world.uri)
    mlflow.set_registry_uri(world.uri)
    # MLflow remembers by run id alone where a run's files are, and our worlds have the same ids
    mlflow.tracking._tracking_service.utils._artifact_repos_cache.clear()
    return mlflow.MlflowClient(world.uri)


@pytest.fixture
def experiment(client: Any) -> str:
    return client.get_experiment_by_name("hpo").experiment_id


@pytest.fixture
def store(world: Any):
    opened = open_store(world.uri, artifacts=str(world.folder / "mlruns"))
    yield opened
    opened.close()


def trials(client: Any, experiment: str, more: str = "", **options: Any) -> list[Any]:
    found = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{PARENT}'{more}", **options)
    return [run for run in found if run.info.run_name.startswith("trial-")]


@pytest.mark.everyday(without="postgres")
def test_children_are_found_by_their_parent_and_ordered_by_a_metric(client: Any, experiment: str) -> None:
    found = trials(client, experiment, order_by=["metrics.acc DESC"])

    assert [run.info.run_name for run in found[:2]] == ["trial-3", "trial-2"]
    assert len(found) == 6
    assert found[0].data.metrics["acc"] == pytest.approx(0.9)
    assert found[0].data.params == {"C": repr(0.1 * 3), "penalty": "l2", "depth": "3"}
    assert (found[0].info.status, found[0].info.start_time) == ("FINISHED", 1_760_000_003_000)


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("metrics.acc > 0.75", {"trial-2", "trial-3"}),
        ("params.penalty = 'l1' and metrics.acc < 0.75", {"trial-0"}),
        ("attributes.run_name LIKE 'trial-4%'", {"trial-4"}),
        ("status = 'FAILED'", {"trial-4"}),
        ("attributes.start_time >= 1760000005000", {"trial-5"}),
    ],
)
def test_filters_find_what_they_say(client: Any, experiment: str, condition: str, names: set[str]) -> None:
    assert {run.info.run_name for run in trials(client, experiment, f" and {condition}")} == names


def test_the_history_of_a_metric_has_every_step(client: Any) -> None:
    history = client.get_metric_history(f"{1:032x}", "acc")

    assert [point.step for point in history] == [0, 1, 2]
    assert [point.value for point in history] == pytest.approx([0.5, 0.6, 0.7])
    assert math.isnan(client.get_run(f"{5:032x}").data.metrics["odd"])


def test_the_parent_has_its_name_note_user_and_data_set(client: Any, experiment: str) -> None:
    parent = client.get_parent_run(BEST)

    assert parent.info.run_id == PARENT
    assert (parent.info.run_name, parent.info.user_id) == ("iris-sweep", "ada")
    assert parent.data.tags["mlflow.note.content"] == "a sweep"
    [given] = parent.inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == ("iris", "d1")
    assert [(tag.key, tag.value) for tag in given.tags] == [("mlflow.data.context", "training")]
    assert [run.info.run_id for run in client.search_runs([experiment], "dataset.name = 'iris'")] == [PARENT]


def test_runs_become_a_data_frame(mlflow: Any, client: Any, experiment: str) -> None:
    frame = mlflow.search_runs([experiment], "params.depth = '2'")

    assert list(frame["metrics.acc"]) == pytest.approx([0.8])
    assert list(frame["tags.mlflow.parentRunId"]) == [PARENT]


def test_the_model_is_logged_with_its_lineage(client: Any, world: Any, experiment: str) -> None:
    [logged] = client.search_logged_models([experiment])

    assert (logged.model_id, logged.name, logged.source_run_id) == (world.model_id, "model", BEST)
    assert str(logged.status) == "READY"
    assert logged.params["penalty"] == "l2"
    assert {metric.key: metric.value for metric in logged.metrics}["acc"] == pytest.approx(0.9)
    assert '"clf"' in logged.tags["mlflow.modelVersions"]
    outputs = client.get_run(BEST).outputs.model_outputs
    assert [output.model_id for output in outputs] == [world.model_id]


def test_the_registered_version_is_complete(client: Any, world: Any) -> None:
    version = client.get_model_version("clf", "1")

    assert version.status == "READY"
    assert (version.current_stage, version.run_id, version.description) == ("Production", BEST, "trial 3")
    assert (version.source, version.user_id) == (f"models:/{world.model_id}", "ada")
    assert version.tags == {"hpo.trial": "3"}
    assert "champion" in version.aliases
    assert client.get_model_version_by_alias("clf", "champion").run_id == BEST
    assert "clf" in [model.name for model in client.search_registered_models()]
    assert [found.version for found in client.search_model_versions(f"run_id = '{BEST}'")] != []
    assert client.get_registered_model("clf").aliases["champion"] == 1


@pytest.mark.parametrize(
    "place",
    [
        "models:/clf/1",
        "models:/clf@champion",
        "models:/clf/Production",
        "models:/clf/latest",
        "models:/{model}",
        "runs:/{run}/model",
    ],
)
def test_the_model_is_loaded_from_every_place(mlflow: Any, client: Any, world: Any, place: str) -> None:
    uri = place.format(model=world.model_id, run=BEST)

    np.testing.assert_array_equal(mlflow.pyfunc.load_model(uri).predict(world.rows), world.predictions)
    np.testing.assert_array_equal(mlflow.sklearn.load_model(uri).predict(world.rows), world.predictions)


def test_the_models_facts_name_its_run_and_signature(mlflow: Any, client: Any, world: Any) -> None:
    facts = mlflow.models.get_model_info("models:/clf/1")

    assert (facts.run_id, facts.model_id) == (BEST, world.model_id)
    assert facts.signature.inputs.numpy_types() == [np.dtype("float64")]
    assert facts.flavors["sklearn"]["serialization_format"] == "skops"


def test_artifacts_are_listed_and_downloaded(client: Any, tmp_path: Path) -> None:
    assert [(item.path, item.is_dir) for item in client.list_artifacts(BEST)] == [("model", True), ("notes", True)]
    [note] = client.list_artifacts(BEST, "notes")
    assert (note.path, note.file_size) == ("notes/note.txt", 4)
    assert Path(client.download_artifacts(BEST, "notes/note.txt", str(tmp_path))).read_text() == "kept"
    assert Path(client.download_artifacts(BEST, "model", str(tmp_path)), "MLmodel").exists()


def test_what_mlflow_writes_to_our_runs_is_read_by_us(client: Any, store: Any) -> None:
    run = f"{0:032x}"
    client.set_tag(run, "checked", "yes ü")
    client.log_metric(run, "later", 0.75, step=7, timestamp=5)
    client.log_param(run, "extra", 3)
    client.log_text(run, "hello", "a/b.txt")

    found = store.tracker.get(run)
    assert found.tags["checked"] == "yes ü"
    assert found.metrics["later"] == 0.75
    assert [(point.step, point.timestamp) for point in store.tracker.history(run, "later")] == [(7, 5)]
    assert found.params["extra"] == "3"
    assert found.params["depth"] == 0
    assert ArtifactFolder().open(found.artifact_uri, "a/b.txt").read() == b"hello"
    assert [item.id for item in store.tracker.find(Query(parent=PARENT, where="tags.checked = 'yes ü'"))] == [run]


def test_a_nested_run_made_by_mlflow_is_a_child_of_our_parent(
    mlflow: Any, client: Any, store: Any, experiment: str
) -> None:
    with (
        mlflow.start_run(run_id=PARENT),
        mlflow.start_run(nested=True, experiment_id=experiment, run_name="theirs") as run,
    ):
        mlflow.log_metric("acc", 0.05)
        mlflow.log_param("depth", 99)

    [found] = store.tracker.find(Query(parent=PARENT, name="theirs"))
    assert (found.id, found.status, found.trial) == (run.info.run_id, Status.FINISHED, None)
    ranked = store.tracker.find(Query(parent=PARENT, finite="acc", order=[Order("metrics.acc", descending=True)]))
    assert ranked[0].id == BEST
    assert ranked[-1].id == found.id


def test_an_alias_moved_by_mlflow_is_read_by_us_and_is_not_in_our_history(client: Any, store: Any) -> None:
    before = store.registry.history("clf")
    client.set_registered_model_alias("clf", "theirs", "1")
    client.set_model_version_tag("clf", "1", "their tag", "x")
    try:
        found = store.registry.get("clf", "theirs")
        assert (found.version, found.tags["their tag"]) == (1, "x")
        assert store.registry.history("clf") == before
    finally:
        client.delete_registered_model_alias("clf", "theirs")
        client.delete_model_version_tag("clf", "1", "their tag")


def test_a_run_deleted_restored_and_renamed_by_mlflow_is_so_for_us(client: Any, store: Any) -> None:
    run = f"{1:032x}"
    client.delete_run(run)
    assert run not in [found.id for found in store.tracker.find(Query(parent=PARENT))]

    client.restore_run(run)
    client.update_run(run, name="renamed")
    try:
        found = store.tracker.get(run)
        assert (found.name, found.tags["mlflow.runName"]) == ("renamed", "renamed")
        assert run in [found.id for found in store.tracker.find(Query(parent=PARENT))]
    finally:
        client.update_run(run, name="trial-1")


def test_an_experiment_made_by_mlflow_takes_our_runs(client: Any, store: Any, world: Any) -> None:
    made = client.create_experiment("theirs too", artifact_location=str(world.folder / "elsewhere"))

    assert store.tracker.experiment("theirs too") == made
    store.tracker.record([RunStarted("d" * 32, "in theirs", "theirs too", 5)])
    assert client.get_run("d" * 32).info.artifact_uri == f"{world.folder}/elsewhere/{'d' * 32}/artifacts"
    client.delete_run("d" * 32)


def test_we_go_on_writing_after_mlflow_upgraded_the_tables(client: Any, store: Any, world: Any) -> None:
    run = "e" * 32
    params = {"depth": 7}
    store.tracker.record(
        [
            RunStarted(run, "trial-later", "hpo", 5, parent_id=PARENT, params=params, trial=TrialFacts(70, params)),
            RunEnded(run, Status.FINISHED, 9, trial=TrialFacts(70, params, state="COMPLETE", value=0.1)),
        ]
    )
    try:
        assert client.get_run(run).data.params == {"depth": "7"}
        made = store.registry.register(
            NewVersion("later", "/models/x", run, "later:1", aliases=("champion",), who="ada")
        )
        store.registry.set_stage("later", made.version, "Staging", who="ada")
        store.registry.annotate("later", made.version, who="ada", description="words", tags={"a": "b"})
        found = client.get_model_version_by_alias("later", "champion")
        assert (found.version, found.current_stage, found.description) == (1, "Staging", "words")
        assert found.tags == {"a": "b"}
    finally:
        client.delete_run(run)


def test_a_version_deleted_by_mlflow_is_gone_for_us_and_its_number_stays_used(client: Any, store: Any) -> None:
    for key in ("gone:1", "gone:2"):
        store.registry.register(NewVersion("gone", "/models/x", None, key, aliases=("champion",), who="ada"))
    client.delete_model_version("gone", "2")

    assert [version.version for version in store.registry.versions("gone")] == [1]
    assert list(store.registry.get("gone", 1).aliases) == []
    assert store.registry.register(NewVersion("gone", "/models/x", None, "gone:3", who="ada")).version == 3
    assert client.create_model_version("gone", "/models/y").version == 4
    assert store.registry.get("gone", "latest").version == 4


def test_a_model_renamed_by_mlflow_has_its_new_name_for_us(client: Any, store: Any) -> None:
    store.registry.register(NewVersion("old name", "/models/x", None, "old:1", aliases=("a",), tags={"t": "1"}))
    client.rename_registered_model("old name", "new name")

    found = store.registry.get("new name", "a")
    assert (found.version, found.tags) == (1, {"t": "1"})
    assert "old name" not in {version.name for version in store.registry.versions()}
