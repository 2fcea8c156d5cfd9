"""Opens a store by its URI: a tracker and a registry over one database."""

import os
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from trackers.errors import StoreUnavailable
from trackers.memory_tracker import MemoryTracker
from trackers.outbox import Outbox
from trackers.ownership import Ownership
from trackers.registry import Registry
from trackers.tracker import Tracker
from trackers.watching import Watching

if TYPE_CHECKING:  # for the type only: it imports SQLAlchemy
    from trackers.sql.database import Place

SCHEMES = (
    "sqlite:///mlflow.db (a file)",
    "postgresql://USER@HOST/DATABASE (a server)",
    "memory:// (gone with the process)",
)


class _Closing(Protocol):
    def close(self) -> None: ...


@dataclass(frozen=True)
class Store:
    """An open store: runs and models of one database, and the absolute folder new experiments keep their files in.

    `ownership` says who drives which of its sweeps, `watching` is for those who look at them, `outbox` says what
    mirrors were sent; a store in memory has none.
    """

    tracker: Tracker
    registry: Registry
    ownership: Ownership
    watching: Watching
    uri: str = field(repr=False)  # with its password, where it has one
    artifacts: str
    _closing: tuple[_Closing, ...] = field(default=(), repr=False)
    _set_patience: Callable[[float], None] = field(default=lambda _: None, repr=False)
    outbox: Outbox | None = None
    _describe: Callable[[], str] = field(default=lambda: "", repr=False)

    def server(self) -> str:
        """Which server keeps the database, and how fast it answers; "" where there is none."""
        return self._describe()

    def wait_at_most(self, seconds: float) -> None:
        """From now on a write gives up on a database that another process keeps busy after so long."""
        self._set_patience(seconds)

    def close(self) -> None:
        """Closes all connections; safe to call twice."""
        for part in self._closing:
            part.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_store(
    uri: str, *, artifacts: str = "mlruns", read_only: bool = False, query_seconds: float | None = None
) -> Store:
    """The store at a URI, made if it is a file that is missing, unless `read_only`.

    `artifacts` is the folder, path or URI, below which new experiments keep their files. Opening a database that
    is there writes nothing to it. A query with a filter may take `query_seconds`, if not given what
    `HPO_QUERY_TIMEOUT` says, else a minute, and for ever where the store is opened to be written: a sweep must not end
    by what nobody waits for. StoreUnavailable or NotAStore where it cannot be opened.
    """
    scheme, colon, _ = uri.partition(":")
    root = absolute_artifacts(artifacts)
    if colon and scheme == "memory":
        from trackers.memory_registry import MemoryRegistry
        from trackers.memory_watching import MemoryWatching

        tracker = MemoryTracker(root)
        registry = MemoryRegistry(manifest=tracker.artifacts, check_fence=tracker.ownership.check)
        return Store(tracker, registry, tracker.ownership, MemoryWatching(tracker), uri, root)
    if colon and scheme in ("sqlite", "sqlite+pysqlite"):
        return _open_sqlite(uri, root, read_only=read_only, query_seconds=query_seconds)
    if colon and scheme in ("postgresql+psycopg", "postgresql", "postgres"):
        return _open_postgres(uri, root, read_only=read_only, query_seconds=query_seconds)
    raise StoreUnavailable(f"a tracker URI is one of {', '.join(SCHEMES)}, got {_without_password(uri)}")


def absolute_artifacts(artifacts: str) -> str:
    """The folder as MLflow writes it: a path made absolute without a scheme, a URI with all that MLflow must know.

    InvalidRecord for a URI with credentials in it, StoreUnavailable for a scheme that is not opened.
    """
    if "://" in artifacts and not artifacts.startswith(("file:", "/")):
        from trackers.artifacts.uris import recorded_uri

        return recorded_uri(artifacts, os.environ)
    if artifacts.startswith("file:"):
        path = urllib.parse.urlsplit(artifacts).path or artifacts.removeprefix("file:")
        return artifacts.rstrip("/") if path.startswith("/") else "file://" + _absolute(path)
    return _absolute(artifacts)


def _absolute(path: str) -> str:
    # normpath, not resolve: a link is kept as the user wrote it
    return os.path.normpath(Path.cwd() / Path(path).expanduser())


def _open_sqlite(uri: str, artifacts: str, *, read_only: bool, query_seconds: float | None) -> Store:
    # SQLAlchemy takes a fifth of a second to import; a store in memory does without
    import sqlalchemy as sa

    from trackers.sql.sqlite_place import SqlitePlace, sqlite_path

    place = SqlitePlace(sqlite_path(sa.make_url(uri)))
    store = _sql_store(place, uri, artifacts, read_only=read_only, query_seconds=query_seconds)
    return replace(store, _set_patience=place.wait_at_most)


def _open_postgres(uri: str, artifacts: str, *, read_only: bool, query_seconds: float | None) -> Store:
    try:
        from trackers.sql.postgres_place import PostgresPlace, postgres_url
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("psycopg", "psycopg_binary", "psycopg_c") and error.name:
            raise
        raise StoreUnavailable("a PostgreSQL store needs psycopg: pip install 'tracked-hpo[postgres]'") from error

    place = PostgresPlace(postgres_url(uri))
    store = _sql_store(place, uri, artifacts, read_only=read_only, query_seconds=query_seconds)
    return replace(store, _set_patience=place.wait_at_most, _describe=place.describe)


def _sql_store(place: "Place", uri: str, artifacts: str, *, read_only: bool, query_seconds: float | None) -> Store:
    from trackers.sql.database import Database
    from trackers.sql.outbox import SqlOutbox
    from trackers.sql.ownership import SqlOwnership
    from trackers.sql.query_limit import query_limit
    from trackers.sql.registry import SqlRegistry
    from trackers.sql.sql_tracker import SqlTracker
    from trackers.sql.watching import SqlWatching

    database = Database(place, artifacts=artifacts, read_only=read_only)
    tracker = SqlTracker(database, artifacts, query_seconds=query_limit(query_seconds, read_only=read_only))
    registry, ownership, outbox = SqlRegistry(database), SqlOwnership(database), SqlOutbox(database)
    watching = SqlWatching(database)
    return Store(tracker, registry, ownership, watching, uri, artifacts, (tracker, database), outbox=outbox)


def _without_password(uri: str) -> str:
    parts = urllib.parse.urlsplit(uri)
    return uri.replace(f":{parts.password}@", ":***@") if parts.password else uri
