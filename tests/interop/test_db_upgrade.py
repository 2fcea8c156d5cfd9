"""`hpo db upgrade`: MLflow's own upgrade, on a copy; whatever happens, the database is whole, before or after."""

import json
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hpo.cli.main import main
from hpo.driver import Driver
from trackers.failpoints import FAILPOINT
from trackers.opening import open_store
from trackers.records import Point, Query, RunStarted, RunUpdated
from trackers.sql import mlflow_revisions
from trackers.sql.schema import REVISION

HPO = [sys.executable, "-c", "from hpo.cli.main import main; main()"]


def upgrade(uri: str, *words: str) -> Result:
    return CliRunner().invoke(main, ["db", "upgrade", "--tracker", uri, *words])


def started(uri: str, failpoint: str = "") -> subprocess.Popen[str]:
    environment = {**os.environ, FAILPOINT: failpoint}
    words = [*HPO, "db", "upgrade", "--tracker", uri]
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def runs_of(uri: str) -> list[str]:
    with open_store(uri, read_only=True) as store:
        return [repr(run) for run in store.tracker.find(Query())]  # NaN is not equal to NaN


def revision_of(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def beside(path: Path, pattern: str) -> list[Path]:
    return sorted(path.parent.glob(pattern))


@pytest.fixture
def database(made: Any, copied: Callable[[Any, Path], Any], tmp_path: Path) -> Path:
    """A copy of the world, never opened by MLflow."""
    return Path(copied(made, tmp_path).folder, "mlflow.db")


@pytest.mark.slow
def test_it_brings_the_database_to_the_head_and_keeps_a_backup(database: Path) -> None:
    uri = f"sqlite:///{database}"
    before = runs_of(uri)
    database.with_name(".mlflow.db.4711.upgrading").write_text("left by one that was killed")
    with open_store(uri, artifacts=str(database.parent / "mlruns")) as store:
        store.tracker.experiment("iris")  # a writer that stays open and goes on afterwards

        done = upgrade(uri, "-f", "json")

        assert done.exit_code == 0, done.output
        said = json.loads(done.stdout)
        assert (said["from"], said["to"]) == (REVISION, mlflow_revisions.head())
        assert runs_of(uri) == before
        store.tracker.record([RunStarted("c" * 32, "later", "iris", 5), RunUpdated("c" * 32, [Point("rmse", 1.0)])])
        assert store.registry.get("clf", "champion").version == 1
    [backup] = beside(database, "mlflow.db.*.bak")
    assert str(backup) == said["backup"]
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert revision_of(backup) == REVISION
    assert runs_of(f"sqlite:///{backup}") == before
    assert len(runs_of(uri)) == len(before) + 1
    assert revision_of(database) == mlflow_revisions.head()
    assert beside(database, ".mlflow.db*") == []

    again = upgrade(uri)
    assert (again.exit_code, "already; nothing to do" in again.stdout) == (0, True)
    assert beside(database, "mlflow.db.*.bak") == [backup]


@pytest.mark.slow
def test_what_mlflow_cannot_upgrade_stays_as_it_was(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE webhooks (mine INT)")  # a migration makes one of that name
    uri = f"sqlite:///{database}"
    before = runs_of(uri)

    done = upgrade(uri)

    assert done.exit_code == 1
    assert f"was left as it was, at revision {REVISION}: mlflow db upgrade ended with exit 1" in done.stderr
    assert "table webhooks already exists" in done.stderr
    assert (revision_of(database), runs_of(uri)) == (REVISION, before)
    assert beside(database, "*.bak") + beside(database, ".mlflow.db*") == []


@pytest.mark.slow
def test_what_another_program_writes_meanwhile_is_not_lost(database: Path) -> None:
    gate = database.parent / "gate"
    process = started(f"sqlite:///{database}", f"upgrade.before_swap:wait:{gate}:1")
    while not gate.with_name("gate.reached").exists():
        assert process.poll() is None, process.communicate()
        os.sched_yield()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE runs SET name = 'renamed' WHERE name = 'trial-1'")
        connection.commit()
    gate.touch()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "another program wrote to" in said
    assert revision_of(database) == REVISION
    assert any("name='renamed'" in run for run in runs_of(f"sqlite:///{database}"))


@pytest.mark.parametrize(
    "place",
    ["upgrade.saved", *(pytest.param(f"upgrade.{at}", marks=pytest.mark.slow) for at in ("before_swap", "swapped"))],
)
def test_killed_in_the_middle_the_database_is_whole_and_the_backup_is_named(database: Path, place: str) -> None:
    uri = f"sqlite:///{database}"
    before = runs_of(uri)
    process = started(uri, f"{place}:kill9:1")
    process.communicate(timeout=120)
    assert process.returncode == -9

    assert runs_of(uri) == before
    assert revision_of(database) == (mlflow_revisions.head() if place == "upgrade.swapped" else REVISION)
    [backup] = beside(database, "mlflow.db.*.bak")
    assert revision_of(backup) == REVISION
    doctor = CliRunner().invoke(main, ["doctor", "--tracker", uri, "-f", "json"])
    found = {finding["check"]: finding for finding in json.loads(doctor.stdout)}
    assert str(backup) in found["store backups"]["detail"]
    assert found["store upgrade"]["state"] == "warn"


@pytest.mark.slow
def test_of_several_at_once_one_upgrades_and_all_end_well(database: Path) -> None:
    processes = [started(f"sqlite:///{database}") for _ in range(4)]
    said = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, said
    assert sorted(out.split()[0] for out, _ in said) == [f"sqlite:///{database}"] * 3 + ["upgraded"]
    assert len(beside(database, "mlflow.db.*.bak")) == 1


def test_it_is_refused_while_a_driver_is_at_work(database: Path) -> None:
    uri = f"sqlite:///{database}"
    with open_store(uri, artifacts=str(database.parent / "mlruns")) as store:
        sweep = "d" * 32
        store.tracker.experiment("hpo")
        [facts] = [run.sweep for run in store.tracker.find(Query(sweeps=True))]
        store.tracker.record([RunStarted(sweep, "busy", "hpo", 1, sweep=facts)])
        store.ownership.claim(sweep, Driver.here().text, taking_from=None)
    done = upgrade(uri)
    assert (done.exit_code, f"'busy' is run by pid {os.getpid()}" in done.stderr) == (5, True)
    assert revision_of(database) == REVISION


def test_without_mlflow_it_says_what_to_install(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    mlflow_revisions.chain.cache_clear()
    try:
        done = upgrade(f"sqlite:///{database}")
    finally:
        monkeypatch.undo()
        mlflow_revisions.chain.cache_clear()
    assert (done.exit_code, "pip install 'tracked-hpo[mlflow]'" in done.stderr) == (1, True)


def test_a_database_of_a_newer_mlflow_is_left_alone(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'fedcba987654'")
        connection.commit()
    done = upgrade(f"sqlite:///{database}")
    assert (done.exit_code, "which the MLflow installed here does not know" in done.stderr) == (1, True)
    assert revision_of(database) == "fedcba987654"
