"""Upgrades a SQLite file to the installed MLflow's revision, and to the tables of a new file: on a copy, which then
takes its place in one transaction.

MLflow's migrations of SQLite are no transaction: one that fails, or is killed, leaves tables half copied, and rows
that others write meanwhile are lost. So the file itself is touched once, when everything else is done, while our lock
keeps our own writers away; what other programs write in between is noticed, and then nothing is changed.
"""

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from trackers.errors import StoreFull, TrackerError, UpgradeFailed
from trackers.failpoints import reach
from trackers.sql import mlflow_revisions, sqlite_faults
from trackers.sql.compact import lay_out_compactly, roomy_tables
from trackers.sql.guard import CORE, inspect_layout
from trackers.sql.mlflow_command import check_can_upgrade, upgrade_by_mlflow
from trackers.sql.sqlite_place import SqlitePlace
from trackers.upgraded import Backup, Upgraded

COPY = ".upgrading"
"""How the name of the copy ends that an upgrade works on; one that is left behind is of no use."""
BACKUP = ".bak"
"""How the name of a backup ends."""


def upgrade_sqlite(place: SqlitePlace, *, backup: Backup = Backup.MUST, compact: bool = False) -> Upgraded:
    """Upgrades the file where it is behind, and where `compact` asks for it lays its tables out as in a new file.

    The backup is named `<file>.<revision>.<time>.bak`. Raises UpgradeFailed, or StoreUnavailable for the disk; then the
    file is as it was.
    """
    place.check()
    head = mlflow_revisions.head()
    with _reported(place.path), contextlib.closing(_connected(place.path, mode="ro")) as reader:
        revision = _revision(reader)
        if revision == head and not (compact and _may_be_smaller(reader)):
            return Upgraded(place.shown, revision, revision)
    if revision != head:
        check_can_upgrade(revision, place.shown)
    place.check_writable()
    with place.exclusive(), _reported(place.path), contextlib.closing(_connected(place.path)) as live:
        revision = _revision(live)  # another process may have upgraded it while we waited
        compact = compact and _may_be_smaller(live)
        if revision == head and not compact:
            return Upgraded(place.shown, revision, revision)
        return _upgraded(place, live, revision, backup=backup, compact=compact)


def backups_of(path: Path) -> list[Path]:
    """Backups that upgrades of this file left, oldest first."""
    return sorted(path.parent.glob(f"{path.name}.*{BACKUP}"), key=lambda found: found.stat().st_mtime)


def copies_of(path: Path) -> list[Path]:
    """What upgrades that were killed left beside the file, and nobody needs."""
    return sorted(path.parent.glob(f".{path.name}.*{COPY}*"))


def _upgraded(
    place: SqlitePlace, live: sqlite3.Connection, revision: str, *, backup: Backup, compact: bool
) -> Upgraded:
    for left in copies_of(place.path):  # whoever made them is dead: the lock is ours
        left.unlink(missing_ok=True)
    size = _size(live)
    _check_room(place.path, size, keeps=backup is not Backup.NONE, compact=compact)
    copy = place.path.with_name(f".{place.path.name}.{os.getpid()}{COPY}")
    try:
        seen = _version(live)
        _save(live, copy)
        kept = None if backup is Backup.NONE else _kept(place.path, revision, copy)
        reach("upgrade.saved")
        try:
            if revision != mlflow_revisions.head():
                upgrade_by_mlflow(f"sqlite:///{copy}")
            if compact:
                _make_compact(copy)
            _check(place, live, copy)
            reach("upgrade.before_swap")
            _swap(live, copy, seen, place.shown)
        except BaseException as error:
            if kept is not None and isinstance(error, TrackerError):
                kept.unlink(missing_ok=True)  # the file is as it was, so nothing is to be restored from it
            raise
        reach("upgrade.swapped")
        return Upgraded(
            place.shown, revision, _revision(live), str(kept or ""), (size, _size(live)) if compact else None
        )
    except TrackerError as error:
        raise type(error)(f"{place.shown} was left as it was, at revision {revision}: {error}") from error
    finally:
        for left in copies_of(place.path):
            left.unlink(missing_ok=True)


def _connected(path: Path, mode: str = "rw") -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=10, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _revision(connection: sqlite3.Connection) -> str:
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        row = None
    if row is None:
        raise UpgradeFailed("it is not a tracking database of MLflow's: it has no revision")
    return str(row[0])


