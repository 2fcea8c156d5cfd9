"""A tracking database: checked when opened, read by many, written one transaction at a time."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import sqlalchemy as sa

from trackers.errors import ReadOnlyStore, StoreUnavailable, TrackerError
from trackers.sql.creation import create_database, create_own_tables
from trackers.sql.cursor import Cursor
from trackers.sql.guard import Layout, inspect_layout

Result = TypeVar("Result")

_TRIES = 3


class Place(Protocol):
    """Where a database is: what differs between a SQLite file and a server."""

    shown: str

    @property
    def clock(self) -> sa.ColumnElement[int] | None:
        """The time in milliseconds that all who use the database agree on; None where there is no such clock."""
        ...

    @property
    def uptime(self) -> sa.ColumnElement[int] | None:
        """When, by that clock, the database could be reached again after it was down."""
        ...

    def check(self) -> None:
        """Raises StoreUnavailable or NotAStore where no database can be opened."""
        ...

    def check_writable(self) -> None:
        """Raises StoreUnavailable where it can only be read."""
        ...

    def create(self, fill: Callable[[sa.Connection], None]) -> None:
        """Makes the database, whole or not at all, unless it is there."""
        ...

    def reader(self) -> sa.Engine:
        """An engine for reading."""
        ...

    def writer(self) -> sa.Engine:
        """An engine for the one connection that writes."""
        ...

    def exclusive(self) -> contextlib.AbstractContextManager[None]:
        """Held around every transaction that writes."""
        ...

    def begun(self, execute: Callable[[str], object]) -> None:
        """Called once a writer is connected and may write."""
        ...

    def ended(self) -> None:
        """Called once the writer is closed, within `exclusive`."""
        ...

    def cursor(self, connection: sa.Connection) -> contextlib.AbstractContextManager[Cursor]:
        """A cursor in one transaction that writes: committed and durable at the end, undone by an exception.

        StoreBusy where another transaction lasts too long.
        """
        ...

    def is_passing(self, error: StoreUnavailable) -> bool:
        """Whether the same may succeed at once: a connection was lost, or two transactions were in each other's way."""
        ...

    def is_usable(self, connection: sa.Connection) -> bool:
        """Whether the connection can still be written with; else another one is made."""
        ...

    def check_durable(self, execute: Callable[[str], object]) -> None:
        """Called after a commit: raises StoreGone where nobody else will ever see what was written."""
        ...

    def fault(self, error: BaseException) -> TrackerError:
        """What an error of the driver means here."""
        ...

    def limited(self, connection: sa.Connection, seconds: float) -> contextlib.AbstractContextManager[None]:
        """What is read inside is ended after so long, by TimeoutError."""
        ...

    def stamp(self, connection: Callable[[], sa.PoolProxiedConnection]) -> str | None:
        """A text that changes whenever somebody else writes to the database; None where there is nothing so cheap.

        `connection` gives the same one each time, outside of any transaction.
        """
        ...

    def tidy(self, connection: sa.Connection) -> None:
        """Refreshes the planner's statistics."""
        ...

    def close(self) -> None:
        """Gives back what is held outside the engines."""
        ...


