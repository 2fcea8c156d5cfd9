"""Who drives which sweep of a tracking database: one row a sweep, changed by comparing its token."""

import uuid

import sqlalchemy as sa

from trackers.checks import check_run_id
from trackers.errors import AlreadyOwned, FencedOff
from trackers.ownership import Holder, Ownership
from trackers.records import Fence
from trackers.sql.database import Database
from trackers.sql.own_schema import hpo_owners
from trackers.sql.upserts import insert

_owners = hpo_owners.c


class SqlOwnership:
    """Holders in `hpo_owners`; a database that has no such table yet has none."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, sweep_id: str, owner: str, *, taking_from: str | None) -> Fence:
        """Makes `owner` the driver, if the sweep is still held as the caller saw it."""
        check_run_id(sweep_id)
        fence = Fence(sweep_id, uuid.uuid4().hex)
        row = {"owner": owner, "token": fence.token, "heartbeat": 0, "stop_asked": False, **self._time()}
        statement: sa.Insert | sa.Update
        if taking_from is None:
            new = insert(self._database.dialect, hpo_owners).values(sweep_uuid=sweep_id, **row)
            statement = new.on_conflict_do_nothing()
        else:
            statement = _held(Fence(sweep_id, taking_from)).values(row)
        self._database.repeat(lambda: self._claim(fence, statement))
        return fence

    def holder(self, sweep_id: str) -> Holder | None:
        """Who drives the sweep; None for nobody."""
        if not self._database.layout().has("hpo_owners") and not self._database.look_again().has("hpo_owners"):
            return None
        with self._database.read() as connection:
            return self._holder(connection, sweep_id)

    def beat(self, fence: Fence) -> bool:
        """Says that the driver lives; whether it was asked to stop."""
        statement = _held(fence).values(heartbeat=_owners.heartbeat + 1, **self._time())
        with self._database.write() as connection:
            if connection.execute(statement).rowcount != 1:
                raise FencedOff(f"sweep {fence.sweep_id} is driven by somebody else by now")
            held = self._holder(connection, fence.sweep_id)
        return held is not None and held.stop_asked

    def release(self, fence: Fence) -> None:
        """The driver ends and nobody holds the sweep."""
        statement = hpo_owners.delete().where(_owners.sweep_uuid == fence.sweep_id, _owners.token == fence.token)

        def delete() -> None:
            with self._database.write() as connection:
                connection.execute(statement)

        self._database.repeat(delete)

    def ask_to_stop(self, sweep_id: str) -> bool:
        """Asks the driver to end; whether there is one."""
        statement = hpo_owners.update().where(_owners.sweep_uuid == sweep_id).values(stop_asked=True)
        with self._database.write() as connection:
            return connection.execute(statement).rowcount == 1

    def _claim(self, fence: Fence, statement: sa.Insert | sa.Update) -> None:
        """Done already where the same claim was made before, and only the answer to its COMMIT was lost."""
        with self._database.write() as connection:
            if connection.execute(statement).rowcount == 1:
                return
            held = self._holder(connection, fence.sweep_id)
            if held is None or held.token != fence.token:
                raise AlreadyOwned(f"sweep {fence.sweep_id} is held by {held.owner if held else 'nobody any more'}")

    def _time(self) -> dict[str, sa.ColumnElement[int]]:
        """When a sign of life was given, where there is a clock that all share."""
        clock = self._database.clock
        return {} if clock is None else {"beat_at": clock}

    def _holder(self, connection: sa.Connection, sweep_id: str) -> Holder | None:
        age: sa.ColumnElement[int] = sa.cast(sa.null(), sa.BigInteger)
        if (clock := self._database.clock) is not None:
            # while the server was down nobody could show that he lives
            since = sa.func.greatest(_owners.beat_at, self._database.uptime)
            age = sa.case((_owners.beat_at.is_not(None), clock - since))
        statement = sa.select(_owners.owner, _owners.token, _owners.heartbeat, _owners.stop_asked, age.label("age"))
        row = connection.execute(statement.where(_owners.sweep_uuid == sweep_id)).first()
        if row is None:
            return None
        seconds = None if row.age is None else max(row.age, 0) / 1000
        return Holder(row.owner, row.token, row.heartbeat, row.stop_asked, seconds)


def _held(fence: Fence) -> sa.Update:
    return hpo_owners.update().where(_owners.sweep_uuid == fence.sweep_id, _owners.token == fence.token)


_: type[Ownership] = SqlOwnership
