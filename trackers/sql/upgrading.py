"""Upgrades our own tables in numbered steps; MLflow upgrades its own.

A step turns the tables of one version into those of the next. It runs in the transaction that also puts the new number
on record, before tables that are new are made.
"""

from collections.abc import Callable, Mapping

import sqlalchemy as sa

from trackers.sql import own_schema

Step = Callable[[sa.Connection], None]


def upgrade_own_tables(connection: sa.Connection) -> None:
    """Brings our tables from the version on record to today's; nothing where there are none, or newer ones."""
    if not sa.inspect(connection).has_table("hpo_schema"):
        return
    found = connection.execute(sa.select(sa.func.max(own_schema.hpo_schema.c.version))).scalar()
    if found is None or found >= own_schema.VERSION:
        return
    for number in range(found + 1, own_schema.VERSION + 1):
        STEPS[number](connection)
    connection.execute(own_schema.hpo_schema.update().values(version=own_schema.VERSION))


def _owners_apart(connection: sa.Connection) -> None:
    """Version 2: who drives a sweep stands in `hpo_owners`, and the index of children holds all that they are found by.

    The table is made with the others. Columns of `hpo_sweeps` once meant for the driver were never filled, and stay.
    """
    connection.execute(sa.text("DROP INDEX IF EXISTS hpo_tags_parent"))  # made again as it is today


def _time_of_a_heartbeat(connection: sa.Connection) -> None:
    """Version 3: a heartbeat has its time by the server's clock; what mirrors were sent is made with the others."""
    if sa.inspect(connection).has_table("hpo_owners"):
        connection.execute(sa.text("ALTER TABLE hpo_owners ADD COLUMN beat_at BIGINT"))


STEPS: Mapping[int, Step] = {2: _owners_apart, 3: _time_of_a_heartbeat}
"""The step that leads to each version."""
