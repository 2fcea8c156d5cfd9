"""What `hpo doctor` finds out about the store, without changing it."""

import contextlib
import sqlite3
from pathlib import Path

from hpo.cli import stores
from hpo.cli.checkup import Finding, folder
from hpo.cli.options import Shared
from hpo.cli.text import hide_passwords
from hpo.errors import NothingFound
from trackers.errors import NotAStore, StoreUnavailable

ARTIFACTS = Path("mlruns")
"""The default artifact folder, MLflow's own."""


def store_findings(shared: Shared) -> list[Finding]:
    """Whether the store opens, what it is, and whether it and the artifact folder can be written to."""
    path = stores.database_file(shared.tracker)
    if path is not None and not path.exists():
        detail = f"none yet at {stores.store_name(shared)}"
        return [Finding("store", "ok", f"{detail}; hpo run makes it"), *folder("store folder", path.parent)]
    findings = _opens(shared)
    if findings[0].state == "ok" and path is not None:
        findings += [_kind(path), _journal(path)]
    if path is not None:
        findings += [*folder("store folder", path.parent), *_upgrades(path)]
    return findings


def artifact_findings() -> list[Finding]:
    """Whether the default artifact folder can be written to."""
    return folder("artifacts", ARTIFACTS)


def _opens(shared: Shared) -> list[Finding]:
    name = stores.store_name(shared)
    try:
        with stores.open_to_read(shared) as store:
            store.tracker.counts([])
            server = store.server()
    except NothingFound:
        return [Finding("store", "ok", f"none yet at {name}; hpo run makes it")]
    except NotAStore as error:
        remedy = "name another one with --tracker, or restore a backup"
        return [Finding("store", "fail", hide_passwords(str(error)), remedy)]
    except StoreUnavailable as error:
        return [Finding("store", "fail", hide_passwords(str(error)), "see that it is there and may be read")]
    return [Finding("store", "ok", name), *([Finding("store server", "ok", server)] if server else [])]


def _kind(path: Path) -> Finding:
    """Whose database it is, and MLflow's revision."""
    revision = _ask(path, "SELECT version_num FROM alembic_version")
    ours = _ask(path, "SELECT version FROM hpo_schema")
    whose = f"with tables of ours, version {ours}" if ours else "written by MLflow alone; a sweep adds tables of ours"
    return Finding("store schema", "ok", f"MLflow's revision {revision}, {whose}")


def _upgrades(path: Path) -> list[Finding]:
    """What `hpo db upgrade` left beside the store."""
    from trackers.sql.sqlite_upgrade import backups_of, copies_of

    found = []
    if copies := copies_of(path.absolute()):
        detail = f"one was killed; the store is whole, but {copies[0]} was left"
        found.append(Finding("store upgrade", "warn", detail, "nobody needs it; the next hpo db upgrade removes it"))
    if backups := backups_of(path.absolute()):
        found.append(Finding("store backups", "ok", ", ".join(map(str, backups))))
    return found


def _journal(path: Path) -> Finding:
    mode = _ask(path, "PRAGMA journal_mode")
    if mode == "wal":
        return Finding("store journal", "ok", "wal: readers and the writer do not wait for each other")
    return Finding("store journal", "ok", f"{mode}; a sweep turns on wal")


def _ask(path: Path, sql: str) -> str | None:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
        row = connection.execute(sql).fetchone()
        return str(row[0]) if row else None
    return None
