"""Our tables are MLflow's: compared with a database MLflow made, as we create them and after MLflow upgraded them."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from trackers.opening import open_store
from trackers.records import Point, Query, RunEnded, RunStarted, RunUpdated, Status, TrialFacts
from trackers.sql import compact, schema

pytestmark = pytest.mark.filterwarnings("ignore")  # alembic and MLflow warn of their own deprecations


def upgrade(uri: str, revision: str) -> None:
    """MLflow's own migrations on a database, from wherever it stands."""
    from alembic import command
    from mlflow.store.db.utils import _get_alembic_config

    command.upgrade(_get_alembic_config(uri), revision)


def genuine(uri: str, revision: str) -> str:
    """A database as MLflow makes one, its migrations stopped at a revision."""
    from mlflow.store.tracking.dbmodels.initial_models import Base

    engine = sa.create_engine(uri)
    Base.metadata.create_all(engine)
    engine.dispose()
    upgrade(uri, revision)
    return uri


def described(uri: str) -> dict[str, dict[str, Any]]:
    """Every table as the database itself describes it, ours left out."""
    engine = sa.create_engine(uri)
    inspector = sa.inspect(engine)
    tables = {}
    for name in inspector.get_table_names():
        if name.startswith("hpo_"):
            continue
        tables[name] = {
            "columns": sorted(
                (column["name"], str(column["type"]), column["nullable"], column["default"])
                for column in inspector.get_columns(name)
            ),
            "primary key": _key(name, inspector),
            "foreign keys": sorted(map(str, inspector.get_foreign_keys(name))),
            "unique": sorted(str(sorted(unique["column_names"])) for unique in inspector.get_unique_constraints(name)),
            "checks": sorted((str(check["name"]), check["sqltext"]) for check in inspector.get_check_constraints(name)),
            "indexes": sorted(
                (str(index["name"]), tuple(map(str, index["column_names"])), index["unique"])
                for index in inspector.get_indexes(name)
                if not str(index["name"]).startswith("hpo_")
            ),
        }
    engine.dispose()
    return tables


def _key(table: str, inspector: sa.Inspector) -> dict[str, Any]:
    """The primary key; without the order of its columns where we choose another one."""
    key: dict[str, Any] = dict(inspector.get_pk_constraint(table))
    if table in compact.KEYS and inspector.dialect.name == "sqlite":
        key["constrained_columns"] = sorted(key["constrained_columns"])
    return key


class Places:
    """Makes databases of one kind: empty ones, and copies."""

    def __init__(self, folder: Path, server: Any) -> None:
        self.folder = folder
        self.server = server
        self._names = itertools.count()

    def new(self) -> str:
        """One without tables."""
        if self.server is not None:
            return str(self.server.uri(self.server.create()))
        return f"sqlite:///{self.folder}/{next(self._names)}.db"

    def copy(self, uri: str) -> str:
        """One with all that is in another."""
        old = sa.make_url(uri).database or ""
        if self.server is not None:
            return str(self.server.uri(self.server.create(old)))
        new = self.new()
        Path(sa.make_url(new).database or "").write_bytes(Path(old).read_bytes())
        return new


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def places(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Places:
    server = request.getfixturevalue("postgres") if request.param == "postgres" else None
    return Places(tmp_path_factory.mktemp("places"), server)


@pytest.fixture(scope="module")
def ours(places: Places) -> str:
    """A database of ours with a sweep and a trial in it."""
    uri = places.new()
    with open_store(uri, artifacts=str(places.folder / "mlruns")) as store:
        store.tracker.experiment("iris")
        facts = TrialFacts(0, {"depth": 3})
        done = TrialFacts(0, {}, "COMPLETE", value=0.5)
        store.tracker.record([RunStarted("a" * 32, "sweep", "iris", 1, tags={"team": "x"})])
        store.tracker.record([RunStarted("b" * 32, "trial", "iris", 2, "a" * 32, {"depth": 3}, trial=facts)])
        store.tracker.record([RunEnded("b" * 32, Status.FINISHED, 3, [Point("rmse", 0.5)], trial=done)])
    return uri


@pytest.fixture(scope="module")
def upgraded(ours: str, mlflow: Any, places: Places) -> str:
    """A copy of it, upgraded by the MLflow that is installed."""
    uri = places.copy(ours)
    upgrade(uri, "heads")
    return uri


def test_what_we_create_is_what_mlflow_creates_at_our_revision(ours: str, mlflow: Any, places: Places) -> None:
    theirs = described(genuine(places.new(), schema.REVISION))
    mine = described(ours)
    assert sorted(mine) == sorted(theirs)
    assert len(mine) == 23
    for table, description in theirs.items():
        assert mine[table] == description, table


@pytest.mark.everyday(without="postgres")
def test_upgraded_by_mlflow_it_is_what_mlflow_creates_today(upgraded: str, mlflow: Any, places: Places) -> None:
    theirs = described(genuine(places.new(), "heads"))
    mine = described(upgraded)
    assert sorted(mine) == sorted(theirs)
    for table, description in theirs.items():
        assert mine[table] == description, table


def test_what_we_wrote_is_read_and_written_after_the_upgrade(ours: str, upgraded: str, places: Places) -> None:
    with open_store(ours, read_only=True) as store:
        before = store.tracker.find(Query())
    with open_store(upgraded) as store:
        assert store.tracker.find(Query()) == before
        assert store.tracker.experiment("wine") == "2"
        store.tracker.record([RunStarted("c" * 32, "later", "wine", 5), RunUpdated("c" * 32, [Point("rmse", 1.0)])])
        assert store.tracker.get("c" * 32).metrics == {"rmse": 1.0}
        assert store.tracker.experiment("wine") == "2"
    engine = sa.create_engine(upgraded)
    listed = "SELECT indexname FROM pg_indexes" if places.server else "SELECT name FROM sqlite_master"
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT name, workspace FROM experiments ORDER BY 1").all()
        indexes = set(connection.exec_driver_sql(listed).scalars())
        broken = [] if places.server else connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    engine.dispose()
    assert found == [("Default", "default"), ("iris", "default"), ("wine", "default")]
    assert {"hpo_tags_parent", "hpo_latest_metrics_key_value", "hpo_trials_sweep_value"} <= indexes
    assert broken == []
