"""PostgreSQL databases of other revisions of MLflow's: used by us, upgraded, and written down for MLflow 2."""

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from hpo.cli.main import main
from trackers.errors import UpgradeFailed
from trackers.opening import open_store
from trackers.records import NewVersion, Point, Query, RunEnded, RunStarted, Status, SweepFacts, TrialFacts
from trackers.sql import mlflow_revisions
from trackers.sql.schema import REVISION
from trackers.upgrade import upgrade_store
from trackers.upgraded import Backup

pytestmark = pytest.mark.filterwarnings("ignore")  # alembic and MLflow warn of their own deprecations

OLDEST = "0584bdc529eb"
SWEEP, TRIAL = "5" * 32, "1" * 32


def write_sweep(uri: str, folder: Path) -> list[str]:
    with open_store(uri, artifacts=str(folder / "mlruns")) as store:
        store.tracker.experiment("iris")
        params = {"depth": 3, "kind": "rf"}
        done = TrialFacts(0, params, "COMPLETE", value=0.25, seconds=0.5)
        store.tracker.record(
            [
                RunStarted(SWEEP, "sweep", "iris", 10, sweep=SweepFacts("{}", "0" * 64, "rmse", "minimize", 4, 1, 3)),
                RunStarted(TRIAL, "trial-0", "iris", 20, SWEEP, params, trial=TrialFacts(0, params)),
                RunEnded(TRIAL, Status.FINISHED, 30, [Point("rmse", 0.25)], trial=done),
            ]
        )
        version = NewVersion("clf", "/models/1", TRIAL, "clf:1", aliases=("champion",), who="ada")
        assert store.registry.register(version).version == 1
    return runs_of(uri)


def runs_of(uri: str) -> list[str]:
    with open_store(uri, read_only=True) as store:
        assert store.registry.get("clf", "champion").run_id == TRIAL
        return [repr(run) for run in store.tracker.find(Query())]


def migrate(uri: str, revision: str) -> None:
    from alembic import command
    from mlflow.store.db.utils import _get_alembic_config

    command.upgrade(_get_alembic_config(uri), revision)


@pytest.mark.parametrize(
    "revision",
    [pytest.param(OLDEST, marks=pytest.mark.slow), pytest.param("1b5f0d9ad7c1", marks=pytest.mark.slow), "heads"],
)
def test_a_sweep_is_written_and_read_at_a_revision(
    mlflow: Any, empty_postgres_uri: str, tmp_path: Path, revision: str
) -> None:
    from mlflow.store.tracking.dbmodels.initial_models import Base

    engine = sa.create_engine(empty_postgres_uri)
    Base.metadata.create_all(engine)
    engine.dispose()
    migrate(empty_postgres_uri, revision)
    assert len(write_sweep(empty_postgres_uri, tmp_path)) == 2
    migrate(empty_postgres_uri, "heads")
    assert mlflow.MlflowClient(empty_postgres_uri).get_run(TRIAL).data.metrics == {"rmse": 0.25}


@pytest.mark.slow
def test_it_is_upgraded_once_and_the_password_shows_nowhere(
    postgres: Any, postgres_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = postgres_uri.split("/")[3].split("?")[0]
    uri = postgres.uri_with_password(database)
    before = write_sweep(postgres_uri, tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UpgradeFailed, match="pg_dump is not on PATH"):
        upgrade_store(uri)
    monkeypatch.undo()
    words = Words()
    with words:
        done = CliRunner().invoke(main, ["db", "upgrade", "--no-backup", "--tracker", uri])
    assert done.exit_code == 0, done.output
    assert f"from revision {REVISION} to {mlflow_revisions.head()}" in done.stdout
    assert words.seen
    secret = uri.split(":")[2].split("@")[0]
    assert not any(secret in line for line in [*words.seen, done.output])
    assert runs_of(postgres_uri) == before
    assert upgrade_store(uri, backup=Backup.NONE).before == mlflow_revisions.head()


@pytest.mark.slow
def test_what_mlflow_cannot_upgrade_stays_as_it_was(postgres_uri: str, tmp_path: Path) -> None:
    before = write_sweep(postgres_uri, tmp_path)
    engine = sa.create_engine(postgres_uri)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE webhooks (mine INT)")
    with pytest.raises(UpgradeFailed, match=f"left as it was, at revision {REVISION}.*webhooks.*already exists"):
        upgrade_store(postgres_uri, backup=Backup.IF_POSSIBLE)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == REVISION
    engine.dispose()
    assert runs_of(postgres_uri) == before


@pytest.mark.slow
def test_it_is_saved_by_pg_dump_where_there_is_one(postgres_uri: str, tmp_path: Path) -> None:
    """No pg_dump comes with the server of the tests, so this one notes how it was called."""
    write_sweep(postgres_uri, tmp_path)
    (tmp_path / "pg_dump").write_text(
        '#!/bin/sh\nfor word; do case $word in --file=*) echo "$@" > "${word#*=}";; esac; done\n'
    )
    (tmp_path / "pg_dump").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        patch.chdir(tmp_path)
        done = upgrade_store(postgres_uri)
    dump = Path(done.backup)
    assert (dump.parent, dump.stat().st_mode & 0o777) == (tmp_path, 0o600)
    assert dump.read_text().startswith("--format=custom --no-password")


def test_it_is_written_for_mlflow_2(postgres_uri: str, tmp_path: Path) -> None:
    write_sweep(postgres_uri, tmp_path)
    done = CliRunner().invoke(
        main, ["db", "export", "--to", "mlflow2", "--tracker", postgres_uri, str(tmp_path / "m.db")]
    )
    assert done.exit_code == 0, done.output
    with closing(sqlite3.connect(tmp_path / "m.db")) as connection:
        assert connection.execute("SELECT key, value, run_uuid FROM latest_metrics").fetchall() == [
            ("rmse", 0.25, TRIAL)
        ]
        assert connection.execute("SELECT alias, version FROM registered_model_aliases").fetchall() == [("champion", 1)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


class Words:
    """The words of every process of this user that runs meanwhile."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    words = path.read_text(errors="replace")
                except OSError:
                    continue
                if "runpy" in words:
                    self.seen.add(words)
