"""Databases of every revision from MLflow 2.22 to the newest: used by us, then upgraded and read by MLflow."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hpo import ranking
from hpo.trial import Goal
from trackers.errors import ReadOnlyStore
from trackers.opening import Store, open_store
from trackers.records import (
    Artifact,
    Dataset,
    LoggedModel,
    NewVersion,
    Point,
    Query,
    RunEnded,
    RunStarted,
    RunUpdated,
    Status,
    SweepFacts,
    TrialFacts,
)
from trackers.sql import mlflow_revisions

pytestmark = pytest.mark.filterwarnings("ignore")  # alembic and MLflow warn of their own deprecations

OLDEST = "0584bdc529eb"
"""The head of MLflow 2.22."""
NEWER = mlflow_revisions.since(OLDEST)
REVISIONS = [OLDEST, *NEWER]
FIRST_OF = {
    "0584bdc529eb": "2.22",
    "400f98739977": "on the way to 3.0",
    "bda7b8c39065": "3.0 and 3.1",
    "1b5f0d9ad7c1": "workspaces",
    REVISIONS[-1]: "the newest",
}
"""Revisions at which tables that we write changed, and the ends; the others are slow tests only for their number."""
EACH = [revision if revision in FIRST_OF else pytest.param(revision, marks=pytest.mark.slow) for revision in REVISIONS]

SWEEP = "5" * 32
MODEL = LoggedModel("m-" + "1" * 32, "model", "model")
FILES = [Artifact("model/MLmodel", 12, "a" * 64), Artifact("model/model.skops", 34, "b" * 64)]


def trial_id(number: int) -> str:
    return f"{number:032x}"


@dataclass(frozen=True)
class Templates:
    """Databases at any revision, as MLflow's migrations make them, with one run that MLflow wrote."""

    folder: Path

    def copy(self, revision: str, to: Path) -> str:
        path = to / "mlflow.db"
        path.write_bytes(self.at(revision).read_bytes())
        return f"sqlite:///{path}"

    def at(self, revision: str) -> Path:
        """The database at a revision, upgraded from the nearest one before."""
        path = self.folder / f"{revision}.db"
        if not path.exists():
            older = [
                known for known in REVISIONS[: REVISIONS.index(revision)] if (self.folder / f"{known}.db").exists()
            ]
            path.write_bytes((self.folder / f"{older[-1]}.db").read_bytes())
            migrate(path, revision)
        return path


@pytest.fixture(scope="module")
def templates(mlflow: Any, tmp_path_factory: pytest.TempPathFactory) -> Templates:
    from mlflow.store.tracking.dbmodels.initial_models import Base

    folder = tmp_path_factory.mktemp("revisions")
    path = folder / f"{OLDEST}.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    engine.dispose()
    migrate(path, OLDEST)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(THEIRS)
    return Templates(folder)


def migrate(path: Path, revision: str) -> None:
    """MLflow's own migrations on a file, from wherever it stands."""
    from alembic import command
    from mlflow.store.db.utils import _get_alembic_config

    command.upgrade(_get_alembic_config(f"sqlite:///{path}"), revision)


THEIRS = f"""
INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time)
VALUES (0, 'Default', '/data/mlruns/0', 'active', 1, 1);
INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time,
source_version, lifecycle_stage, artifact_uri, experiment_id)
VALUES ('{"e" * 32}', 'theirs', 'UNKNOWN', '', '', 'bob', 'FINISHED', 5, 9, '', 'active', '/data/mlruns/0/e/artifacts',
0);
INSERT INTO params (key, value, run_uuid) VALUES ('depth', '3', '{"e" * 32}');
INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES ('rmse', 0.25, 7, '{"e" * 32}', 0, 0);
INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)
VALUES ('rmse', 0.25, 7, 0, 0, '{"e" * 32}');
INSERT INTO tags (key, value, run_uuid) VALUES ('mlflow.log-model.history',
'[{{"artifact_path": "model", "model_uuid": "8e433416f9774bf584cd5ba0d1c0eec6", "flavors": {{"sklearn": {{}}}}}}]',
'{"e" * 32}');
"""


def write_sweep(store: Store) -> None:
    """A sweep of three trials, the second the best, with a model that is registered."""
    tracker = store.tracker
    tracker.experiment("iris")
    facts = SweepFacts("{}", "0" * 64, "rmse", "minimize", 42, 1, 3)
    data = Dataset("iris", "d1")
    changes: list[Any] = [RunStarted(SWEEP, "sweep", "iris", 10, tags={"team": "x"}, datasets=[data], sweep=facts)]
    for number, value in enumerate([0.5, 0.25, 0.75]):
        params = {"depth": number, "lr": 0.5}
        running = TrialFacts(number, params, seed=number)
        changes.append(
            RunStarted(trial_id(number), f"trial-{number}", "iris", 20, SWEEP, params, datasets=[data], trial=running)
        )
        ended = TrialFacts(number, params, "COMPLETE", seed=number, value=value, seconds=0.5)
        points = [Point("rmse", 1.0, 0, 21), Point("rmse", value, 1, 22), Point("odd", float("nan"), 0, 22)]
        kept: dict[str, Any] = {"artifacts": FILES, "models": [MODEL]} if number == 1 else {}
        changes.append(RunEnded(trial_id(number), Status.FINISHED, 30, points, trial=ended, **kept))
    changes += [RunUpdated(SWEEP, [Point("rmse", 0.25, 1, 30)]), RunEnded(SWEEP, Status.FINISHED, 40)]
    tracker.record(changes)


