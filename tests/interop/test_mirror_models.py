"""Models and versions that were sent to a real MLflow server: loaded from there, aliases where they belong."""

import sqlite3
import warnings
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor

from trackers.artifacts import ArtifactFolder
from trackers.errors import MirrorUnavailable
from trackers.records import NewVersion, Point, RunUpdated

STARTED = 1_760_000_000_000
ROWS = np.zeros((2, 1))


def trial_with_model(mirrored: Any, number: int) -> str:
    """A trial that ended and kept a model which always answers its number."""
    trial = mirrored.trial(number, {"x": number})
    model = DummyRegressor().fit(ROWS, [number, number])
    place = mirrored.tracker.get(trial).artifact_uri
    logged, files = ArtifactFolder().save_model(place, model, name="model", run_id=trial, input_example=ROWS)
    mirrored.end(trial, artifacts=files, models=[logged], points=[Point("acc", number / 7, 2, STARTED)])
    return str(trial)


def register(mirrored: Any, trial: str, *aliases: str, **more: Any) -> int:
    """Registers its model under the name of the sweep's experiment."""
    model = mirrored.tracker.get(trial).models[0]
    version = NewVersion(
        name=mirrored.name,
        source=model.uri,
        run_id=trial,
        key=f"{mirrored.name}:{trial}",
        model_id=model.model_id,
        description="from the facts",
        tags={"hpo.sweep_run_id": mirrored.sweep_id, "hpo.run_id": trial},
        aliases=aliases,
        who="ada",
    )
    return int(mirrored.store.registry.register(replace(version, **more)).version)


def answer(mlflow: Any, mirrored: Any, uri: str) -> float:
    """What the model of that URI answers, loaded from the server."""
    before = mlflow.get_tracking_uri()
    try:
        mlflow.set_tracking_uri(mirrored.uri)
        mlflow.set_registry_uri(mirrored.uri)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(mlflow.pyfunc.load_model(uri).predict(ROWS)[0])
    finally:
        mlflow.set_tracking_uri(before)
        mlflow.set_registry_uri(before)


@pytest.fixture
def world(mirrored: Any) -> Any:
    """A sweep of three trials with models that has ended."""
    mirrored.start()
    mirrored.trials = [trial_with_model(mirrored, number) for number in range(3)]
    mirrored.end_sweep()
    return mirrored


def test_the_winner_loads_from_the_server_with_its_lineage(mlflow: Any, world: Any) -> None:
    register(world, world.trials[2], "champion", stage="Production")
    sent = world.send()

    assert sent.versions == [f"{world.name} version 1, here 1", f"{world.name}@champion on version 1"]
    assert answer(mlflow, world, f"models:/{world.name}@champion") == 2.0
    version = world.client.get_model_version(world.name, "1")
    remote = world.runs()["trial-2"]["info"]["run_id"]
    [output] = world.client.get_run(remote).outputs.model_outputs
    assert (version.run_id, version.source) == (remote, f"models:/{output.model_id}")
    assert (version.current_stage, version.description) == ("Production", "from the facts")
    assert version.tags["hpo.run_id"] == world.trials[2]
    model = world.client.get_logged_model(output.model_id)
    assert (model.status, model.source_run_id, model.params) == ("READY", remote, {"x": "2"})
    assert [(metric.key, metric.value, metric.step) for metric in model.metrics] == [("acc", 2 / 7, 2)]
    assert len(world.client.get_metric_history(remote, "acc")) == 1
    assert answer(mlflow, world, f"runs:/{remote}/model") == 2.0
    assert world.pending() == 0


@pytest.mark.slow
def test_moves_rollbacks_and_ends_of_aliases_follow(mlflow: Any, world: Any) -> None:
    first, second = (register(world, trial, "champion") for trial in world.trials[:2])
    world.send()
    assert answer(mlflow, world, f"models:/{world.name}@champion") == 1.0

    world.store.registry.set_alias(world.name, "champion", first, who="ada", why="rollback")
    assert world.pending() == 1
    world.send()
    assert answer(mlflow, world, f"models:/{world.name}@champion") == 0.0

    world.store.registry.set_alias(world.name, "champion", None, who="ada")
    world.store.registry.annotate(world.name, second, who="ada", description="better not", tags={"seen": "yes"})
    world.send()
    assert world.client.get_registered_model(world.name).aliases == {}
    noted = world.client.get_model_version(world.name, str(second))
    assert (noted.description, noted.tags["seen"]) == ("better not", "yes")
    assert world.pending() == 0


