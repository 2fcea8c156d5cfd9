"""PostgreSQL's errors as ours: what happened, where, and what to do about it."""

import re
from typing import Any

import psycopg
import sqlalchemy as sa

from trackers.errors import InvalidRecord, NotPermitted, StoreBusy, StoreFull, StoreUnavailable, TrackerError

_BUSY = {
    "55P03": "another transaction holds a row for too long",
    "40P01": "two transactions waited for each other",
    "40001": "another transaction was faster",
    "57014": "a query took too long and was ended",
}
_FULL = ("53100",)
_ADVICE = (
    (r"password authentication failed|no password supplied|fe_sendauth", "check user and password in the URI; "
     "the password may also stand in $PGPASSWORD or in ~/.pgpass"),
    (r'database ".*" does not exist', "make it first: createdb, or CREATE DATABASE"),
    (r'role ".*" does not exist|no pg_hba.conf entry|not permitted to log in|permission denied for database',
     "let its administrator allow this user to connect"),
)  # fmt: skip
"""What a server that refuses a connection says, in English, and the way out; waiting does not mend these."""


def fault(error: BaseException, shown: str) -> TrackerError:
    """What an error of psycopg, or of the system, means for the database at this place."""
    state = getattr(error, "sqlstate", None) or ""
    text = _first_line(error)
    if isinstance(error, psycopg.DataError):
        return InvalidRecord(f"{shown} does not take a value: {text}")
    if state in _BUSY:
        return StoreBusy(f"{shown} is busy: {_BUSY[state]} ({text}); wait, or try again")
    if state in _FULL:
        return StoreFull(f"no space left on the server of {shown}; free space", shown)
    if state == "42501":
        return NotPermitted(f"{shown}: {text}; the user needs the rights that docs/store.md lists")
    if state == "25006":
        return StoreUnavailable(f"{shown} can only be read now ({text}); name the primary server, or wait for it")
    return StoreUnavailable(f"{shown} failed: {text}")


class NoConnection(StoreUnavailable):
    """The server cannot be reached."""


def is_passing(failure: StoreUnavailable) -> bool:
    """Whether a failure is over once it was met: a lost connection, a deadlock; not a server that is not there."""
    error: BaseException | None = failure.__cause__
    if isinstance(failure, NoConnection):
        return False
    if isinstance(error, sa.exc.DBAPIError):
        error = error.orig
    state = getattr(error, "sqlstate", None) or ""
    is_lost = isinstance(error, psycopg.OperationalError) and (not state or state.startswith(("08", "57P", "25P03")))
    return is_lost or state in ("40P01", "40001", "0A000", "26000")


def no_connection(error: psycopg.Error, shown: str) -> StoreUnavailable:
    """Why there is no connection to the server."""
    text = _first_line(error)
    for pattern, advice in _ADVICE:
        if re.search(pattern, str(error)):
            return NotPermitted(f"{shown} cannot be opened: {text}; {advice}")
    return NoConnection(f"{shown} cannot be reached: {text}; see that the server runs there and takes connections")


def check_server(connection: psycopg.Connection[Any], shown: str, *, oldest: int) -> None:
    """NotPermitted where the server is too old, or keeps texts in an encoding that does not hold all of them."""
    version, encoding = connection.info.server_version, connection.info.parameter_status("server_encoding")
    if version < oldest:
        raise NotPermitted(
            f"{shown} is PostgreSQL {version // 10000}; {oldest // 10000} or later is needed: upgrade the server"
        )
    if encoding != "UTF8":
        raise NotPermitted(f"{shown} keeps texts as {encoding}; make a database with: CREATE DATABASE .. ENCODING UTF8")


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text.removeprefix("connection failed: ").removeprefix("connection is bad: ")
