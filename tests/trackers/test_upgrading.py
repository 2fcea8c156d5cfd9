"""Our own tables of an older version: read as they are, upgraded by the first write."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from trackers.opening import open_store
from trackers.records import Query, RunStarted, RunUpdated, SweepFacts, TrialFacts
from trackers.sql import own_schema
from trackers.sql.upgrading import STEPS

SWEEP, TRIAL = "5" * 32, "7" * 32
VERSION_2 = (
    "DROP TABLE hpo_mirrored",
    "ALTER TABLE hpo_owners DROP COLUMN beat_at",
    "UPDATE hpo_schema SET version = 2",
)
"""What leads from today's tables back to those of version 2."""
VERSION_1 = (
    *VERSION_2,
    "DROP TABLE hpo_owners",
    "ALTER TABLE hpo_sweeps ADD COLUMN owner TEXT",
    "ALTER TABLE hpo_sweeps ADD COLUMN owner_token VARCHAR(36)",
    "ALTER TABLE hpo_sweeps ADD COLUMN heartbeat BIGINT",
    "ALTER TABLE hpo_sweeps ADD COLUMN lease_until BIGINT",
    "DROP INDEX hpo_tags_parent",
    "CREATE INDEX hpo_tags_parent ON tags (value) WHERE key = 'mlflow.parentRunId'",
    "UPDATE hpo_schema SET version = 1",
)
"""What leads back to version 1."""


@pytest.fixture(params=[VERSION_1, VERSION_2], ids=["version 1", "version 2"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    facts = SweepFacts("version: 1", "c0ffee", "rmse", "minimize", 42, 4, 10)
    with open_store(f"sqlite:///{tmp_path}/mlflow.db") as store:
        store.tracker.record(
            [
                RunStarted(SWEEP, "old", "Default", 1, sweep=facts),
                RunStarted(TRIAL, "trial-0", "Default", 2, SWEEP, trial=TrialFacts(0, {"x": 1})),
            ]
        )
    change(tmp_path / "mlflow.db", *request.param)
    return tmp_path / "mlflow.db"


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def ask(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def test_there_is_a_step_to_every_version() -> None:
    assert sorted(STEPS) == list(range(2, own_schema.VERSION + 1))


def test_an_older_file_is_read_without_a_change(old: Path) -> None:
    before = old.read_bytes()
    with open_store(f"sqlite:///{old}", read_only=True) as store:
        assert [run.trial.number for run in store.tracker.find(Query(parent=SWEEP)) if run.trial] == [0]
        assert store.tracker.get(SWEEP).sweep is not None
        assert store.ownership.holder(SWEEP) is None
    assert old.read_bytes() == before


def test_the_first_write_upgrades_an_older_file(old: Path) -> None:
    with open_store(f"sqlite:///{old}") as store:
        assert store.ownership.holder(SWEEP) is None
        fence = store.ownership.claim(SWEEP, "me", taking_from=None)
        store.tracker.record([RunUpdated(SWEEP, tags={"a": "b"})], fence)
        held = store.ownership.holder(SWEEP)
        assert held is not None
        assert held.owner == "me"
        assert [run.name for run in store.tracker.find(Query(sweeps=True))] == ["old"]
    assert ask(old, "SELECT version FROM hpo_schema") == [(own_schema.VERSION,)]
    assert ask(old, "PRAGMA integrity_check") == [("ok",)]


def test_an_upgraded_file_has_the_indexes_of_a_new_one(old: Path, tmp_path: Path) -> None:
    with open_store(f"sqlite:///{old}") as store:
        store.tracker.experiment("iris")
    (tmp_path / "new").mkdir()
    with open_store(f"sqlite:///{tmp_path}/new/mlflow.db") as store:
        store.tracker.experiment("iris")
    indexes = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND name LIKE 'hpo%' ORDER BY name"
    assert ask(old, indexes) == ask(tmp_path / "new" / "mlflow.db", indexes)


def test_two_that_open_an_older_file_at_once_upgrade_it_once(old: Path) -> None:
    with open_store(f"sqlite:///{old}") as first, open_store(f"sqlite:///{old}") as second:
        fence = first.ownership.claim(SWEEP, "first", taking_from=None)
        second.ownership.claim(SWEEP, "second", taking_from=fence.token)
    assert ask(old, "SELECT version FROM hpo_schema") == [(own_schema.VERSION,)]
