"""Opens the store that the options name, to read; nothing is ever created by reading."""

from pathlib import Path
from urllib.parse import unquote

from hpo.cli.options import Shared
from hpo.cli.text import hide_passwords
from hpo.errors import NothingFound
from trackers.opening import Store, open_store

SQLITE = "sqlite:///"


def open_to_read(shared: Shared) -> Store:
    """The store, read-only; NothingFound where there is no such database file."""
    path = database_file(shared.tracker)
    if path is not None and not path.exists():
        raise NothingFound(f"no store at {store_name(shared)}; run a sweep first, or name one with --tracker")
    return open_store(shared.tracker, read_only=True)


def database_file(uri: str) -> Path | None:
    """The file of an SQLite URI; None for other stores."""
    path = unquote(uri.removeprefix(SQLITE).partition("?")[0])
    return Path(path) if uri.startswith(SQLITE) and path not in ("", ":memory:") else None


def store_name(shared: Shared) -> str:
    """How messages name the store: without a password, and where it was named unless on the command line."""
    uri = hide_passwords(shared.tracker)
    return uri if shared.tracker_from in ("", "--tracker") else f"{uri} (from ${shared.tracker_from})"
