"""What writes the statements of one transaction: a DBAPI cursor, and what databases differ in besides."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Protocol

Values = Sequence[Any]  # whatever the driver takes


class Columnwise(str):
    """The SQL of an upsert of many rows at once: its values are one list for each column."""

    __slots__ = ()


class Cursor(Protocol):
    """A cursor within one transaction.

    Statements may be on their way to the server when `execute` returns; they are done in order, and all of them before
    what was asked for is given back or the transaction ends.
    """

    @property
    def rowcount(self) -> int:
        """How many rows the last statement changed; waits for it."""
        ...

    def execute(self, sql: str, values: Values = (), /) -> object:
        """Runs one statement."""
        ...

    def executemany(self, sql: str, rows: Sequence[Values], /) -> object:
        """Runs one statement with each of the rows, of which no two have the same key."""
        ...

    def fetchone(self) -> Any:
        """The next row that the last statement found, None for none; waits for it."""
        ...

    def fetchall(self) -> list[Any]:
        """All rows that the last statement found; waits for them."""
        ...

    def unless_found(self, then: Callable[[], None], /) -> None:
        """Calls `then`, now or before the transaction ends, where the last statement found no row."""
        ...

    def unless_changed(self, then: Callable[[], None], clash: Callable[[], Exception] | None = None, /) -> None:
        """Calls `then`, now or before the transaction ends, where the last statement changed no row.

        `clash` gives what is raised instead where the row of another key was in the way, if that shows only later.
        """
        ...

    def settle(self) -> None:
        """Waits for everything, and does all that was put off to the end of the transaction."""
        ...

    def alone(self, name: str, /) -> None:
        """Waits until no other transaction is alone under this name, and is so until the end."""
        ...

    def close(self) -> object:
        """Gives it back."""
        ...


class SqliteCursor(sqlite3.Cursor):
    """SQLite's own: every statement is done when it returns, and a transaction that writes is alone anyway."""

    def unless_found(self, then: Callable[[], None], /) -> None:
        """See `Cursor`."""
        if self.fetchone() is None:
            then()

    def unless_changed(self, then: Callable[[], None], clash: Callable[[], Exception] | None = None, /) -> None:  # noqa: ARG002
        """See `Cursor`."""
        if self.rowcount == 0:
            then()

    def settle(self) -> None:
        """See `Cursor`."""

    def alone(self, name: str, /) -> None:
        """See `Cursor`."""


_: type[Cursor] = SqliteCursor
