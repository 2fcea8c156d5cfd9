"""A store that is busy, cut off, damaged, deleted or not ours: cause, place, remedy; what was printed is kept."""

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count, islice
from pathlib import Path

import pytest

from trackers.errors import NotAStore, StoreBusy, StoreGone
from trackers.opening import open_store
from trackers.records import Query, RunStarted, RunUpdated
from trackers.sql.database import Database
from trackers.sql.lock_holders import holder
from trackers.sql.sql_tracker import SqlTracker
from trackers.sql.sqlite_place import SqlitePlace

TRANSACTION = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""
LOCK_FILE = """
import fcntl, sys
file = open(sys.argv[1] + ".lock")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


class Holder:
    """Another process that keeps a store busy from when it is made until `let_go`."""

    def __init__(self, script: str, database: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "held\n"

    def let_go(self) -> None:
        self.process.communicate(timeout=60)


@pytest.fixture
def hold_store() -> Iterator[Callable[[str, Path], Holder]]:
    holders: list[Holder] = []

    def hold(script: str, database: Path) -> Holder:
        holders.append(Holder(script, database))
        return holders[-1]

    yield hold
    for one in holders:
        one.process.kill()
        one.process.communicate()


@pytest.mark.everyday(count=1)
@pytest.mark.parametrize("script", [TRANSACTION, LOCK_FILE], ids=["transaction", "lock file"])
def test_a_driver_waits_for_another_writer_and_names_it(
    sweep_folder, fork_driver, wait_for: Callable[..., None], hold_store: Callable[..., Holder], script: str
) -> None:
    """F12."""
    sweep_folder.hold(2)
    driver = fork_driver(environment={"HPO_STORE_RETRY_FOR": "8s"})
    wait_for(lambda: sweep_folder.held(2))
    other = hold_store(script, sweep_folder.database)
    sweep_folder.release(2)
    wait_for(lambda: "waiting" in driver.stderr)
    assert f"store busy 2 s, waiting (pid {other.process.pid})" in driver.stderr
    other.let_go()
    assert driver.wait() == 0, driver.stderr
    assert "the store is back: reconnected after" in driver.stderr
    assert sweep_folder.states() == ["COMPLETE"] * 6
    assert sweep_folder.executions() == dict.fromkeys(range(6), 1)
    assert sweep_folder.integrity() == "ok"


@pytest.mark.slow
def test_a_driver_waits_for_another_writer_also_to_register(
    sweep_folder, fork_driver, wait_for: Callable[..., None], hold_store: Callable[..., Holder]
) -> None:
    """F12, F25."""
    sweep_folder.write(
        objective={"python": "fault_objective:with_model"}, tracker={"log_models": "best"}, register={"name": "model"}
    )
    place = sweep_folder.path / "asked"
    point = f"register.asked:wait:{place}:1"
    driver = fork_driver(environment={"HPO_STORE_RETRY_FOR": "8s", "HPO_FAILPOINT": point})
    wait_for(Path(f"{place}.reached").exists)
    other = hold_store(TRANSACTION, sweep_folder.database)
    place.touch()
    wait_for(lambda: "waiting" in driver.stderr)
    assert f"store busy 2 s, waiting (pid {other.process.pid})" in driver.stderr
    other.let_go()
    assert driver.wait() == 0, driver.stderr
    assert "the store is back: reconnected after" in driver.stderr
    with open_store(sweep_folder.uri, read_only=True) as store:
        assert [(version.version, version.aliases) for version in store.registry.versions()] == [(1, ["champion"])]


def test_a_writer_that_never_lets_go_ends_the_driver_without_loss(
    sweep_folder, fork_driver, wait_for: Callable[..., None], hold_store: Callable[..., Holder]
) -> None:
    """F12."""
    sweep_folder.write(parallel={"n_jobs": 2, "backend": "threading"})
    sweep_folder.hold(2, 3)
    driver = fork_driver(environment={"HPO_STORE_RETRY_FOR": "0.5"})
    wait_for(lambda: sweep_folder.held(2) and sweep_folder.held(3))
    other = hold_store(TRANSACTION, sweep_folder.database)
    sweep_folder.release(2, 3)
    assert driver.wait() == 75
    assert driver.stderr.splitlines()[-1] == (
        f"Error: {sweep_folder.database} is busy: process {other.process.pid} has been writing to it; "
        "end it, or wait, then: hpo resume faults"
    )
    other.let_go()
    again = fork_driver()
    assert again.wait() == 0, again.stderr
    assert sweep_folder.states() == ["COMPLETE"] * 6
    assert sweep_folder.executions() == dict.fromkeys(range(6), 1)


@pytest.mark.slow
def test_the_spool_taken_in_again_after_a_kill_is_harmless(
    sweep_folder, fork_driver, wait_for: Callable[..., None], hold_store: Callable[..., Holder]
) -> None:
    """F12, F1."""
    sweep_folder.hold(3)
    driver = fork_driver(environment={"HPO_STORE_RETRY_FOR": "0.5"})
    wait_for(lambda: sweep_folder.held(3))
    other = hold_store(TRANSACTION, sweep_folder.database)
    sweep_folder.release(3)
    assert driver.wait() == 75
    other.let_go()
    [spool] = (sweep_folder.path / "mlruns").glob(".hpo-spool-*")
    content = spool.read_bytes()
    sweep_folder.hold(5)
    killed = fork_driver()
    wait_for(lambda: sweep_folder.held(5))
    killed.kill9()
    sweep_folder.release(5)
    assert not spool.exists()
    spool.write_bytes(content)
    assert fork_driver().wait() == 0
    assert sweep_folder.states() == ["COMPLETE"] * 6
    assert sweep_folder.executions() == dict.fromkeys(range(6), 1)
    assert not spool.exists()


@pytest.mark.slow
def test_stop_after_a_driver_that_had_to_spool_takes_its_results_in_from_any_folder(
    sweep_folder, fork_driver, wait_for: Callable[..., None], hold_store: Callable[..., Holder], tmp_path: Path
) -> None:
    """F12, F1: the artifacts that keep the spool are a folder below the one in which the sweep was started."""
    sweep_folder.hold(3)
    driver = fork_driver(environment={"HPO_STORE_RETRY_FOR": "0.5"})
    wait_for(lambda: sweep_folder.held(3))
    other = hold_store(TRANSACTION, sweep_folder.database)
    sweep_folder.release(3)
    assert driver.wait() == 75
    other.let_go()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    stop = subprocess.run(
        sweep_folder.command("stop", "faults", "--tracker", sweep_folder.uri),
        cwd=elsewhere, env=sweep_folder.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert stop.returncode == 1
    assert "1 result it had not recorded on record now" in stop.stderr
    assert list((sweep_folder.path / "mlruns").glob(".hpo-spool-*")) == []
    assert sweep_folder.trials()[3].state == "COMPLETE"
    assert fork_driver().wait() == 0
    assert sweep_folder.states() == ["COMPLETE"] * 6
    assert sweep_folder.executions() == dict.fromkeys(range(6), 1)


@pytest.mark.everyday(count=3)
@pytest.mark.parametrize("nth", [1, 4, 9])
@pytest.mark.parametrize("where", ["store.before_commit", "store.after_commit"])
def test_a_commit_whose_answer_is_lost_changes_nothing(sweep_folder, fork_driver, where: str, nth: int) -> None:
    """F13."""
    driver = fork_driver(environment={"HPO_FAILPOINT": f"{where}:raise:EIO:{nth}", "HPO_STORE_RETRY_FOR": "60s"})
    assert driver.wait() == 0, driver.stderr
    assert sweep_folder.states() == ["COMPLETE"] * 6
    assert [trial.attempt for trial in sweep_folder.trials()] == [1] * 6
    assert sweep_folder.executions() == dict.fromkeys(range(6), 1)
    with open_store(sweep_folder.uri, read_only=True) as store:
        for run in store.tracker.find(Query(parent=sweep_folder.sweep().id)):
            assert len(store.tracker.history(run.id, "loss")) == 1


def test_a_database_that_is_deleted_under_the_driver_is_noticed_and_rescued(
    sweep_folder, fork_driver, wait_for: Callable[..., None]
) -> None:
    """F21."""
    sweep_folder.hold(3)
    driver = fork_driver()
    wait_for(lambda: sweep_folder.held(3))
    sweep_folder.database.unlink()
    sweep_folder.release(3)
    assert driver.wait() == 75
    [copy] = sweep_folder.path.glob("mlflow.db.rescued-*")
    assert driver.stderr.splitlines()[-1] == (
        f"Error: {sweep_folder.database} was deleted or replaced while it was written to; all that was in it is in "
        f"{copy}; put that back: mv {copy} {sweep_folder.database}, then: hpo resume faults"
    )
    assert "trial 3 COMPLETE" not in driver.stderr
    assert not sweep_folder.database.exists()
    copy.rename(sweep_folder.database)
    assert fork_driver().wait() == 0
    assert sweep_folder.states() == ["COMPLETE"] * 6
    assert sweep_folder.executions() == dict.fromkeys(range(6), 1)
    assert sweep_folder.integrity() == "ok"


def test_what_is_rescued_to_the_temporary_files_lies_in_a_folder_that_only_its_owner_can_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F21: where the store's own folder is gone; somebody has put a link where the copy would be by a guess."""
    temporary, victim = tmp_path / "tmp", tmp_path / "victim"
    temporary.mkdir()
    victim.write_text("mine")
    (temporary / f"mlflow.db.rescued-{os.getpid()}").symlink_to(victim)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    folder = tmp_path / "store"
    folder.mkdir()
    with open_store(f"sqlite:///{folder}/mlflow.db") as store:
        store.tracker.record([RunStarted("a" * 32, "run", "Default", 1)])
        shutil.rmtree(folder)
        with pytest.raises(StoreGone, match="all that was in it is in"):
            store.tracker.record([RunUpdated("a" * 32, tags={"x": "1"})])
    [copy] = temporary.glob("*/mlflow.db.rescued-*")
    assert (stat.S_IMODE(copy.parent.stat().st_mode), stat.S_IMODE(copy.stat().st_mode)) == (0o700, 0o600)
    assert victim.read_text() == "mine"
    with open_store(f"sqlite:///{copy}", read_only=True) as store:
        assert store.tracker.get("a" * 32).tags["x"] == "1"


