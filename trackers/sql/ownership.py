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
        token = uuid.uuid4().hex
        row = {"owner": owner, "token": token, "heartbeat": 0, "stop_asked": False}
        statement: sa.Insert | sa.Update
        if taking_from is None:
            new = insert(self._database.dialect, hpo_owners).values(sweep_uuid=sweep_id, **row)
            statement = new.on_conflict_do_nothing()
        else:
            statement = _held(Fence(sweep_id, taking_from)).values(row)
        with self._database.write() as connection:
            if connection.execute(statement).rowcount != 1:
                held = _holder(connection, sweep_id)
                raise AlreadyOwned(f"sweep {sweep_id} is held by {held.owner if held else 'nobody any more'}")
        return Fence(sweep_id, token)

    def holder(self, sweep_id: str) -> Holder | None:
        """Who drives the sweep; None for nobody."""
        if not self._database.layout().has("hpo_owners") and not self._database.look_again().has("hpo_owners"):
            return None
        with self._database.read() as connection:
            return _holder(connection, sweep_id)

    def beat(self, fence: Fence) -> bool:
        """Says that the driver lives; whether it was asked to stop."""
        statement = _held(fence).values(heartbeat=_owners.heartbeat + 1)
        with self._database.write() as connection:
            if connection.execute(statement).rowcount != 1:
                raise FencedOff(f"sweep {fence.sweep_id} is driven by somebody else by now")
            held = _holder(connection, fence.sweep_id)
        return held is not None and held.stop_asked

    def release(self, fence: Fence) -> None:
        """The driver ends and nobody holds the sweep."""
        statement = hpo_owners.delete().where(_owners.sweep_uuid == fence.sweep_id, _owners.token == fence.token)
        with self._database.write() as connection:
            connection.execute(statement)

    def ask_to_stop(self, sweep_id: str) -> bool:
        """Asks the driver to end; whether there is one."""
        statement = hpo_owners.update().where(_owners.sweep_uuid == sweep_id).values(stop_asked=True)
        with self._database.write() as connection:
            return connection.execute(statement).rowcount == 1


def _held(fence: Fence) -> sa.Update:
    return hpo_owners.update().where(_owners.sweep_uuid == fence.sweep_id, _owners.token == fence.token)


def _holder(connection: sa.Connection, sweep_id: str) -> Holder | None:
    statement = sa.select(_owners.owner, _owners.token, _owners.heartbeat, _owners.stop_asked)
    row = connection.execute(statement.where(_owners.sweep_uuid == sweep_id)).first()
    return None if row is None else Holder(row.owner, row.token, row.heartbeat, row.stop_asked)


_: type[Ownership] = SqlOwnership
