"""Lets another library's engine write to a SQLite file under the lock that our own writers hold.

SQLite before 3.51.3 can lose data when one process commits while another resets the write-ahead log, so nobody who
writes to a file of ours beside a driver may do it without that lock.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from trackers.sql.sqlite_place import SqlitePlace

PATIENCE = 60.0
"""Seconds to wait for others who write."""

_WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "DROP", "ALTER", "PRAGMA WAL_CHECKPOINT")
_HELD = "hpo.held"


def lock_writes(engine: sa.Engine, path: str) -> None:
    """From its first statement that writes until it goes back to the pool, a connection holds the lock."""
    place = SqlitePlace(Path(path), busy_seconds=PATIENCE)

    @sa.event.listens_for(engine, "before_cursor_execute")
    def _before(connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if connection.info.get(_HELD) is None and statement.lstrip().upper().startswith(_WRITES):
            held = ExitStack()
            held.enter_context(place.exclusive())
            connection.info[_HELD] = held

    @sa.event.listens_for(engine, "checkin")
    def _checkin(_connection: Any, record: Any) -> None:
        held = record.info.pop(_HELD, None)
        if held is not None:
            held.close()
