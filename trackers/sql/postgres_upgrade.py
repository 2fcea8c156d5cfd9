"""Upgrades a PostgreSQL database to the installed MLflow's revision.

MLflow's migrations are one transaction there, so one that fails or is killed leaves everything as it was; several at
once are kept apart by an advisory lock.
"""

import os
import shutil
import subprocess
import time
from pathlib import Path

import sqlalchemy as sa

from trackers.errors import TrackerError, UpgradeFailed
from trackers.sql import mlflow_revisions, postgres_faults
from trackers.sql.guard import inspect_layout
from trackers.sql.mlflow_command import check_can_upgrade, upgrade_by_mlflow
from trackers.sql.postgres_place import PostgresPlace, postgres_url
from trackers.upgraded import Backup, Upgraded

_LOCK = 7_021_160_419  # any number that nobody else takes
_DUMP = "pg_dump"


def upgrade_postgres(uri: str, *, backup: Backup = Backup.MUST) -> Upgraded:
    """Upgrades the database where it is behind; the backup is `<database>.<revision>.<time>.dump` in this folder.

    Raises UpgradeFailed, also where a backup must be made and `pg_dump` is not there, or StoreUnavailable.
    """
    url = postgres_url(uri)
    shown = PostgresPlace(url).shown
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_lock(_LOCK)))
            return _upgraded(connection, url, shown, backup)
    except sa.exc.DBAPIError as error:
        raise postgres_faults.fault(error.orig or error, shown) from error
    finally:
        engine.dispose()


def _upgraded(connection: sa.Connection, url: sa.URL, shown: str, backup: Backup) -> Upgraded:
    before = inspect_layout(connection, shown).revision
    if before == mlflow_revisions.head():
        return Upgraded(shown, before, before)
    check_can_upgrade(before, shown)
    kept = _dumped(url, before, backup)
    try:
        upgrade_by_mlflow(url.render_as_string(hide_password=False))
    except TrackerError as error:
        if kept is not None:
            kept.unlink(missing_ok=True)
        raise UpgradeFailed(f"{shown} was left as it was, at revision {before}: {error}") from error
    layout = inspect_layout(connection, shown)
    if layout.problems:
        saved = f"; it was saved before as {kept}" if kept else ""
        raise UpgradeFailed(
            f"{shown} is at revision {layout.revision} now, which can be read but not written by this release: "
            f"{'; '.join(layout.problems[:3])}; upgrade tracked-hpo{saved}"
        )
    return Upgraded(shown, before, layout.revision, str(kept or ""))


def _dumped(url: sa.URL, revision: str, backup: Backup) -> Path | None:
    """What pg_dump made of the database, on the disk for its owner alone."""
    if backup is Backup.NONE:
        return None
    program = shutil.which(_DUMP)
    if program is None:
        if backup is Backup.IF_POSSIBLE:
            return None
        raise UpgradeFailed(
            f"{_DUMP} is not on PATH, so no backup can be made; make one, then: hpo db upgrade --no-backup"
        )
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    kept = Path.cwd() / f"{url.database}.{revision}.{stamp}.dump"
    os.close(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    words = [program, "--format=custom", "--no-password", f"--file={kept}", f"--dbname={_without_password(url)}"]
    secret = {"PGPASSWORD": str(url.password)} if url.password else {}
    done = subprocess.run(words, env={**os.environ, **secret}, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return kept
    kept.unlink(missing_ok=True)
    if backup is Backup.IF_POSSIBLE:
        return None
    raise UpgradeFailed(f"no backup could be made, so nothing was done; {_DUMP} says: {done.stderr.strip()[-500:]}")


def _without_password(url: sa.URL) -> str:
    """The URL as PostgreSQL's own programs take it."""
    return url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
