"""MLflow's tables in a file of ours: half the room, the same answers; files with MLflow's own layout go on."""

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from trackers.errors import StoreFull
from trackers.failpoints import FAILPOINT
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
from trackers.sql import creation, mlflow_revisions, schema
from trackers.sql.compact import KEYS
from trackers.upgrade import upgrade_store
from trackers.upgraded import Backup

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


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the same in it whose tables are laid out as MLflow lays them out, as all were once."""
    with pytest.MonkeyPatch.context() as once:
        once.setattr(creation, "create_compact_tables", schema.metadata.create_all)
        return filled(tmp_path_factory.mktemp("older") / "mlflow", 200)


@pytest.fixture
def by_mlflow(older: Path, tmp_path: Path) -> Path:
    """A copy of that file."""
    (tmp_path / "mlflow").mkdir()
    with closing(sqlite3.connect(older)) as whole, closing(sqlite3.connect(tmp_path / "mlflow" / "mlflow.db")) as copy:
        whole.backup(copy)
    return tmp_path / "mlflow" / "mlflow.db"


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


@pytest.fixture
def at_head(monkeypatch: pytest.MonkeyPatch) -> None:
    """The installed MLflow works with the revision that we write, so that it has nothing to upgrade."""
    monkeypatch.setattr(mlflow_revisions, "head", lambda: schema.REVISION)


def everything(path: Path) -> dict[str, str]:
    """A digest of all rows of each table."""
    names = [str(name) for (name,) in rows(path, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {}
    for name in names:
        columns = ", ".join(sorted(f'"{row[1]}"' for row in rows(path, f"PRAGMA table_xinfo({name})")))
        held = rows(path, f"SELECT {columns} FROM {name} ORDER BY {columns}")
        found[name] = hashlib.sha256(repr(held).encode()).hexdigest()
    return {name: held for name, held in found.items() if not name.startswith("sqlite_")}


def layout(path: Path) -> set[tuple[object, ...]]:
    """All indexes, and of all tables the columns, what they refer to, and whether they are compact."""
    found = set(rows(path, "SELECT tbl_name, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger')"))
    for name, text in rows(
        path, "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    ):
        checks = tuple(sorted(line.strip(" ,\t)") for line in str(text).splitlines() if "CHECK" in line))
        found.add((name, "WITHOUT ROWID" in str(text), checks))
        found |= {(name, *row) for row in rows(path, f"PRAGMA table_xinfo({name})")}
        found |= {(name, *row[2:]) for row in rows(path, f"PRAGMA foreign_key_list({name})")}
    return found


@pytest.mark.usefixtures("at_head")
def test_an_upgrade_lays_an_older_file_out_as_a_new_one_and_loses_nothing(tmp_path: Path, by_mlflow: Path) -> None:
    before, runs, uri = everything(by_mlflow), found(by_mlflow), f"sqlite:///{by_mlflow}"
    with open_store(uri, artifacts="/mlruns") as store:
        store.tracker.experiment("Default")  # a writer that stays open
        done = upgrade_store(uri, compact=True)
        assert (everything(by_mlflow), found(by_mlflow)) == (before, runs)
        store.tracker.record([RunStarted("f" * 32, "later", "Default", 9), RunUpdated("f" * 32, [Point("loss", 2.0)])])
    assert done.sizes is not None
    assert done.sizes[1] < done.sizes[0] * 0.75
    assert by_mlflow.stat().st_size < done.sizes[0] * 0.75
    for pragma in ("integrity_check", "quick_check"):
        assert rows(by_mlflow, f"PRAGMA {pragma}") == [("ok",)], pragma
    assert rows(by_mlflow, "PRAGMA foreign_key_check") == []
    ours, new = layout(by_mlflow), layout(filled(tmp_path / "new", 1))
    assert (ours - new, new - ours) == (set(), set())
    assert found(Path(done.backup)) == runs
    assert everything(Path(done.backup)) == before

    again = upgrade_store(uri, compact=True)
    assert (again.sizes, again.backup) == (None, "")
    assert sorted(each.name for each in by_mlflow.parent.iterdir() if "upgrading" in each.name) == []


@pytest.mark.usefixtures("at_head")
def test_a_table_that_cannot_be_made_anew_as_it_was_is_left(by_mlflow: Path) -> None:
    with closing(sqlite3.connect(by_mlflow)) as connection:
        connection.execute("ALTER TABLE params ADD COLUMN mine TEXT COLLATE NOCASE DEFAULT 'x'")
        connection.execute("ALTER TABLE metrics ADD COLUMN mine")
        connection.execute("ALTER TABLE tags ADD COLUMN mine TEXT DEFAULT 'x'")
        connection.commit()
    before = everything(by_mlflow)
    upgrade_store(f"sqlite:///{by_mlflow}", compact=True, backup=Backup.NONE)
    assert everything(by_mlflow) == before
    left = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%WITHOUT ROWID%'"
    assert KEYS.keys() & {name for (name,) in rows(by_mlflow, left)} == {"params", "metrics"}


@pytest.mark.usefixtures("at_head")
def test_what_mlflow_alone_wrote_is_not_laid_out_anew(by_mlflow: Path) -> None:
    with closing(sqlite3.connect(by_mlflow)) as connection:
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE name LIKE 'hpo%' AND type = 'table'"
        ).fetchall():
            connection.execute(f"DROP TABLE {name}")
        connection.commit()
    before = layout(by_mlflow)
    assert upgrade_store(f"sqlite:///{by_mlflow}", compact=True).sizes is None
    assert layout(by_mlflow) == before


@pytest.mark.usefixtures("at_head")
def test_a_disk_without_room_is_told_before_anything_is_done(by_mlflow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything(by_mlflow), layout(by_mlflow)
    little = shutil.disk_usage("/")._replace(free=by_mlflow.stat().st_size * 4)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: little)
    with pytest.raises(StoreFull, match=r"it takes [0-9]+ MB on "):
        upgrade_store(f"sqlite:///{by_mlflow}", compact=True)
    assert (everything(by_mlflow), layout(by_mlflow)) == before
    assert [each.name for each in by_mlflow.parent.iterdir() if each.name.endswith(("bak", "upgrading"))] == []


@pytest.mark.slow
@pytest.mark.parametrize("place", ["saved", "before_swap", "swapped"])
def test_killed_while_it_is_laid_out_anew_the_file_is_whole(by_mlflow: Path, place: str) -> None:
    before, uri = everything(by_mlflow), f"sqlite:///{by_mlflow}"
    code = (
        "from trackers.sql import mlflow_revisions, schema; mlflow_revisions.head = lambda: schema.REVISION;"
        f"from trackers.upgrade import upgrade_store; upgrade_store({uri!r}, compact=True)"
    )
    environment = {**os.environ, FAILPOINT: f"upgrade.{place}:kill9:1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False, timeout=120)
    assert done.returncode == -9
    assert everything(by_mlflow) == before
    assert rows(by_mlflow, "PRAGMA integrity_check") == [("ok",)]
    text = str(rows(by_mlflow, "SELECT sql FROM sqlite_master WHERE name = 'runs'"))
    assert ("WITHOUT ROWID" in text) == (place == "swapped")
