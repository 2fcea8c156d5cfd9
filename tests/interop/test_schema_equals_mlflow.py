"""Our tables are MLflow's: compared with a database MLflow made, as we create them and after MLflow upgraded them."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from trackers.opening import open_store
from trackers.records import Point, Query, RunEnded, RunStarted, RunUpdated, Status, TrialFacts
from trackers.sql import schema

pytestmark = pytest.mark.filterwarnings("ignore")  # alembic and MLflow warn of their own deprecations


def upgrade(path: Path, revision: str) -> None:
    """MLflow's own migrations on a file, from wherever it stands."""
    from alembic import command
    from mlflow.store.db.utils import _get_alembic_config

    command.upgrade(_get_alembic_config(f"sqlite:///{path}"), revision)


def genuine(path: Path, revision: str) -> Path:
    """A database as MLflow makes one, its migrations stopped at a revision."""
    from mlflow.store.tracking.dbmodels.initial_models import Base

    engine = sa.create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    engine.dispose()
    upgrade(path, revision)
    return path


def described(path: Path) -> dict[str, dict[str, Any]]:
    """Every table as the database itself describes it, ours left out."""
    engine = sa.create_engine(f"sqlite:///{path}")
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
            "primary key": inspector.get_pk_constraint(name),
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


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of ours with a sweep and a trial in it."""
    folder = tmp_path_factory.mktemp("ours")
    with open_store(f"sqlite:///{folder}/mlflow.db", artifacts=str(folder / "mlruns")) as store:
        store.tracker.experiment("iris")
        facts = TrialFacts(0, {"depth": 3})
        done = TrialFacts(0, {}, "COMPLETE", value=0.5)
        store.tracker.record([RunStarted("a" * 32, "sweep", "iris", 1, tags={"team": "x"})])
        store.tracker.record([RunStarted("b" * 32, "trial", "iris", 2, "a" * 32, {"depth": 3}, trial=facts)])
        store.tracker.record([RunEnded("b" * 32, Status.FINISHED, 3, [Point("rmse", 0.5)], trial=done)])
    return folder / "mlflow.db"


@pytest.fixture(scope="module")
def upgraded(ours: Path, mlflow: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of it, upgraded by the MLflow that is installed."""
    path = tmp_path_factory.mktemp("upgraded") / "mlflow.db"
    path.write_bytes(ours.read_bytes())
    upgrade(path, "heads")
    return path


def test_what_we_create_is_what_mlflow_creates_at_our_revision(ours: Path, mlflow: Any, tmp_path: Path) -> None:
    theirs = described(genuine(tmp_path / "theirs.db", schema.REVISION))
    mine = described(ours)
    assert sorted(mine) == sorted(theirs)
    assert len(mine) == 23
    for table, description in theirs.items():
        assert mine[table] == description, table


def test_upgraded_by_mlflow_it_is_what_mlflow_creates_today(upgraded: Path, mlflow: Any, tmp_path: Path) -> None:
    theirs = described(genuine(tmp_path / "theirs.db", "heads"))
    mine = described(upgraded)
    assert sorted(mine) == sorted(theirs)
    for table, description in theirs.items():
        assert mine[table] == description, table


def test_what_we_wrote_is_read_and_written_after_the_upgrade(ours: Path, upgraded: Path) -> None:
    with open_store(f"sqlite:///{ours}", read_only=True) as store:
        before = store.tracker.find(Query())
    with open_store(f"sqlite:///{upgraded}") as store:
        assert store.tracker.find(Query()) == before
        assert store.tracker.experiment("wine") == "2"
        store.tracker.record([RunStarted("c" * 32, "later", "wine", 5), RunUpdated("c" * 32, [Point("rmse", 1.0)])])
        assert store.tracker.get("c" * 32).metrics == {"rmse": 1.0}
        assert store.tracker.experiment("wine") == "2"
    engine = sa.create_engine(f"sqlite:///{upgraded}")
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT name, workspace FROM experiments ORDER BY 1").all()
        indexes = set(connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'index'").scalars())
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    engine.dispose()
    assert found == [("Default", "default"), ("iris", "default"), ("wine", "default")]
    assert {"hpo_tags_parent", "hpo_latest_metrics_key_value", "hpo_trials_sweep_value"} <= indexes
    assert broken == []
