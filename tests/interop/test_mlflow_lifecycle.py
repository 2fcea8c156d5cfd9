"""Deleting, erasing and the history of models, by our commands and by MLflow's own tools on one database."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hpo.cli.main import main
from trackers.artifacts import ArtifactFolder
from trackers.opening import open_store
from trackers.records import (
    Dataset,
    LoggedModel,
    NewVersion,
    Point,
    Query,
    RunEnded,
    RunStarted,
    Status,
    SweepFacts,
    TrialFacts,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow warns that stages are deprecated

SWEEP, OTHER = "5" * 32, "6" * 32
FACTS = SweepFacts("{}", "hash", "loss", "minimize", 1, 1, 2)


class World:
    """Two sweeps of two trials with files and models; trial 1 of the first is version 1 of `clf`."""

    def __init__(self, folder: Path, mlflow: Any) -> None:
        self.folder = folder
        self.uri = f"sqlite:///{folder}/mlflow.db"
        self.mlflow = mlflow
        self._client: Any = None
        with open_store(self.uri, artifacts=str(folder / "mlruns")) as store:
            for sweep, name in ((SWEEP, "s"), (OTHER, "o")):
                self._sweep(store.tracker, sweep, name)
            run = store.tracker.get(trial_id(SWEEP, 1))
            model = run.models[0]
            version = NewVersion("clf", model.uri, run.id, "k", model.model_id, who="ada", aliases=["champion"])
            store.registry.register(version)

    def _sweep(self, tracker: Any, sweep: str, name: str) -> None:
        tracker.record([RunStarted(sweep, name, "Default", 1, sweep=FACTS, datasets=[Dataset("iris", "d1")])])
        for number in (0, 1):
            run_id, trial = trial_id(sweep, number), TrialFacts(number, {"x": 1})
            tracker.record([RunStarted(run_id, f"trial-{number}", "Default", 2, sweep, {"x": 1}, trial=trial)])
            source = self.folder / "MLmodel"
            source.write_text("flavors: {python_function: {loader_module: mlflow.sklearn}}\n")
            files = ArtifactFolder().save_file(tracker.get(run_id).artifact_uri, source, "model/MLmodel")
            model = LoggedModel("m-" + run_id, "model", "model")
            ended = replace(trial, state="COMPLETE", value=1.0)
            points = [Point("loss", 1.0)]
            tracker.record([RunEnded(run_id, Status.FINISHED, 3, points, artifacts=files, models=[model], trial=ended)])
        tracker.record([RunEnded(sweep, Status.FINISHED, 9)])

    @property
    def client(self) -> Any:
        if self._client is None:
            self._client = self.mlflow.MlflowClient(self.uri, self.uri)
        return self._client

    def hpo(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments, "--tracker", self.uri])

    def stages(self) -> dict[str, str]:
        rows = self.sql("SELECT run_uuid, lifecycle_stage FROM runs")
        return {str(run_id): str(stage) for run_id, stage in rows}

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.folder / "mlflow.db")) as connection:
            found = connection.execute(statement).fetchall()
            connection.commit()
        return found

    def events(self) -> list[dict[str, Any]]:
        shown = self.hpo("history", "clf", "-f", "json")
        assert shown.exit_code == 0, shown.stderr
        events: list[dict[str, Any]] = json.loads(shown.stdout)
        return events


def trial_id(sweep: str, number: int) -> str:
    return sweep[:31] + str(number)


IDS: Sequence[str] = [SWEEP, trial_id(SWEEP, 0), trial_id(SWEEP, 1)]


@pytest.fixture
def world(tmp_path: Path, mlflow: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    """At the revision we write; MLflow upgrades it when it first opens it."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr("getpass.getuser", lambda: "bob")
    return World(tmp_path, mlflow)


def test_what_we_delete_mlflow_sees_deleted_and_can_restore(world: World) -> None:
    done = world.hpo("delete", "o", "--yes")
    assert done.exit_code == 0, done.stderr
    only_deleted = world.mlflow.entities.ViewType.DELETED_ONLY
    found = world.client.search_runs(["0"], run_view_type=only_deleted)
    ids = {OTHER, trial_id(OTHER, 0), trial_id(OTHER, 1)}
    assert {run.info.run_id for run in found} == ids
    assert {run.info.lifecycle_stage for run in found} == {"deleted"}
    assert len(world.client.search_runs(["0"])) == 3

    for run_id in ids:
        world.client.restore_run(run_id)
    with open_store(world.uri, read_only=True) as store:
        assert len(store.tracker.find(Query(parent=OTHER))) == 2
        assert store.tracker.get(OTHER).deleted is None
    assert sorted(sweep["name"] for sweep in json.loads(world.hpo("ls", "-f", "json").stdout)) == ["o", "s"]