def check_sweep(store: Store) -> None:
    """All of it as it was written."""
    best = ranking.best(store.tracker, SWEEP, "rmse", Goal.MINIMIZE, limit=2)
    assert [run.trial and run.trial.number for run in best] == [1, 0]
    run = store.tracker.get(trial_id(1))
    assert (run.params, run.metrics["rmse"], run.status) == ({"depth": 1, "lr": 0.5}, 0.25, Status.FINISHED)
    assert [(model.model_id, model.path, model.uri) for model in run.models] == [
        (MODEL.model_id, "model", f"{run.artifact_uri}/model")
    ]
    assert [point.value for point in store.tracker.history(run.id, "rmse")] == [1.0, 0.25]
    assert store.tracker.artifacts(run.id) == FILES
    assert store.tracker.counts([SWEEP]) == {SWEEP: {"COMPLETE": 3}}
    assert [run.name for run in store.tracker.find(Query(roots=True, where="params.depth = 3"))] == ["theirs"]
    [parent] = store.tracker.find(Query(sweeps=True))
    assert (parent.id, parent.tags["team"]) == (SWEEP, "x")


def register(store: Store, name: str = "clf") -> int:
    model = store.tracker.get(trial_id(1)).models[0]
    version = NewVersion(
        name,
        model.uri,
        trial_id(1),
        f"{name}:1",
        model_id=model.model_id,
        tags={"hpo.trial": "1"},
        aliases=("champion",),
        stage="Production",
        who="ada",
        files=FILES,
    )
    return store.registry.register(version).version


@pytest.fixture
def at(templates: Templates, tmp_path: Path) -> Iterator[Callable[[str], Store]]:
    """Opens a copy of the database at a revision."""
    opened: list[Store] = []

    def open_copy(revision: str) -> Store:
        opened.append(open_store(templates.copy(revision, tmp_path), artifacts=str(tmp_path / "mlruns")))
        return opened[-1]

    yield open_copy
    for store in opened:
        store.close()


def upgrade_by_mlflow(uri: str) -> None:
    """What `mlflow db upgrade` does."""
    from mlflow.store.db.utils import _upgrade_db, create_sqlalchemy_engine

    engine = create_sqlalchemy_engine(uri)
    _upgrade_db(engine)
    engine.dispose()


@pytest.mark.everyday(count=1)
@pytest.mark.parametrize("revision", EACH)
def test_a_sweep_is_written_read_ranked_and_registered(at: Callable[[str], Store], revision: str) -> None:
    store = at(revision)
    write_sweep(store)
    check_sweep(store)
    assert [register(store), register(store)] == [1, 1]
    found = store.registry.get("clf", "champion")
    assert (found.version, found.run_id, found.stage, found.tags) == (1, trial_id(1), "Production", {"hpo.trial": "1"})
    assert [event.action for event in store.registry.history("clf")] == ["register", "alias", "stage"]
    theirs = store.tracker.get("e" * 32)
    assert (theirs.params, theirs.metrics) == ({"depth": "3"}, {"rmse": 0.25})
    assert [(model.name, model.path, model.uri) for model in theirs.models] == [
        ("model", "", "/data/mlruns/0/e/artifacts/model")
    ]
    store.close()
    with closing(sqlite3.connect(store.uri.removeprefix("sqlite:///"))) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(revision,)]


@pytest.mark.everyday(count=2)
@pytest.mark.parametrize("revision", EACH)
def test_mlflow_upgrades_what_we_wrote_and_reads_it(at: Callable[[str], Store], mlflow: Any, revision: str) -> None:
    store = at(revision)
    write_sweep(store)
    register(store)
    upgrade_by_mlflow(store.uri)
    check_sweep(store)  # while it is open: the database changed underneath
    assert register(store, "later") == 1
    store.close()

    client = mlflow.MlflowClient(store.uri, store.uri)
    run = client.get_run(trial_id(1))
    assert (run.data.params, run.data.metrics["rmse"]) == ({"depth": "1", "lr": "0.5"}, 0.25)
    assert [data.dataset.name for data in run.inputs.dataset_inputs] == ["iris"]
    children = client.search_runs(["1"], f"tags.mlflow.parentRunId = '{SWEEP}'", order_by=["metrics.rmse ASC"])
    assert [child.info.run_name for child in children] == ["trial-1", "trial-0", "trial-2"]
    version = client.get_model_version_by_alias("clf", "champion")
    assert (version.version, version.run_id, version.current_stage) == (1, trial_id(1), "Production")
    assert client.get_model_version_download_uri("clf", "1") == f"{run.info.artifact_uri}/model"


def test_a_column_we_could_not_fill_makes_it_read_only(templates: Templates, tmp_path: Path) -> None:
    uri = templates.copy(REVISIONS[-1], tmp_path)
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as connection:
        connection.executescript("ALTER TABLE runs RENAME TO old; CREATE TABLE runs AS SELECT *, 1 AS tenant FROM old;")
        connection.executescript("DROP TABLE old; ALTER TABLE runs ADD COLUMN region TEXT NOT NULL DEFAULT 'here'")
        text = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'runs'").fetchone()[0]
        connection.execute("PRAGMA writable_schema = ON")
        strict = text.replace("tenant", "tenant INT NOT NULL")
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'runs'", [strict])
        connection.commit()
    with open_store(uri, artifacts=str(tmp_path / "mlruns")) as store:
        assert store.tracker.get("e" * 32).metrics == {"rmse": 0.25}
        with pytest.raises(ReadOnlyStore, match=r"runs\.tenant is unknown and must be given"):
            write_sweep(store)
        assert [run.name for run in store.tracker.find(Query())] == ["theirs"]
