"""A cursor that sends the statements of a transaction to PostgreSQL one after the other, without waiting for answers.

A trial costs a dozen statements; each one waited for would cost a round trip. So what follows from an answer, where
nothing else depends on it, is done when all of them are in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import psycopg
from psycopg.errors import UniqueViolation

from trackers.errors import TrackerError
from trackers.sql.cursor import Columnwise, Cursor, Values

_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


@dataclass(frozen=True)
class _Check:
    """What has to be done where a statement met no row, or met another row's key."""

    statement: psycopg.Cursor[Any]
    then: Callable[[], None]
    clash: Callable[[], Exception] | None = None

    @property
    def is_answered(self) -> bool:
        return self.statement.pgresult is not None


class PipelineCursor:
    """A cursor of a connection in pipeline mode inside the `with` block, at whose end all is done that was put off."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._mode = connection.pipeline()
        self._last = connection.cursor()
        self._checks: list[_Check] = []
        self._pipeline: psycopg.Pipeline | None = None
        self._is_behind = False

    def __enter__(self) -> "PipelineCursor":
        self._pipeline = self._mode.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipeline = None
        try:
            self._mode.__exit__(kind, error, trace)
        except psycopg.Error as late:
            raise self._meant(late) from late
        if error is None:
            self._check()

    @property
    def rowcount(self) -> int:
        """See `Cursor`."""
        self._sync()
        return self._last.rowcount

    def execute(self, sql: str, values: Values = (), /) -> None:
        """See `Cursor`."""
        if isinstance(sql, Columnwise):
            values = [[value] for value in values]
        self._send(sql, values)

    def executemany(self, sql: str, rows: Sequence[Values], /) -> None:
        """See `Cursor`."""
        if not isinstance(sql, Columnwise):
            for row in rows:
                self.execute(sql, row)
        elif rows:
            self._send(sql, [list(column) for column in zip(*rows, strict=True)])

    def fetchone(self) -> Any:
        """See `Cursor`."""
        self._sync()
        return self._last.fetchone()

    def fetchall(self) -> list[Any]:
        """See `Cursor`."""
        self._sync()
        return self._last.fetchall()

    def unless_found(self, then: Callable[[], None], /) -> None:
        """See `Cursor`."""
        self._checks.append(_Check(self._last, then))

    def unless_changed(self, then: Callable[[], None], clash: Callable[[], Exception] | None = None, /) -> None:
        """See `Cursor`."""
        self._checks.append(_Check(self._last, then, clash))

    def settle(self) -> None:
        """See `Cursor`."""
        self._sync()
        self._check()

    def alone(self, name: str, /) -> None:
        """See `Cursor`."""
        self.execute(_ALONE, [name])

    def close(self) -> None:
        """See `Cursor`."""

    def _send(self, sql: str, values: Values) -> None:
        self._is_behind = True
        self._last = self._connection.cursor()  # one for each statement: a result belongs to who asked for it
        try:
            self._last.execute(sql.encode(), values or None)
        except psycopg.Error as error:  # perhaps of a statement before, whose answer has just come in
            raise self._meant(error) from error

    def _sync(self) -> None:
        """Waits for all answers."""
        if self._pipeline is None or not self._is_behind:
            return
        self._is_behind = False
        try:
            self._pipeline.sync()
        except psycopg.Error as error:
            raise self._meant(error) from error

    def _check(self) -> None:
        checks, self._checks = self._checks, []
        for check in checks:
            if check.statement.rowcount == 0:
                check.then()

    def _meant(self, error: psycopg.Error) -> Exception:
        """What to raise: of statements that met no row and of one that failed, the first one decides."""
        for check in self._checks:
            if not check.is_answered:
                return check.clash() if check.clash and isinstance(error, UniqueViolation) else error
            if check.statement.rowcount == 0:
                try:
                    check.then()
                except TrackerError as meant:
                    return meant
                except psycopg.Error:  # the transaction is undone already: what was there cannot be asked any more
                    return error
        return error


_: type[Cursor] = PipelineCursor
