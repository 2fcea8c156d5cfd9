"""A SQLite file as the place of a database: its connections, the lock beside it, and how it comes into being."""

import contextlib
import errno
import fcntl
import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy as sa

from trackers.errors import NotPermitted, StoreGone, StoreUnavailable
from trackers.failpoints import reach
from trackers.matching import is_like, number_in
from trackers.sql import log_growth, log_mark, sqlite_faults, sqlite_files, sqlite_rescue
from trackers.sql.cursor import Cursor, SqliteCursor

BUSY_SECONDS = 10.0
"""How long a reader or writer waits for another one before it gives up."""

SLICE = 0.1
"""Seconds that a writer waits inside SQLite, where no signal reaches Python; in between, Ctrl-C is heard."""

_STEPS = 10_000
"""Steps of SQLite's machine, 0.1 ms or so, unless each calls a function of ours."""

_PAGE = 4096
"""Bytes of a page of the log, unless MLflow made the database otherwise."""

_OPEN: Counter[tuple[int, int]] = Counter()
"""The database files that this process has connections to, and how many places count on that."""


class SqlitePlace:
    """One SQLite file.

    Every transaction of ours that writes holds a lock file too: SQLite before 3.51.3 can lose data when one process
    commits while another resets the write-ahead log.
    """

    clock: sa.ColumnElement[int] | None = None
    uptime: sa.ColumnElement[int] | None = None

    def __init__(self, path: Path, *, busy_seconds: float = BUSY_SECONDS, log_limit: int = log_growth.LIMIT) -> None:
        self.path = path
        self.shown = f"sqlite:///{path}"
        self._busy_seconds = busy_seconds
        self._lock_file: int | None = None
        self._threads = threading.RLock()
        self._held = 0
        self._written: tuple[int, int] | None = None
        self._rescued: Path | None = None
        self._log_limit = log_limit
        self._log = log_growth.LogGrowth(path, log_limit)
        self._mark = ""
        self._open: list[tuple[int, int]] = []
        self._is_taken_as_is = False

    def wait_at_most(self, seconds: float) -> None:
        """Writers give up after so long from now on."""
        self._busy_seconds = seconds

    def check(self) -> None:
        """StoreUnavailable or NotAStore where there is no SQLite database, or not one to be trusted."""
        sqlite_files.check_place(self.path)
        if not self.path.exists():
            raise StoreUnavailable(
                f"there is no tracking database at {self.path} yet; the first sweep makes it: hpo run"
            )
        if sqlite_files.identity(self.path) in _OPEN:
            return  # looked at before; to open and close it here would, says POSIX, drop the locks we hold on it
        sqlite_files.check_file(self.path)
        log_mark.check_log(self.path)

    def check_writable(self) -> None:
        """StoreUnavailable naming path and user where it can only be read."""
        sqlite_files.check_writable(self.path)

    def create(self, fill: Callable[[sa.Connection], None]) -> None:
        """Makes the file, whole or not at all; leaves one alone that is there, or that another process makes first."""
        sqlite_files.check_place(self.path)
        if self.path.exists():
            return
        sqlite_files.check_writable(self.path)
        with self.exclusive():
            if not self.path.exists():
                sqlite_files.check_no_log_left(self.path)
                sqlite_files.warn_of_memory(self.path)
                self._build(fill)

    def reader(self) -> sa.Engine:
        """An engine whose connections can only read, each transaction one moment of the database.

        Where the file has to be taken as it is, SQLite never sees that it changes: a connection lasts a transaction.
        """
        if found := sqlite_files.identity(self.path):
            self._open.append(found)
            _OPEN[found] += 1
        self._is_taken_as_is = self._must_be_taken_as_is()

        def connect() -> sqlite3.Connection:
            suffix = "&immutable=1" if self._must_be_taken_as_is() else ""
            return self._connect(f"file:{_quoted(self.path)}?mode=ro{suffix}")

        pragmas = ["PRAGMA query_only = ON"]
        return self._engine(connect, pragmas, begin=_begin_reading, is_kept=not self._is_taken_as_is)

    def writer(self) -> sa.Engine:
        """An engine for one connection that writes, each commit on the disk when it returns."""
        pragmas = [
            "PRAGMA synchronous = FULL",
            "PRAGMA foreign_keys = ON",
            # 16 MB: pages written again and again are copied back once
            f"PRAGMA wal_autocheckpoint = {min(4000, self._log_limit // _PAGE // 4)}",
            f"PRAGMA journal_size_limit = {self._log_limit}",  # of a log that a reader made grow, once it begins anew
            f"PRAGMA busy_timeout = {min(SLICE, self._busy_seconds) * 1000:.0f}",
        ]
        uri = f"file:{_quoted(self.path)}?mode=rw"
        self._written = sqlite_files.identity(self.path)
        return self._engine(lambda: _with_log(self._connect(uri)), pragmas, begin=self.begin)

    def begun(self, execute: Callable[[str], object]) -> None:
        """Marks the log that a new writer begins, so that its loss will be noticed."""

        def put(number: int) -> None:
            self.begin(execute)
            execute(f"PRAGMA user_version = {number}")
            execute("COMMIT")

        if self._lock_file is not None:
            self._mark = log_mark.set_mark(self._lock_file, put)

    def ended(self) -> None:
        """Takes the mark away where the log was copied back."""
        if self._lock_file is not None and not sqlite_files.has_log(self.path):
            log_mark.clear_mark(self._lock_file, self._mark)

    def begin(self, execute: Callable[[str], object]) -> None:
        """Begins to write; StoreBusy, with the pid where it is known, where another process keeps on writing."""
        until = time.monotonic() + self._busy_seconds
        while True:
            try:
                execute("BEGIN IMMEDIATE")  # one that begins by reading and then writes fails at once in WAL
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                if time.monotonic() > until:
                    raise sqlite_faults.busy(self.path) from error

    @contextlib.contextmanager
    def cursor(self, connection: sa.Connection) -> Iterator[Cursor]:
        """A bare cursor in one transaction that writes."""
        raw: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]  # it is SQLite's
        cursor = raw.cursor(SqliteCursor)
        try:
            self.begin(cursor.execute)
            yield cursor
            reach("store.before_commit")
            raw.commit()
            reach("store.after_commit")
            self.check_durable(cursor.execute)
        except BaseException:
            raw.rollback()
            raise
        finally:
            cursor.close()

    def is_usable(self, connection: sa.Connection) -> bool:  # noqa: ARG002  # a file does not hang up
        """Always."""
        return True

    def is_passing(self, error: StoreUnavailable) -> bool:  # noqa: ARG002  # a file does not hang up
        """Never."""
        return False

    def check_durable(self, execute: Callable[[str], object]) -> None:
        """StoreGone where the file was deleted or replaced: SQLite goes on writing what has no name any more."""
        if sqlite_files.identity(self.path) == self._written:
            self._log.look()
            return
        self._rescued = saved = sqlite_rescue.save_copy(self.path, execute, self._rescued)
        raise StoreGone(
            f"{self.path} was deleted or replaced while it was written to; "
            + (f"all that was in it is in {saved}; put that back: mv {saved} {self.path}" if saved else "restore it")
        )

    def fault(self, error: BaseException) -> StoreUnavailable:
        """What an error of sqlite3, or of the system, means here."""
        return sqlite_faults.fault(error, self.path)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Holds the lock that our processes write under; StoreUnavailable where another one keeps it too long."""
        with self._threads:
            if self._held == 0:
                self._take_lock()
            self._held += 1
            try:
                yield
            finally:
                self._held -= 1
                if self._held == 0 and self._lock_file is not None:
                    fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    @contextlib.contextmanager
    def limited(self, connection: sa.Connection, seconds: float) -> Iterator[None]:
        """Looks at the clock every few thousand steps of SQLite's machine."""
        raw: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]  # it is SQLite's
        until = time.monotonic() + seconds
        raw.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
        try:
            yield
        except (sa.exc.DBAPIError, sqlite3.Error) as error:
            fault = error.orig if isinstance(error, sa.exc.DBAPIError) else error
            if getattr(fault, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
                raise TimeoutError(f"ended after {seconds:g} s") from error
            raise
        finally:
            raw.set_progress_handler(None, 0)

    def stamp(self, connection: Callable[[], sa.PoolProxiedConnection]) -> str | None:
        """SQLite's counter of the commits of others; StoreGone where the file is another one by now.

        None where the file is taken as it is: there the counter stands still.
        """
        if self._open and sqlite_files.identity(self.path) != self._open[-1]:
            raise StoreGone(f"{self.path} was deleted or replaced; what reads it has to be started again")
        if self._is_taken_as_is:
            return None
        raw: sqlite3.Connection = connection().driver_connection  # type: ignore[assignment]  # it is SQLite's
        return str(raw.execute("PRAGMA data_version").fetchone()[0])

    def tidy(self, connection: sa.Connection) -> None:
        """Lets the query planner look at the tables; MLflow's own search is quadratic without."""
        connection.exec_driver_sql("PRAGMA analysis_limit = 400")
        connection.exec_driver_sql("ANALYZE")

    def close(self) -> None:
        """Gives the lock file back; called when all connections are closed."""
        while self._open:
            found = self._open.pop()
            _OPEN[found] -= 1
            if not _OPEN[found]:
                del _OPEN[found]
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _take_lock(self) -> None:
        if self._lock_file is None:
            self._lock_file = _opened(self.path)
        until = time.monotonic() + self._busy_seconds
        while True:
            try:
                fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                if time.monotonic() > until:
                    raise sqlite_faults.busy(self.path) from error
                time.sleep(0.002)

    def _build(self, fill: Callable[[sa.Connection], None]) -> None:
        unfinished = self.path.with_name(f".{self.path.name}.{os.getpid()}.new")
        unfinished.unlink(missing_ok=True)
        try:
            # for its owner alone; who shares a store does so on purpose, by chmod. SQLite gives its logs the same mode
            os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            engine = sa.create_engine(f"sqlite:///{unfinished}")
            with engine.begin() as connection:
                connection.exec_driver_sql("BEGIN")  # else sqlite3 commits, and syncs, each of sixty statements
                fill(connection)
            engine.dispose()
            with contextlib.suppress(FileExistsError):  # MLflow does not know our lock
                os.link(unfinished, self.path)
            _sync_folder(self.path.parent)
        finally:
            unfinished.unlink(missing_ok=True)

    def _must_be_taken_as_is(self) -> bool:
        """Whether SQLite cannot make the log it reads by: there is none, and its folder is not ours to write."""
        return (
            not sqlite_files.may_write(self.path.parent)
            and not self.path.with_name(self.path.name + "-shm").exists()
            and sqlite_files.keeps_log(self.path)  # last: to open and close a file gives up the locks we hold on it
        )

    def _connect(self, uri: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            uri,
            uri=True,
            timeout=self._busy_seconds,
            isolation_level=None,  # transactions begin where we say, not where sqlite3 guesses
            check_same_thread=False,
            cached_statements=256,
        )
        connection.create_function("like", 2, is_like, deterministic=True)
        connection.create_function("lower", 1, _lower, deterministic=True)
        connection.create_function("hpo_number", 1, number_in, deterministic=True)
        return connection

    def _engine(
        self,
        connect: Callable[[], sqlite3.Connection],
        pragmas: list[str],
        *,
        begin: Callable[[Callable[[str], object]], None],
        is_kept: bool = True,
    ) -> sa.Engine:
        def connect_and_set() -> sqlite3.Connection:
            connection = connect()
            try:
                for pragma in ["PRAGMA cache_size = -32768", "PRAGMA temp_store = MEMORY", *pragmas]:
                    connection.execute(pragma)
            except BaseException:
                connection.close()
                raise
            return connection

        if is_kept:
            engine = sa.create_engine(
                "sqlite://", creator=connect_and_set, poolclass=sa.pool.QueuePool, max_overflow=-1
            )
        else:
            engine = sa.create_engine("sqlite://", creator=connect_and_set, poolclass=sa.pool.NullPool)

        @sa.event.listens_for(engine, "begin")
        def _begin(connection: sa.Connection) -> None:
            begin(connection.connection.cursor().execute)

        return engine


def sqlite_path(url: sa.URL) -> Path:
    """The file a URL names; a relative one below the current folder."""
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise StoreUnavailable(f"{url} names no file; write sqlite:///mlflow.db, or memory:// for a store in memory")
    return Path(url.database).expanduser().absolute()


def _opened(database: Path) -> int:
    """The lock file beside a database, for those who may use that."""
    lock = database.with_name(f"{database.name}.lock")
    try:
        if lock.exists():
            may_write = sqlite_files.may_write(lock)  # to read is enough for a lock, also on a file of another user
            return os.open(lock, (os.O_RDWR if may_write else os.O_RDONLY) | os.O_NOFOLLOW | os.O_CLOEXEC)
        mode = database.stat().st_mode & 0o666 if database.exists() else 0o600
        return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise sqlite_faults.full(lock) from error
        raise NotPermitted(f"{lock} cannot be opened by {sqlite_files.user()}: {error.strerror}") from error


def _begin_reading(execute: Callable[[str], object]) -> None:
    execute("BEGIN")


def _with_log(connection: sqlite3.Connection) -> sqlite3.Connection:
    # needs the file for itself for a moment; where MLflow is busy with it the old journal is as durable, only slower
    with contextlib.suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode = WAL")
    return connection


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _lower(text: str | None) -> str | None:
    return None if text is None else str(text).lower()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
