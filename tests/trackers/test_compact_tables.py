"""MLflow's tables in a file of ours: half the room, the same answers; files with MLflow's own layout go on."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from trackers.opening import open_store
from trackers.records import (
    Artifact,
    Change,
    Dataset,
    LoggedModel,
    Point,
    Query,
    RunEnded,
    RunStarted,
    RunUpdated,
    Status,
    TrialFacts,
    Value,
)
from trackers.sql import creation, schema
from trackers.sql.compact import KEYS

SWEEP = "5" * 32


def changes(trials: int) -> Iterator[Change]:
    """A sweep whose trials have a row in every table that grows with them, and one text that fills two pages."""
    data = Dataset("iris", "d1", context="training")
    yield RunStarted(SWEEP, "sweep", "Default", 1, tags={"mlflow.note.content": "long " * 1600})
    for number in range(trials):
        run = f"{0xB84 << 100 | number:032x}"
        params: dict[str, Value] = {"depth": number, "rate": number / 7, "kind": "a"}
        model = LoggedModel(f"m-{number:032x}", "model", "model", "sklearn")
        running = TrialFacts(number, params, seed=number)
        yield RunStarted(
            run, f"trial-{number}", "Default", 2, SWEEP, params, datasets=[data], trial=running, user="ada"
        )
        points = [Point("loss", number / 3, 0, 3), Point("loss", number / 5, 1, 4), Point("odd", float("nan"), 0, 4)]
        files = [Artifact("model/MLmodel", 12, "a" * 64)] if number < 3 else []
        ended = TrialFacts(number, params, "COMPLETE", seed=number, value=number / 5, seconds=0.1)
        yield RunEnded(
            run, Status.FINISHED, 5, points, artifacts=files, models=[model] if number < 3 else [], trial=ended
        )


def filled(folder: Path, trials: int) -> Path:
    folder.mkdir()
    with open_store(f"sqlite:///{folder}/mlflow.db", artifacts="/mlruns") as store:
        store.tracker.record(list(changes(trials)))
    return folder / "mlflow.db"


@pytest.fixture
def by_mlflow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file with the same in it whose tables are laid out as MLflow lays them out, as all were once."""
    monkeypatch.setattr(creation, "create_compact_tables", schema.metadata.create_all)
    made = filled(tmp_path / "mlflow", 200)
    monkeypatch.undo()
    return made


def rows(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def found(path: Path) -> list[str]:
    with open_store(f"sqlite:///{path}", read_only=True) as store:
        return [repr(run) for run in store.tracker.find(Query())]


def test_a_file_is_smaller_than_by_mlflows_layout_and_says_the_same(tmp_path: Path, by_mlflow: Path) -> None:
    compact = filled(tmp_path / "compact", 200)
    assert found(compact) == found(by_mlflow)
    for table in KEYS.keys() - {"input_tags"}:  # which has random ids
        columns = ", ".join(f'"{column.name}"' for column in schema.metadata.tables[table].columns)
        ask = f"SELECT {columns} FROM {table} ORDER BY {columns}"
        assert rows(compact, ask) == rows(by_mlflow, ask) != [], table
    assert rows(compact, "SELECT count(*) FROM input_tags") == rows(by_mlflow, "SELECT count(*) FROM input_tags")
    [(ours,)], [(theirs,)] = rows(compact, "PRAGMA page_count"), rows(by_mlflow, "PRAGMA page_count")
    assert isinstance(ours, int)
    assert isinstance(theirs, int)
    assert ours < theirs * 0.75  # with tables of few rows, which take a page each; of 10,000 trials 0.57


def test_sqlite_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    path = filled(tmp_path / "compact", 20)
    for pragma in ("integrity_check", "quick_check"):
        assert rows(path, f"PRAGMA {pragma}") == [("ok",)], pragma
    assert rows(path, "PRAGMA foreign_key_check") == []


def test_a_file_with_mlflows_layout_is_written_and_read_as_before(by_mlflow: Path) -> None:
    with open_store(f"sqlite:///{by_mlflow}") as store:
        run = "f" * 32
        store.tracker.record([RunStarted(run, "later", "Default", 9), RunUpdated(run, [Point("loss", 2.0)])])
        assert store.tracker.get(run).metrics == {"loss": 2.0}
    assert "WITHOUT ROWID" not in str(rows(by_mlflow, "SELECT sql FROM sqlite_master WHERE name = 'params'"))


@pytest.mark.parametrize("table", ["params", "tags", "metrics", "latest_metrics"])
def test_what_belongs_to_a_run_is_looked_up_by_the_key_and_mlflows_index_is_empty(tmp_path: Path, table: str) -> None:
    path = filled(tmp_path / "compact", 20)
    plan = rows(path, f"EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE run_uuid = 'x' AND key = 'y'")
    assert "USING PRIMARY KEY (run_uuid=? AND key=?)" in str(plan)
    index = f"index_{table}_run_uuid"
    assert rows(path, f"SELECT count(*) FROM {table} INDEXED BY {index} WHERE run_uuid IS NULL") == [(0,)]


def test_the_runs_of_an_id_prefix_are_a_stretch_of_the_key(tmp_path: Path) -> None:
    path = filled(tmp_path / "compact", 20)
    statements: list[str] = []
    with open_store(f"sqlite:///{path}", read_only=True) as store:
        with store.tracker._database.read() as connection:  # type: ignore[attr-defined]
            raw = connection.connection.dbapi_connection
        raw.set_trace_callback(statements.append)
        found = store.tracker.find(Query(id_prefix=f"{0xB84 << 100:032x}"[:31]))
        raw.set_trace_callback(None)
    assert len(found) == 16
    [asked] = [text for text in statements if "run_uuid >=" in text and "ORDER BY" in text]
    assert "SEARCH runs USING PRIMARY KEY (run_uuid>? AND run_uuid<?)" in str(rows(path, f"EXPLAIN QUERY PLAN {asked}"))