class Database:
    """An open tracking database.

    Opening makes one that is missing (unless `read_only`) and otherwise writes nothing: our own tables are added to
    a database of MLflow's by the first write.
    """

    def __init__(self, place: Place, *, artifacts: str, read_only: bool = False) -> None:
        self._place = place
        self.read_only = read_only
        self._lock = threading.RLock()
        self._writer: sa.Connection | None = None
        self._layout: Layout | None = None
        self._watch_lock = threading.Lock()
        self._watch: sa.PoolProxiedConnection | None = None
        self.generation = 0
        """Counts the looks at the layout; what was derived from an older one is stale."""
        try:
            if not read_only:
                with self._translated():
                    place.create(lambda connection: create_database(connection, artifacts))
            place.check()
        except BaseException:
            place.close()
            raise
        self._reader = place.reader()
        try:
            self.layout()
        except BaseException:
            self._reader.dispose()
            place.close()
            raise

    @property
    def shown(self) -> str:
        """The place for messages, without a password."""
        return self._place.shown

    @property
    def clock(self) -> sa.ColumnElement[int] | None:
        """The server's time in milliseconds, None where there is no server."""
        return self._place.clock

    @property
    def uptime(self) -> sa.ColumnElement[int] | None:
        """Since when, by that clock, the server runs."""
        return self._place.uptime

    @property
    def dialect(self) -> sa.Dialect:
        """What SQL is compiled for."""
        return self._reader.dialect

    def layout(self) -> Layout:
        """The shape of the database, as last looked at."""
        if self._layout is None:
            with self._translated(), self._reader.connect() as connection:
                self._layout = inspect_layout(connection, self.shown)
                self.generation += 1
        return self._layout

    def look_again(self) -> Layout:
        """The shape of the database as it is now; somebody may have upgraded it underneath."""
        self._layout = None
        return self.layout()

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection for one transaction that reads, all of it at one moment."""
        with self._translated(), self._reader.connect() as connection:
            yield connection

    def stamp(self) -> str | None:
        """A text that changes whenever another process, or a writer of this one, commits; None where there is none."""
        with self._watch_lock, self._translated():
            return self._place.stamp(self._watching_connection)

    def limited(self, connection: sa.Connection, seconds: float) -> contextlib.AbstractContextManager[None]:
        """Ends what is read inside after so long, by TimeoutError; infinite for no limit."""
        return self._place.limited(connection, seconds) if seconds < float("inf") else contextlib.nullcontext()

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A connection in one transaction that writes: committed and durable at the end, undone by an exception."""
        with self._writing() as connection:
            with connection.begin():
                yield connection
            self._place.check_durable(connection.connection.cursor().execute)

    @contextlib.contextmanager
    def write_fast(self) -> Iterator[Cursor]:
        """As `write`, but a bare cursor for SQL already compiled: SQLAlchemy's own way costs three times as much."""
        with self._writing() as connection, self._place.cursor(connection) as cursor:
            yield cursor

    def repeat(self, write: Callable[[], Result]) -> Result:
        """Calls what writes once more, or twice, where the connection was lost or others were in the way.

        The answer to a COMMIT may be what was lost, so `write` has to do no harm where it was done already.
        """
        for _ in range(_TRIES - 1):
            try:
                return write()
            except StoreUnavailable as error:
                if not self._place.is_passing(error):
                    raise
        return write()

    def tidy(self) -> None:
        """Refreshes the statistics that queries are planned by."""
        with self.write() as connection:
            self._place.tidy(connection)

    def close(self) -> None:
        """Closes all connections; safe to call twice."""
        with self._watch_lock:
            if self._watch is not None:
                self._watch.close()
                self._watch = None
        with self._lock:
            self._reader.dispose()
            if self._writer is not None:  # closed last, for only a writer can empty the log
                with contextlib.suppress(StoreUnavailable), self._place.exclusive():
                    engine = self._writer.engine
                    if not self._place.is_usable(self._writer):
                        self._writer.invalidate()
                    self._writer.close()
                    engine.dispose()
                    self._place.ended()
                self._writer = None
            self._place.close()

    def _watching_connection(self) -> sa.PoolProxiedConnection:
        if self._watch is None:
            self._watch = self._reader.raw_connection()
        return self._watch

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with self._lock, self._translated():
            if self._writer is None:
                self._check_may_write()
            with self._place.exclusive():
                yield self._ready_to_write()

    def _check_may_write(self) -> None:
        if self.read_only:
            raise ReadOnlyStore(f"{self.shown} was opened for reading only")
        self._place.check_writable()

    def _ready_to_write(self) -> sa.Connection:
        if self._writer is not None and not self._place.is_usable(self._writer):
            self._writer.invalidate()  # there is nobody to say goodbye to
            self._writer.close()
            self._writer.engine.dispose()
            self._writer = None
        if self._writer is None:
            writer = self._place.writer().connect()
            try:
                self._prepare(writer)
                self._place.begun(writer.connection.cursor().execute)
            except BaseException:
                writer.close()
                writer.engine.dispose()
                raise
            self._writer = writer
        elif self._layout is None:
            self._prepare(self._writer)
        return self._writer

    def _prepare(self, connection: sa.Connection) -> None:
        """Refuses what must not be written to, and adds our own tables and indexes where they are missing."""
        layout = self.layout()
        if layout.problems:
            raise ReadOnlyStore(
                f"{self.shown} (MLflow's revision {layout.revision}) can be read but not written by this release: "
                f"{'; '.join(layout.problems[:3])}; upgrade tracked-hpo, or the database by: mlflow db upgrade"
            )
        with connection.begin():
            create_own_tables(connection)
        if not layout.is_ours:
            self._layout = None
            self.layout()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Turns the driver's faults into ours; after one, the next call looks at the layout again."""
        try:
            yield
        except (TrackerError, sa.exc.IntegrityError):
            raise
        except sa.exc.DBAPIError as error:
            self._layout = None
            raise self._place.fault(error.orig or error) from error
        except OSError as error:
            raise self._place.fault(error) from error
        except self._driver_error("Error") as error:
            if isinstance(error, self._driver_error("IntegrityError")):
                raise
            self._layout = None
            raise self._place.fault(error) from error

    def _driver_error(self, name: str) -> type[Exception]:
        driver = self._reader.dialect.dbapi if hasattr(self, "_reader") else None
        error: type[Exception] = getattr(driver, name) if driver is not None else sa.exc.DBAPIError
        return error
