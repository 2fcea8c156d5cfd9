"""The store as a file: how it is made, shared, guarded, and left untouched where it is not ours."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from trackers.errors import NotAStore, ReadOnlyStore, StoreUnavailable, UnreadableRun
from trackers.opening import absolute_artifacts, open_store
from trackers.records import Order, Point, Query, RunStarted, RunUpdated, TrialFacts
from trackers.sql.own_schema import VERSION
from trackers.sql.sqlite_files import check_place

RUN = "a" * 32


def rows(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def made(folder: Path) -> Path:
    with open_store(f"sqlite:///{folder}/mlflow.db") as store:
        store.tracker.record([RunStarted(RUN, "run", "Default", 1)])
    return folder / "mlflow.db"


def test_a_new_file_is_made_whole(tmp_path: Path) -> None:
    path = made(tmp_path)
    assert rows(path, "SELECT version_num FROM alembic_version") == [("bda7b8c39065",)]
    assert rows(path, "SELECT version FROM hpo_schema") == [(VERSION,)]
    assert rows(path, "PRAGMA journal_mode") == [("wal",)]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["mlflow.db", "mlflow.db.lock"]
    assert rows(path, "SELECT count(*) FROM sqlite_stat1") != [(0,)]


def test_a_relative_uri_is_below_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store("sqlite:///mlflow.db") as store:
        store.tracker.experiment("iris")
        assert store.artifacts == f"{tmp_path}/mlruns"
    assert rows(tmp_path / "mlflow.db", "SELECT artifact_location FROM experiments") == [
        (f"{tmp_path}/mlruns/0",),
        (f"{tmp_path}/mlruns/1",),
    ]
    assert not (tmp_path / "mlruns").exists()


def test_odd_characters_in_a_path_are_part_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "a b#c ä"
    folder.mkdir()
    made(folder)
    with open_store(f"sqlite:///{folder}/mlflow.db", read_only=True) as store:
        assert store.tracker.get(RUN).name == "run"


def test_artifact_roots_are_absolute_as_mlflow_writes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_artifacts("mlruns") == f"{tmp_path}/mlruns"
    assert absolute_artifacts("./x/../mlruns/") == f"{tmp_path}/mlruns"
    assert absolute_artifacts("/data/runs/") == "/data/runs"
    assert absolute_artifacts("s3://bucket/runs/") == "s3://bucket/runs"
    assert absolute_artifacts("file:///data/runs") == "file:///data/runs"


@pytest.mark.parametrize("uri", ["http://mlflow:5000", "mysql://me:secret@host/db", "mlflow.db", "mlruns", ""])
def test_other_schemes_name_those_that_work(uri: str) -> None:
    with pytest.raises(StoreUnavailable, match=r"one of sqlite:///mlflow\.db .*, postgresql://.*, memory://") as caught:
        open_store(uri)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///:memory:"])
def test_a_sqlite_uri_names_a_file(uri: str) -> None:
    with pytest.raises(StoreUnavailable, match="names no file"):
        open_store(uri)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=f"{tmp_path}/no/such does not exist"):
        open_store(f"sqlite:///{tmp_path}/no/such/mlflow.db")


def test_a_missing_file_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="there is no tracking database at"):
        open_store(f"sqlite:///{tmp_path}/mlflow.db", read_only=True)
    assert list(tmp_path.iterdir()) == []


def _cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_text("id,name\n1,x\n" * 100), "is not a SQLite database"),
        (lambda path: path.write_bytes(b""), r"is empty \(0 bytes\)"),
        (lambda path: (made(path.parent), _cut(path)), "is cut short"),
        (lambda path: change(path, "CREATE TABLE songs (id)", "CREATE TABLE bands (id)"), "it holds bands, songs"),
        (lambda path: change(path, "CREATE TABLE x (id)", "DROP TABLE x"), "it holds no tables"),
        (lambda path: path.mkdir(), "is not a file"),
    ],
    ids=["text", "empty", "cut", "other tables", "no tables", "folder"],
)
@pytest.mark.parametrize("read_only", [False, True])
def test_what_is_not_a_store_is_named_and_left_untouched(
    tmp_path: Path, spoil: object, message: str, read_only: bool
) -> None:
    path = tmp_path / "mlflow.db"
    spoil(path)  # type: ignore[operator]
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(NotAStore, match=message):
        open_store(f"sqlite:///{path}", read_only=read_only)
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_damage_inside_is_reported_as_such(tmp_path: Path) -> None:
    path = made(tmp_path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(NotAStore, match="is damaged"):
        open_store(f"sqlite:///{path}")


@pytest.mark.parametrize(
    ("statements", "problem"),
    [
        (["ALTER TABLE runs ADD COLUMN tenant TEXT NOT NULL"], "runs.tenant is unknown and must be given"),
        (["ALTER TABLE runs DROP COLUMN source_version"], "runs.source_version is gone"),
        (["DROP TABLE logged_model_tags"], "logged_model_tags.model_id is gone"),
        (["UPDATE hpo_schema SET version = 99"], "our own tables are of version 99"),
    ],
)
def test_a_newer_schema_is_read_and_not_written(tmp_path: Path, statements: list[str], problem: str) -> None:
    path = made(tmp_path)
    change(path, "PRAGMA journal_mode = DELETE")
    if "NOT NULL" in statements[0]:  # SQLite adds no such column to a table with rows, MLflow's migrations copy tables
        change(path, "CREATE TABLE kept AS SELECT * FROM runs", "DELETE FROM tags", "DELETE FROM runs")
        statements = ["DROP TABLE runs", f"CREATE TABLE runs (tenant TEXT NOT NULL, {_columns(path)})",
                      "INSERT INTO runs SELECT 'x', * FROM kept"]  # fmt: skip
    change(path, *statements)
    with open_store(f"sqlite:///{path}") as store:
        assert [run.name for run in store.tracker.find(Query())] == ["run"]
        assert store.tracker.get(RUN).name == "run"
        with pytest.raises(ReadOnlyStore, match=problem):
            store.tracker.record([RunStarted("b" * 32, "other", "Default", 1)])


def _columns(path: Path) -> str:
    return ", ".join(str(row[1]) for row in rows(path, "PRAGMA table_info(runs)"))


def test_a_harmless_new_column_does_not_stop_us(tmp_path: Path) -> None:
    path = made(tmp_path)
    change(path, "ALTER TABLE runs ADD COLUMN colour TEXT", "ALTER TABLE tags ADD COLUMN size INT NOT NULL DEFAULT 0")
    with open_store(f"sqlite:///{path}") as store:
        store.tracker.record([RunStarted("b" * 32, "other", "Default", 2)])
        assert len(store.tracker.find(Query())) == 2


def test_a_schema_changed_underneath_is_looked_at_again(tmp_path: Path) -> None:
    path = made(tmp_path)
    with open_store(f"sqlite:///{path}") as store:
        store.tracker.record([RunUpdated(RUN, [Point("x", 1.0)])])
        change(path, "ALTER TABLE params RENAME COLUMN value TO worth")
        with pytest.raises(StoreUnavailable):
            store.tracker.record([RunUpdated(RUN, params={"p": 1})])
        with pytest.raises(ReadOnlyStore, match=r"params\.value is gone"):
            store.tracker.record([RunUpdated(RUN, params={"p": 1})])


def test_opened_for_reading_it_cannot_be_written(tmp_path: Path) -> None:
    path = made(tmp_path)
    before = path.read_bytes()
    with open_store(f"sqlite:///{path}", read_only=True) as store:
        assert store.tracker.get(RUN).name == "run"
        with pytest.raises(ReadOnlyStore, match="opened for reading only"):
            store.tracker.record([RunUpdated(RUN, [Point("x", 1.0)])])
    assert path.read_bytes() == before


@pytest.mark.parametrize("system", ["nfs4", "cifs", "fuse.sshfs"])
def test_network_file_systems_are_refused(tmp_path: Path, system: str) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/root / ext4 rw 0 0\nserver:/x {tmp_path} {system} rw 0 0\ntmpfs /run tmpfs rw 0 0\n")
    with pytest.raises(StoreUnavailable, match=rf"network file system \({system}\)"):
        check_place(tmp_path / "mlflow.db", mounts=mounts)
    mounts.write_text(f"/dev/root / ext4 rw 0 0\nserver:/x {tmp_path}/other {system} rw 0 0\n")
    check_place(tmp_path / "mlflow.db", mounts=mounts)


def python(script: str, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can reach; `tmp_path` is closed to them."""
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def nobody() -> Iterator[None]:
    """This process is meanwhile somebody whom file modes bind."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not write")
@pytest.mark.parametrize(("file_mode", "folder_mode"), [(0o444, 0o777), (0o666, 0o755)], ids=["file", "folder"])
def test_without_permission_it_is_read_and_the_refusal_names_path_and_user(
    open_folder: Path, file_mode: int, folder_mode: int
) -> None:
    path = made(open_folder)
    path.chmod(file_mode)
    open_folder.chmod(folder_mode)
    with nobody(), open_store(f"sqlite:///{path}") as store:
        assert [run.name for run in store.tracker.find(Query())] == ["run"]
        with pytest.raises(StoreUnavailable, match="cannot be written by uid 65534") as caught:
            store.tracker.record([RunUpdated(RUN, [Point("x", 1.0)])])
        assert str(path if file_mode == 0o444 else open_folder) in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not write")
def test_who_may_not_write_the_folder_sees_what_is_written_later(open_folder: Path) -> None:
    """Where nobody writes there is no log to read by, and SQLite is told to take the file as it is."""
    uri = f"sqlite:///{made(open_folder)}"
    (open_folder / "mlflow.db").chmod(0o644)
    marks = []

    def seen() -> list[float | None]:
        with nobody():
            marks.append(reader.watching.mark(RUN))
            return [reader.tracker.get(RUN).metrics.get("x") for _ in range(3)]

    with nobody():
        reader = open_store(uri, read_only=True)
    with reader:
        assert seen() == [None] * 3
        for value in (1.0, 2.0):
            with open_store(uri) as writer:
                writer.tracker.record([RunUpdated(RUN, [Point("x", value)], tags={"n": str(value)})])
                assert seen() == [value] * 3
            assert seen() == [value] * 3
    assert len(set(marks)) == 3


def test_many_processes_may_open_a_fresh_file_at_once(tmp_path: Path) -> None:
    script = """
        import sys, time
        from pathlib import Path
        from trackers.opening import open_store
        from trackers.records import Point, RunStarted, RunUpdated
        folder, number = Path(sys.argv[1]), int(sys.argv[2])
        (folder / f"ready-{number}").touch()
        while not (folder / "go").exists():
            time.sleep(0.001)
        with open_store(f"sqlite:///{folder}/mlflow.db") as store:
            store.tracker.experiment("shared")
            for turn in range(5):
                run = f"{number:016x}{turn:016x}"
                store.tracker.record([RunStarted(run, "run", "shared", 1), RunUpdated(run, [Point("x", 1.0)])])
        print("done")
    """
    processes = [python(script, tmp_path, number) for number in range(6)]
    while len(list(tmp_path.glob("ready-*"))) < 6:
        assert all(process.poll() is None for process in processes)
        os.sched_yield()
    (tmp_path / "go").touch()
    assert [process.communicate(timeout=120)[0] for process in processes] == ["done\n"] * 6
    path = tmp_path / "mlflow.db"
    assert rows(path, "SELECT experiment_id, name FROM experiments") == [(0, "Default"), (1, "shared")]
    assert rows(path, "SELECT count(*) FROM runs") == [(30,)]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert not list(tmp_path.glob(".*"))


def test_others_read_while_one_writes(tmp_path: Path) -> None:
    path = made(tmp_path)
    with open_store(f"sqlite:///{path}") as writer, open_store(f"sqlite:///{path}", read_only=True) as reader:
        for number in range(20):
            writer.tracker.record([RunUpdated(RUN, [Point("x", float(number), number)])])
            assert reader.tracker.get(RUN).metrics == {"x": float(number)}


def test_a_writer_that_is_kept_waiting_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = {"busy_seconds": 0.05, "log_limit": 1 << 26}
    monkeypatch.setattr("trackers.sql.sqlite_place.SqlitePlace.__init__.__kwdefaults__", defaults)
    path = made(tmp_path)
    with open_store(f"sqlite:///{path}") as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        store.tracker.record([RunUpdated(RUN, [Point("x", 1.0)])])
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="is busy: another process has been writing"):
            store.tracker.record([RunUpdated(RUN, [Point("x", 2.0, 1)])])
        other.execute("ROLLBACK")
        store.tracker.record([RunUpdated(RUN, [Point("x", 3.0, 2)])])
        assert [point.value for point in store.tracker.history(RUN)] == [1.0, 3.0]


def test_a_full_disk_is_named_and_loses_nothing(tmp_path: Path) -> None:
    path = made(tmp_path)
    with open_store(f"sqlite:///{path}") as store:
        store.tracker.record([RunUpdated(RUN, tags={"before": "1"})])
        database = store.tracker._database  # type: ignore[attr-defined]
        with database.read() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        database._writer.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        database._writer.rollback()
        with pytest.raises(StoreUnavailable, match="no space left"):
            store.tracker.record([RunUpdated(RUN, tags={f"t{n}": "x" * 8000 for n in range(100)})])
        database._writer.exec_driver_sql("PRAGMA max_page_count = 1000000")
        database._writer.rollback()
        store.tracker.record([RunUpdated(RUN, tags={"after": "1"})])
        assert {"before", "after"} <= set(store.tracker.get(RUN).tags)


def test_the_best_of_many_children_walk_along_an_index(tmp_path: Path) -> None:
    path = made(tmp_path)
    statements: list[str] = []
    with open_store(f"sqlite:///{path}") as store:
        children = [RunStarted(f"{n:032x}", f"c{n}", "Default", n, RUN) for n in range(2000)]
        store.tracker.record(children)
        store.tracker.record([RunUpdated(child.run_id, [Point("x", -float(child.started))]) for child in children])
        database = store.tracker._database  # type: ignore[attr-defined]
        with database.read() as connection:
            raw = connection.connection.dbapi_connection
            raw.set_trace_callback(statements.append)
        best = store.tracker.find(Query(RUN, order=[Order("metrics.x")], finite="x", limit=3))
        assert [run.name for run in best] == ["c1999", "c1998", "c1997"]
        [walk] = [text for text in statements if "ORDER BY" in text and "LIMIT 3" in text]
        plan = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {walk}")]
    assert any("SEARCH walked USING INDEX hpo_latest_metrics_key_value" in step for step in plan), plan
    assert len([text for text in statements if text.startswith("SELECT")]) == 10  # however many runs there are


def test_reading_more_runs_takes_no_more_statements(tmp_path: Path) -> None:
    path = made(tmp_path)
    counted = []
    with open_store(f"sqlite:///{path}") as store:
        store.tracker.record([RunStarted(f"{n:032x}", f"c{n}", "Default", n, RUN) for n in range(400)])
        database = store.tracker._database  # type: ignore[attr-defined]
        for limit in (1, 400):
            statements: list[str] = []
            with database.read() as connection:
                connection.connection.dbapi_connection.set_trace_callback(statements.append)
            assert len(store.tracker.find(Query(RUN, limit=limit))) == limit
            counted.append(len(statements))
    assert counted[0] == counted[1]


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux lists locks")
def test_opening_a_store_twice_in_one_process_keeps_its_locks(tmp_path: Path) -> None:
    path = made(tmp_path)
    inode = f":{path.stat().st_ino}"

    def is_locked() -> bool:
        rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        return any(row[1] == "POSIX" and row[4] == str(os.getpid()) and row[5].endswith(inode) for row in rows)

    with open_store(f"sqlite:///{path}") as store:
        store.tracker.record([RunUpdated(RUN, [Point("x", 1.0)])])
        assert is_locked()
        open_store(f"sqlite:///{path}", read_only=True).close()
        # without it another process that closes the database takes it for the last one and removes the log we write to
        assert is_locked()
    assert not is_locked()


@pytest.mark.parametrize(
    ("table", "column", "value", "wanted"),
    [
        ("hpo_trials", "params", "{", "a JSON object"),
        ("hpo_trials", "params", "[1]", "a JSON object"),
        ("runs", "status", None, "one of SCHEDULED, RUNNING, FINISHED, FAILED, KILLED"),
        ("runs", "status", "WEIRD", "one of SCHEDULED, RUNNING, FINISHED, FAILED, KILLED"),
    ],
)
def test_a_row_that_somebody_spoilt_is_named_with_its_place(
    tmp_path: Path, table: str, column: str, value: str | None, wanted: str
) -> None:
    with open_store(f"sqlite:///{tmp_path}/mlflow.db") as store:
        facts = TrialFacts(0, {"x": 1})
        store.tracker.record([RunStarted("5" * 32, "sweep", "Default", 1)])
        store.tracker.record([RunStarted("7" * 32, "trial-0", "Default", 1, "5" * 32, {"x": 1}, trial=facts)])
    spoilt = f"UPDATE {table} SET {column} = {'NULL' if value is None else repr(value)} WHERE run_uuid = '{'7' * 32}'"
    change(tmp_path / "mlflow.db", "PRAGMA ignore_check_constraints = 1", spoilt)
    with open_store(f"sqlite:///{tmp_path}/mlflow.db", read_only=True) as store:
        said = f"run {'7' * 32}: {table}.{column} holds {value!r}, which is not {wanted}; "
        with pytest.raises(UnreadableRun, match=re.escape(said)):
            store.tracker.get("7" * 32)
