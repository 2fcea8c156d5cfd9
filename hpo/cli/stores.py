"""Opens the store that the options name, to read; nothing is ever created by reading."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from hpo.cli.importing import importing_fast
from hpo.cli.options import Shared
from hpo.cli.text import hide_passwords
from hpo.errors import NothingFound
from trackers.errors import NoStoreYet
from trackers.filters import parse_filter
from trackers.opening import Store, open_store

log = logging.getLogger(__name__)
_SQLITE = re.compile(r"sqlite(?:\+pysqlite)?:///([^?]*)")


def open_to_read(shared: Shared) -> Store:
    """The store, read-only; NothingFound where there is no such database file, or no table on a server."""
    require_store(shared)
    try:
        with importing_fast():
            return open_store(shared.tracker, read_only=True)
    except NoStoreYet as error:
        raise _no_store(shared) from error


def require_store(shared: Shared) -> None:
    """NothingFound where there is no such database file; for verbs that must not make one."""
    for server in shared.mirrors:
        log.info("%s is a mirror: this reads the store, %s", server, store_name(shared))
    path = database_file(shared.tracker)
    if path is not None and not path.exists():
        raise _no_store(shared)


def _no_store(shared: Shared) -> NothingFound:
    return NothingFound(f"no store at {store_name(shared)}; run a sweep first, or name one with --tracker")


def database_file(uri: str) -> Path | None:
    """The file of an SQLite URI; None for other stores."""
    match = _SQLITE.match(uri)
    if match is None or match[1] in ("", ":memory:") or match[1].startswith("file:"):
        return None
    return Path(match[1]).expanduser()


def artifact_places(shared: Shared, given: Path | None) -> Sequence[Path]:
    """Where files of the store may lie if not where they were: in a folder that was given, else beside its database."""
    file = database_file(shared.tracker)
    return [place for place in (given, file.absolute().parent if file else None) if place is not None]


def store_name(shared: Shared) -> str:
    """How messages name the store: without a password, and where it was named unless on the command line."""
    uri = hide_passwords(shared.tracker)
    return uri if shared.tracker_from in ("", "--tracker") else f"{uri} (from ${shared.tracker_from})"


def check_filter(where: str) -> None:
    """FilterError that shows the filter as it was given, before it becomes part of a longer one."""
    parse_filter(where)