def _version(connection: sqlite3.Connection) -> int:
    """A number that changes when another connection commits."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def _size(connection: sqlite3.Connection) -> int:
    """The bytes of a database, whatever lies in its log yet."""
    [pages], [size] = (connection.execute(f"PRAGMA {what}").fetchone() for what in ("page_count", "page_size"))
    return int(pages) * int(size)


def _may_be_smaller(connection: sqlite3.Connection) -> bool:
    """Whether the file has our tables beside such as MLflow makes; what MLflow alone wrote is left as it is."""
    ours = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'hpo_sweeps'").fetchone()
    return ours is not None and bool(roomy_tables(connection))


def _check_room(path: Path, size: int, *, keeps: bool, compact: bool) -> None:
    """StoreFull where the disk cannot hold what is there at once: the copy, the log of the swap, the backup, and twice
    the tables that are laid out anew."""
    wanted = size * (2 + keeps + 2 * compact)
    free = shutil.disk_usage(path.parent).free
    if free < wanted:
        text = (
            f"it takes {wanted / 1e6:.0f} MB on {path.parent} for a while, and {free / 1e6:.0f} MB are free; free space"
        )
        raise StoreFull(text, str(path.parent))


def _make_compact(copy: Path) -> None:
    """Lays the tables of the copy out anew, and lets go of the room that they took."""
    lay_out_compactly(copy)
    part = copy.with_name(f"{copy.name}.part")
    _create_empty(part)
    with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        connection.execute("PRAGMA analysis_limit = 400")
        connection.execute("ANALYZE")  # what was known of the tables went with them
        connection.execute("VACUUM INTO ?", (str(part),))
    part.replace(copy)


def _create_empty(path: Path) -> None:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _save(live: sqlite3.Connection, copy: Path) -> None:
    """A copy of the database for its owner alone, found whole."""
    _create_empty(copy)
    with contextlib.closing(sqlite3.connect(copy)) as target:
        live.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")  # one file, that can be copied
        _check_whole(target, copy)


def _kept(path: Path, revision: str, copy: Path) -> Path:
    """The backup, on the disk under its name."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    kept = path.with_name(f"{path.name}.{revision}.{stamp}{BACKUP}")
    part = copy.with_name(f"{copy.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with copy.open("rb") as read, os.fdopen(descriptor, "wb") as write:
        while chunk := read.read(1 << 20):
            write.write(chunk)
        write.flush()
        os.fsync(write.fileno())
    part.replace(kept)
    return kept


def _check(place: SqlitePlace, live: sqlite3.Connection, copy: Path) -> None:
    """UpgradeFailed where the upgraded copy is not whole, lost rows, or could not be written by us."""
    engine = sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(copy))
    try:
        with engine.connect() as connection:
            layout = inspect_layout(connection, place.shown)
    finally:
        engine.dispose()
    if layout.problems:
        raise UpgradeFailed(f"the MLflow installed here makes it read-only for us: {'; '.join(layout.problems[:3])}")
    with contextlib.closing(sqlite3.connect(copy)) as upgraded:
        _check_whole(upgraded, copy)
        if _revision(upgraded) != mlflow_revisions.head():
            raise UpgradeFailed(f"MLflow left it at revision {_revision(upgraded)}")
        if lost := [name for name in _tables(live) if _count(live, name) != _count(upgraded, name)]:
            raise UpgradeFailed(f"MLflow's upgrade changed the number of rows of {', '.join(lost)}")


def _swap(live: sqlite3.Connection, copy: Path, seen: int, shown: str) -> None:
    """Puts the upgraded copy in the place of the database: for every other connection in one moment, or not at all."""
    with contextlib.closing(sqlite3.connect(copy)) as upgraded:
        if _version(live) != seen:
            raise UpgradeFailed(f"another program wrote to {shown} meanwhile; end it (mlflow server?) and try again")
        upgraded.backup(live)
    with contextlib.suppress(sqlite3.OperationalError):  # a reader is at work; the log is copied back later
        live.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _tables(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return [name for (name,) in rows if name in CORE or name.startswith(("hpo_", "logged_model"))]


def _count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])  # noqa: S608  # our own names


def _check_whole(connection: sqlite3.Connection, path: Path) -> None:
    said = connection.execute("PRAGMA quick_check").fetchone()[0]
    if said != "ok":
        raise UpgradeFailed(f"{path} is not whole: {said}")


@contextlib.contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise sqlite_faults.fault(error, path) from error