READER = """
import sqlite3, sys
connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, isolation_level=None)
connection.execute("BEGIN")
connection.execute("SELECT count(*) FROM runs").fetchall()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_log_that_a_reader_makes_grow_is_said_once_and_cut_when_the_reader_has_ended(
    tmp_path: Path, hold_store: Callable[..., Holder], caplog: pytest.LogCaptureFixture
) -> None:
    """F23: the limit is 1 MB here, 64 MB else."""
    path, limit = tmp_path / "mlflow.db", 1 << 20
    wal = tmp_path / "mlflow.db-wal"
    database = Database(SqlitePlace(path, log_limit=limit), artifacts=str(tmp_path / "mlruns"))
    tracker = SqlTracker(database, str(tmp_path / "mlruns"))

    numbers = count()

    def write(megabytes: int) -> None:
        for number in islice(numbers, megabytes * 4):
            tags = {f"tag-{number}-{part}": "x" * 7000 for part in range(40)}
            tracker.record([RunUpdated("a" * 32, tags=tags)])

    with closing(database):
        tracker.record([RunStarted("a" * 32, "run", "Default", 1)])
        write(3)
        assert wal.stat().st_size <= limit
        assert caplog.messages == []
        reader = hold_store(READER, path)
        write(3)
        assert wal.stat().st_size > limit
        [message] = caplog.messages
        assert message.startswith(f"the log {wal} has grown to 1 MB, because process {reader.process.pid} reads")
        reader.let_go()
        write(1)
        assert wal.stat().st_size <= limit
        again = hold_store(READER, path)
        write(3)
        assert len(caplog.messages) == 2
        again.let_go()
    assert not wal.exists()


def test_a_database_that_is_replaced_under_the_driver_is_left_as_it_is(tmp_path: Path) -> None:
    """F21."""
    path, other = tmp_path / "mlflow.db", tmp_path / "other.db"
    open_store(f"sqlite:///{other}").close()
    before = other.read_bytes()
    with open_store(f"sqlite:///{path}") as store:
        store.tracker.record([RunStarted("a" * 32, "run", "Default", 1)])
        other.rename(path)
        with pytest.raises(StoreGone, match="was deleted or replaced"):
            store.tracker.record([RunUpdated("a" * 32, tags={"x": "1"})])
    assert path.read_bytes() == before
    [copy] = tmp_path.glob("mlflow.db.rescued-*")
    with open_store(f"sqlite:///{copy}", read_only=True) as store:
        assert store.tracker.get("a" * 32).tags["x"] == "1"


def _text(path: Path) -> None:
    path.write_text("id,name\n1,x\n" * 100)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def _overwritten(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))


def _of_another_program(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE songs (id)")


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE hpo_schema SET version = 99")
        connection.commit()


@pytest.mark.everyday(count=1)
@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (_text, "not a valid store: {path} is not a SQLite database"),
        (_empty, "not a valid store: {path} is empty (0 bytes)"),
        (_cut, "not a valid store: {path} is cut short"),
        (_overwritten, "not a valid store: {path} is damaged"),
        (_of_another_program, "not a valid store: sqlite:///{path} is not a tracking database: it holds songs"),
        (_newer, "our own tables are of version 99"),
    ],
    ids=["text", "empty", "cut", "overwritten", "not ours", "newer"],
)
def test_a_broken_store_is_named_and_left_untouched(
    sweep_folder, fork_driver, spoil: Callable[[Path], None], cause: str
) -> None:
    """F21."""
    assert fork_driver().wait() == 0
    spoil(sweep_folder.database)
    before = sweep_folder.database.read_bytes()
    driver = fork_driver("-n", "9")
    assert driver.wait() == 75, driver.stderr
    last = driver.stderr.splitlines()[-1]
    assert cause.format(path=sweep_folder.database) in last
    assert any(remedy in last for remedy in ("restore a backup", "name another", "untouched", "upgrade tracked-hpo"))
    assert "Traceback" not in driver.stderr
    assert sweep_folder.database.read_bytes() == before
    assert len(sweep_folder.executions()) == 6


@pytest.mark.slow
def test_no_new_database_is_made_beside_the_log_of_one_that_is_gone(
    sweep_folder, fork_driver, wait_for: Callable[..., None]
) -> None:
    """F21."""
    sweep_folder.hold(2)
    driver = fork_driver()
    wait_for(lambda: sweep_folder.held(2))
    driver.kill9()
    sweep_folder.release(2)
    kept = sweep_folder.path / "kept.db"
    sweep_folder.database.rename(kept)
    refused = fork_driver()
    assert refused.wait() == 75
    assert f"{sweep_folder.database} is gone, but its log mlflow.db-wal is there" in refused.stderr.splitlines()[-1]
    assert not sweep_folder.database.exists()
    kept.rename(sweep_folder.database)
    assert fork_driver().wait() == 0
    assert sweep_folder.states() == ["COMPLETE"] * 6


def test_a_log_that_was_taken_away_is_missed(sweep_folder, fork_driver, wait_for: Callable[..., None]) -> None:
    """F21."""
    sweep_folder.hold(2)
    driver = fork_driver()
    wait_for(lambda: sweep_folder.held(2))
    driver.kill9()
    sweep_folder.release(2)
    kept = sweep_folder.path / "kept-wal"
    log = sweep_folder.path / "mlflow.db-wal"
    log.rename(kept)
    before = sweep_folder.database.read_bytes()
    for arguments in (["run", "sweep.yaml"], ["ls"]):
        refused = sweep_folder.hpo(*arguments)
        assert refused.wait() == 75
        assert refused.stderr.splitlines()[-1] == (
            f"Error: not a valid store: the log {log} is gone, and what was recorded last with it; put it back, "
            f"or go on without: rm {sweep_folder.database}.lock"
        )
    assert sweep_folder.database.read_bytes() == before
    kept.rename(log)
    assert fork_driver().wait() == 0
    assert sweep_folder.states() == ["COMPLETE"] * 6


@pytest.mark.slow
def test_a_log_that_another_program_copied_back_is_not_missed(
    sweep_folder, fork_driver, wait_for: Callable[..., None]
) -> None:
    """F21."""
    sweep_folder.hold(2)
    driver = fork_driver()
    wait_for(lambda: sweep_folder.held(2))
    driver.kill9()
    sweep_folder.release(2)
    with closing(sqlite3.connect(sweep_folder.database)) as connection:  # as MLflow would open it
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (4,)
    assert not (sweep_folder.path / "mlflow.db-wal").exists()
    assert fork_driver().wait() == 0
    assert sweep_folder.states() == ["COMPLETE"] * 6
    assert (sweep_folder.path / "mlflow.db.lock").read_bytes() == b""


def test_the_holder_of_a_lock_is_found_in_the_kernels_table(tmp_path: Path) -> None:
    """F12."""
    path = tmp_path / "mlflow.db"
    for name in ("mlflow.db", "mlflow.db-shm", "mlflow.db.lock"):
        (tmp_path / name).touch()
    inode = {name: (tmp_path / name).stat().st_ino for name in ("mlflow.db", "mlflow.db-shm", "mlflow.db.lock")}
    table = tmp_path / "locks"

    def found(line: str) -> int:
        table.write_text(
            f"1: POSIX  ADVISORY  READ 11 fe:00:{inode['mlflow.db']} 1073741826 1073742335\n{line}\nnoise\n"
        )
        return holder(path, locks=table)

    assert found(f"2: POSIX  ADVISORY  WRITE 12 fe:00:{inode['mlflow.db-shm']} 120 120") == 12
    assert found(f"2: POSIX  ADVISORY  WRITE 12 fe:00:{inode['mlflow.db-shm']} 121 121") == 0  # a checkpoint
    assert found(f"2: POSIX  ADVISORY  WRITE 13 fe:00:{inode['mlflow.db']} 1073741825 1073741825") == 13
    assert found(f"2: POSIX  ADVISORY  WRITE 13 fe:00:{inode['mlflow.db']} 0 EOF") == 13
    assert found(f"2: FLOCK  ADVISORY  WRITE 14 fe:00:{inode['mlflow.db.lock']} 0 EOF") == 14
    assert found("2: FLOCK  ADVISORY  WRITE 15 fe:00:1 0 EOF") == 0
    assert holder(path, locks=tmp_path / "no such table") == 0


def test_ctrl_c_is_heard_while_waiting_for_another_writer(tmp_path: Path) -> None:
    """F12, F3."""
    path = tmp_path / "mlflow.db"
    with open_store(f"sqlite:///{path}") as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        store.tracker.record([RunStarted("a" * 32, "run", "Default", 1)])
        other.execute("BEGIN IMMEDIATE")
        before = signal.signal(signal.SIGALRM, signal.default_int_handler)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            with pytest.raises(KeyboardInterrupt):
                store.tracker.record([RunUpdated("a" * 32, tags={"x": "1"})])
        finally:
            signal.signal(signal.SIGALRM, before)
        store.wait_at_most(0.05)
        with pytest.raises(StoreBusy):
            store.tracker.record([RunUpdated("a" * 32, tags={"x": "2"})])
        other.execute("ROLLBACK")
        store.tracker.record([RunUpdated("a" * 32, tags={"x": "3"})])
        assert store.tracker.get("a" * 32).tags["x"] == "3"


def test_reading_a_store_that_is_not_one_leaves_it_alone_too(tmp_path: Path) -> None:
    """F21."""
    path = tmp_path / "mlflow.db"
    path.write_bytes(b"")
    with pytest.raises(NotAStore, match="not a valid store"):
        open_store(f"sqlite:///{path}", read_only=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["mlflow.db"]
    assert path.read_bytes() == b""