@pytest.mark.slow
def test_a_move_of_an_alias_does_not_wait_for_runs_that_are_still_to_be_sent(world: Any, mlflow_proxy: Any) -> None:
    first, _ = [register(world, trial, "champion") for trial in world.trials[:2]]
    world.send(mlflow_proxy.uri)
    world.end(world.trial(3, {"x": 3}))
    world.store.registry.set_alias(world.name, "champion", first, who="ada", why="rollback")
    mlflow_proxy.rule = lambda path: "fail" if path.endswith("runs/create") else "pass"
    with pytest.raises(MirrorUnavailable):
        world.send(mlflow_proxy.uri)
    assert int(world.client.get_model_version_by_alias(world.name, "champion").version) == first
    assert world.pending(mlflow_proxy.uri) == 1


@pytest.mark.slow
def test_an_alias_that_somebody_moved_on_the_server_is_left_there(world: Any) -> None:
    register(world, world.trials[0], "champion")
    register(world, world.trials[1])
    world.send()
    world.client.set_registered_model_alias(world.name, "champion", "2")
    world.store.registry.set_alias(world.name, "champion", None, who="ada")

    world.send()
    assert world.client.get_registered_model(world.name).aliases == {"champion": "2"}


@pytest.mark.slow
def test_versions_of_others_under_the_same_name_keep_their_numbers(mlflow: Any, world: Any) -> None:
    world.client.create_registered_model(world.name)
    theirs = world.client.create_run("0").info
    world.client.create_model_version(world.name, f"{theirs.artifact_uri}/m", theirs.run_id, await_creation_for=0)
    register(world, world.trials[1], "champion")

    assert world.send().versions[0] == f"{world.name} version 2, here 1"
    assert answer(mlflow, world, f"models:/{world.name}@champion") == 1.0
    world.store.outbox.note(world.uri, [replace(mark, sent="") for mark in _marks(world)])
    world.send()
    assert len(world.client.search_model_versions(f"name = '{world.name}'")) == 2


def _marks(world: Any) -> list[Any]:
    return list(world.store.outbox.marks(world.uri, "version", [f"{world.name}/1"]).values())


def test_a_model_that_was_let_go_is_deleted_there(world: Any) -> None:
    world.send()
    remote = world.runs()["trial-0"]["info"]["run_id"]
    [output] = world.client.get_run(remote).outputs.model_outputs
    model = world.tracker.get(world.trials[0]).models[0]
    gone = RunUpdated(world.trials[0], removed_artifacts=["model/"], removed_models=[model.model_id])
    world.tracker.record([gone])

    world.send()
    listed = world.client.search_logged_models([world.client.get_experiment_by_name(world.name).experiment_id])
    assert output.model_id not in {model.model_id for model in listed}
    assert len(listed) == 2
    assert world.pending() == 0


@pytest.mark.slow
def test_a_model_whose_mark_was_lost_is_sent_again_as_the_same(world: Any, tmp_path: Path) -> None:
    world.send()
    before = [run["outputs"] for run in world.remote.runs(world.name)]
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("DELETE FROM hpo_mirrored")
        database.commit()
    assert not world.send().refused
    assert [run["outputs"] for run in world.remote.runs(world.name)] == before


def test_models_wait_until_the_sweep_has_ended(mirrored: Any) -> None:
    mirrored.start()
    trial_with_model(mirrored, 0)
    mirrored.send()
    remote = mirrored.runs()["trial-0"]["info"]["run_id"]
    assert not mirrored.client.get_run(remote).outputs.model_outputs
    assert mirrored.pending() == 1

    mirrored.end_sweep()
    mirrored.send()
    assert len(mirrored.client.get_run(remote).outputs.model_outputs) == 1


def test_a_server_that_knows_no_logged_models_gets_models_as_files(mlflow: Any, world: Any, mlflow_proxy: Any) -> None:
    mlflow_proxy.rule = lambda path: "unknown" if "logged-models" in path else "pass"
    register(world, world.trials[1], "champion")

    sent = world.send(mlflow_proxy.uri)
    assert not sent.refused
    assert world.pending(mlflow_proxy.uri) == 0
    assert answer(mlflow, world, f"models:/{world.name}@champion") == 1.0