def test_what_mlflow_deletes_we_see_deleted_and_can_restore(world: World) -> None:
    for run_id in (OTHER, trial_id(OTHER, 0)):
        world.client.delete_run(run_id)
    assert [sweep["name"] for sweep in json.loads(world.hpo("ls", "--deleted", "-f", "json").stdout)] == ["o"]
    restored = world.hpo("restore", "o")
    assert restored.exit_code == 0, restored.stderr
    assert set(world.stages().values()) == {"active"}
    assert world.client.get_run(OTHER).info.lifecycle_stage == "active"


@pytest.mark.slow
def test_mlflow_gc_removes_what_we_deleted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.cli import gc

    world.hpo("delete", "o", "--yes")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", world.uri)
    done = CliRunner().invoke(gc, ["--backend-store-uri", world.uri])
    assert done.exit_code == 0, (done.output, done.exception)
    assert sorted(world.stages()) == sorted(IDS)
    with open_store(world.uri, read_only=True) as store:
        assert store.tracker.find(Query(deleted=True)) == []
    assert "nothing to remove" in world.hpo("gc", "--older-than", "0s", "--yes").stderr


def test_our_gc_leaves_nothing_of_a_run_and_what_mlflow_opens(world: World) -> None:
    world.client.search_experiments()  # upgrades the tables: later ones refer to runs too
    world.hpo("delete", "o", "--yes")
    done = world.hpo("gc", "--older-than", "0s", "--yes")
    assert done.exit_code == 0, done.stderr
    assert sorted(world.stages()) == sorted(IDS)
    assert world.sql("PRAGMA foreign_key_check") == []
    tables = [str(name) for (name,) in world.sql("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        rows = world.sql(f"SELECT * FROM {table}")
        assert not [row for row in rows if any(OTHER[:31] in str(value) for value in row)], table
    assert len(world.client.search_runs(["0"])) == 3
    models = world.client.search_logged_models(["0"])
    assert {model.model_id for model in models} == {"m-" + trial_id(SWEEP, number) for number in (0, 1)}


def test_a_registered_model_outlives_its_sweep(world: World) -> None:
    assert world.hpo("delete", "s", "--yes").exit_code == 1
    world.hpo("delete", "s", "--yes", "--keep-registered")
    world.hpo("gc", "--older-than", "0s", "--yes")
    version = world.client.get_model_version_by_alias("clf", "champion")
    assert (version.version, version.run_id) in ((1, trial_id(SWEEP, 1)), ("1", trial_id(SWEEP, 1)))
    assert world.client.get_run(trial_id(SWEEP, 1)).info.lifecycle_stage == "active"
    place = world.client.get_model_version_download_uri("clf", "1")
    assert Path(place, "MLmodel").exists()
    assert world.hpo("promote", "clf", "1", "again").exit_code == 0


def test_what_mlflow_does_to_a_model_is_noted(world: World) -> None:
    client = world.client
    client.create_model_version("clf", "/plain/path")
    client.set_registered_model_alias("clf", "champion", "2")
    client.transition_model_version_stage("clf", "2", "Production")
    seen = world.events()[2:]
    assert [(e["action"], e["version"], e["from"], e["to"]) for e in seen] == [
        ("register", 2, None, 2),
        ("stage", 2, "None", "Production"),
        ("alias", 2, 1, 2),
    ]
    back = world.hpo("rollback", "clf", "champion")
    assert back.stdout == "alias champion of clf: version 2 -> 1\n"
    client.delete_model_version("clf", "2")
    client.delete_registered_model_alias("clf", "champion")
    assert world.hpo("annotate", "clf", "1", "--description", "x").exit_code == 0
    assert [(e["who"], e["action"], e["from"], e["to"]) for e in world.events()[5:]] == [
        ("bob", "rollback", 2, 1),
        ("unknown (seen by bob)", "delete", 2, None),
        ("unknown (seen by bob)", "alias", 1, None),
        ("bob", "annotate", None, None),
    ]


def test_the_history_stays_append_only_through_mlflow_and_stands_in_nobodys_way(world: World) -> None:
    client = world.client
    client.search_experiments()  # upgrades the tables, if they were not yet
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        world.sql("DELETE FROM hpo_registry_events")
    before = world.events()
    client.rename_registered_model("clf", "renamed")
    assert client.get_model_version_by_alias("renamed", "champion").name == "renamed"
    assert world.events()[: len(before)] == before
    assert [event["action"] for event in world.events()[len(before) :]] == ["alias", "delete"]
    client.delete_registered_model("renamed")
    assert world.sql("SELECT count(*) FROM hpo_registry_events") == [(len(before),)]


def test_mlflow_opens_a_database_whose_history_has_triggers(world: World) -> None:
    import mlflow.store.db.utils as db

    engine = db.create_sqlalchemy_engine(world.uri)
    try:
        db._upgrade_db(engine)
    finally:
        engine.dispose()
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        world.sql("UPDATE hpo_registry_events SET why = 'x'")
