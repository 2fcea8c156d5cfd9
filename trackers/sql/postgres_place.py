"""A database on a PostgreSQL server as the place of a store: its connections, and how its tables come into being."""

import contextlib
import select
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import sqlalchemy as sa

from trackers.errors import NoStoreYet, StoreUnavailable, TrackerError
from trackers.failpoints import reach
from trackers.sql import postgres_faults
from trackers.sql.creation import MAKING
from trackers.sql.cursor import Cursor
from trackers.sql.pipeline import PipelineCursor

BUSY_SECONDS = 10.0
"""How long a statement waits for another transaction before it gives up."""
HELD_SECONDS = 30.0
"""After so long the server ends a transaction whose client says nothing: a frozen driver must not block others."""

OLDEST = 130000
"""The oldest server that is taken, as PostgreSQL counts: 13."""

_PINGS = 5

_DEFAULTS: dict[str, str | int] = {
    "application_name": "hpo",
    "connect_timeout": 10,
    "keepalives_idle": 30,  # a host that vanished is noticed in a minute, not in two hours
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# 'off' would acknowledge what a power cut takes back; all other values promise at least the server's own disk
_SETTINGS = """SELECT set_config('lock_timeout', '{lock:.0f}', true),
 set_config('idle_in_transaction_session_timeout', '{held:.0f}', true),
 set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), true)"""
_TABLES = "SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r')"


class PostgresPlace:
    """One database on a server.

    Transactions set what they need with SET LOCAL, so that a pooler may give each of them another connection.
    """

    clock: sa.ColumnElement[int] | None = sa.literal_column(
        "(extract(epoch FROM clock_timestamp()) * 1000)::bigint", sa.BigInteger
    )
    uptime: sa.ColumnElement[int] | None = sa.literal_column(
        "(extract(epoch FROM pg_postmaster_start_time()) * 1000)::bigint", sa.BigInteger
    )

    def __init__(self, url: sa.URL) -> None:
        self._url, self._prepares = _without_own_words(url)
        self.shown = _shown(url)
        self._lock_seconds = BUSY_SECONDS
        self._threads = threading.RLock()
        self._looked: psycopg.Connection[Any] | None = None
        """What opening looked through; the first reader takes it over."""

    def wait_at_most(self, seconds: float) -> None:
        """Writers give up on others after so long from now on."""
        self._lock_seconds = seconds

    def check(self) -> None:
        """NoStoreYet where there are no tables."""
        if not self._has_tables():
            self.close()
            raise NoStoreYet(f"there is no tracking database in {self.shown} yet; the first sweep makes it: hpo run")

    def check_writable(self) -> None:
        """Nothing to look at: the server says so itself."""

    def create(self, fill: Callable[[sa.Connection], None]) -> None:
        """Makes the tables in a database that has none, whole or not at all; of several at once, one makes them."""
        if self._has_tables():
            return
        engine = self._engine(self._begin_writing)
        try:
            with engine.begin() as making:
                making.exec_driver_sql(MAKING)
                if not making.exec_driver_sql(_TABLES).scalar():
                    fill(making)
        finally:
            engine.dispose()

    def reader(self) -> sa.Engine:
        """An engine whose connections can only read, each transaction one moment of the database."""
        return self._engine(lambda raw: raw.execute(_READ, prepare=False), self._first_one, pool_pre_ping=True)

    def writer(self) -> sa.Engine:
        """An engine for one connection that writes."""
        return self._engine(self._begin_writing)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Other processes are kept apart by the server, row by row; threads of this one share a connection."""
        with self._threads:
            yield

    def begun(self, execute: Callable[[str], object]) -> None:
        """The server keeps its own log."""

    def ended(self) -> None:
        """The server keeps its own log."""

    def check_durable(self, execute: Callable[[str], object]) -> None:
        """The server answers for what it has committed."""

    @contextlib.contextmanager
    def cursor(self, connection: sa.Connection) -> Iterator[Cursor]:
        """One transaction of SQL already compiled, in two round trips: everything, then the commit."""
        raw = _raw(connection)
        try:
            with PipelineCursor(raw) as cursor:
                cursor.execute("BEGIN")
                cursor.execute(self._settings())
                yield cursor
                # all answers by a Sync alone: psycopg leaves a pipeline with a Flush behind the Sync, and a Flush stops
                # the server's clock for transactions whose client says nothing
                cursor.settle()
                reach("store.before_commit")
                raw.execute(b"COMMIT", prepare=False)
            reach("store.after_commit")
        except Exception:
            with contextlib.suppress(psycopg.Error):
                raw.rollback()
            raise
        except BaseException:
            raw.close()  # interrupted in the middle: nobody knows what is on its way
            raise

    def is_usable(self, connection: sa.Connection) -> bool:
        """Whether the connection is there and idle; a server that went away has left an end of file in it."""
        if connection.closed or connection.invalidated:
            return False
        raw = _raw(connection)
        if raw.closed or raw.broken or raw.pgconn.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            return False
        poll = select.poll()
        poll.register(raw.pgconn.socket, select.POLLIN)
        return not poll.poll(0)

    def is_passing(self, error: StoreUnavailable) -> bool:
        """Whether the same may succeed at once."""
        return postgres_faults.is_passing(error)

    def fault(self, error: BaseException) -> TrackerError:
        """What an error of psycopg, or of the system, means here."""
        return postgres_faults.fault(error, self.shown)

    @contextlib.contextmanager
    def limited(self, connection: sa.Connection, seconds: float) -> Iterator[None]:
        """Lets the server watch the time, for each statement."""
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(seconds * 1000, 1):.0f}")
        try:
            yield
        except sa.exc.DBAPIError as error:
            if getattr(error.orig, "sqlstate", "") == "57014":
                raise TimeoutError(f"ended after {seconds:g} s") from error
            raise
        connection.exec_driver_sql("SET LOCAL statement_timeout TO DEFAULT")

    def stamp(self, connection: Callable[[], sa.PoolProxiedConnection]) -> str | None:  # noqa: ARG002
        """A server has nothing of the kind that is up to date: its statistics come late."""
        return None

    def tidy(self, connection: sa.Connection) -> None:
        """Lets the query planner look at the tables we fill; the server does so by itself, but a minute later.

        A table that somebody else, or the server, looks at just now is left to them.
        """
        connection.exec_driver_sql("ANALYZE (SKIP_LOCKED) runs, tags, params, latest_metrics, metrics, hpo_trials")

    def close(self) -> None:
        """Closes what no reader took over."""
        if self._looked is not None:
            self._looked.close()
            self._looked = None

    def describe(self) -> str:
        """The server's version, and how long it takes to answer."""
        with contextlib.closing(self._connect()) as connection:
            seconds = []
            for _ in range(_PINGS):
                began = time.perf_counter()
                connection.execute(b"SELECT 1")
                seconds.append(time.perf_counter() - began)
            version = connection.info.server_version
            encrypted = "encrypted" if connection.pgconn.ssl_in_use else "not encrypted"
        fastest = min(seconds) * 1000
        return f"PostgreSQL {version // 10000}.{version % 10000}, answers in {fastest:.1f} ms, connection {encrypted}"

    def _has_tables(self) -> bool:
        if self._looked is None:
            self._looked = self._connect()
        return bool(self._looked.execute(_TABLES).fetchone()[0])  # type: ignore[index]  # it gives one row

    def _first_one(self) -> psycopg.Connection[Any]:
        first, self._looked = self._looked, None
        return first or self._connect()

    def _settings(self) -> str:
        return _SETTINGS.format(lock=max(self._lock_seconds, 0.001) * 1000, held=HELD_SECONDS * 1000)

    def _begin_writing(self, raw: psycopg.Connection[Any]) -> None:
        raw.execute(f"BEGIN; {self._settings()}".encode(), prepare=False)  # two statements at once cannot be prepared

    def _connect(self) -> psycopg.Connection[Any]:
        _, options = self._url.get_dialect()().create_connect_args(self._url)
        try:
            raw: psycopg.Connection[Any] = psycopg.connect(
                **{**_DEFAULTS, **options}, autocommit=True, prepare_threshold=5 if self._prepares else None
            )
        except psycopg.Error as error:
            raise postgres_faults.no_connection(error, self.shown) from error
        try:
            postgres_faults.check_server(raw, self.shown, oldest=OLDEST)
        except BaseException:
            raw.close()
            raise
        return raw

    def _engine(
        self,
        begin: Callable[[psycopg.Connection[Any]], object],
        connect: Callable[[], psycopg.Connection[Any]] | None = None,
        *,
        pool_pre_ping: bool = False,
    ) -> sa.Engine:
        engine = sa.create_engine(
            self._url,
            creator=connect or self._connect,
            poolclass=sa.pool.QueuePool,
            max_overflow=-1,
            pool_pre_ping=pool_pre_ping,
            paramstyle="format",  # by position, as `trackers.sql.statements` gives values
            use_native_hstore=False,  # else each connection begins by asking for a type we do not use
            hide_parameters=True,
        )

        @sa.event.listens_for(engine, "begin")
        def _begin(connection: sa.Connection) -> None:
            begin(_raw(connection))

        return engine


def postgres_url(uri: str) -> sa.URL:
    """A URI of any of PostgreSQL's schemes, for psycopg 3."""
    try:
        return sa.make_url(uri).set(drivername="postgresql+psycopg")
    except (sa.exc.ArgumentError, ValueError) as error:
        raise StoreUnavailable(
            "a PostgreSQL URI is postgresql://USER:PASSWORD@HOST:5432/DATABASE; "
            "characters such as @ : / in a password are written as %40 %3A %2F"
        ) from error


def _shown(url: sa.URL) -> str:
    hidden = {name: "***" for name in url.query if "password" in name.lower()}
    return url.update_query_dict(hidden).render_as_string(hide_password=True).replace("%2A", "*")


def _without_own_words(url: sa.URL) -> tuple[sa.URL, bool]:
    """The URL for psycopg, and whether statements are prepared: not with `?prepare_threshold=none`."""
    word = str(url.query.get("prepare_threshold", "")).lower()
    return url.difference_update_query(["prepare_threshold"]), word not in ("none", "off")


def _raw(connection: sa.Connection) -> psycopg.Connection[Any]:
    raw = connection.connection.driver_connection
    if not isinstance(raw, psycopg.Connection):
        raise TypeError(f"a connection of psycopg is needed, not {type(raw).__name__}")
    return raw
