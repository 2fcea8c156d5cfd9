"""Making what is missing: a whole new tracking database, or our own tables in one of MLflow's."""

import time

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from trackers.rows import below
from trackers.sql import own_schema, schema
from trackers.sql.append_only import is_append_only, make_append_only
from trackers.sql.compact import create_compact_tables
from trackers.sql.upgrading import upgrade_own_tables
from trackers.sql.upserts import insert

MAKING = "SELECT pg_advisory_xact_lock(hashtextextended('tracked-hpo: making tables', 0))"
"""On PostgreSQL, one at a time makes tables."""


def create_database(connection: sa.Connection, artifacts: str) -> None:
    """MLflow's tables at our revision with experiment 0 in them, as MLflow itself begins a database, and our own."""
    if connection.dialect.name == "sqlite":
        create_compact_tables(connection)
    else:
        schema.metadata.create_all(connection, checkfirst=False)
    connection.execute(schema.alembic_version.insert().values(version_num=schema.REVISION))
    now = int(time.time() * 1000)
    connection.execute(
        schema.experiments.insert().values(
            experiment_id=0,
            name="Default",
            artifact_location=below(artifacts, "0"),
            lifecycle_stage="active",
            creation_time=now,
            last_update_time=now,
        )
    )
    create_own_tables(connection)


def create_own_tables(connection: sa.Connection) -> None:
    """Our tables as they are today, an older version of them upgraded, and our indexes on MLflow's.

    A migration of MLflow's may drop an index. Where nothing is missing nothing is done: on a server even
    CREATE INDEX IF NOT EXISTS waits for all who write, and takes the rights of the tables' owner.
    """
    if connection.dialect.name != "postgresql":
        _create_own_tables(connection)
    elif not _is_complete(connection):
        connection.exec_driver_sql(MAKING)
        _create_own_tables(connection)


def _is_complete(connection: sa.Connection) -> bool:
    wanted = {
        str(name)
        for table in own_schema.metadata.sorted_tables
        for name in (table.name, *(index.name for index in table.indexes))
    }
    if _may_index(connection):
        wanted |= own_schema.MLFLOW_INDEXES.keys()
    there = "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
    if wanted - set(connection.exec_driver_sql(there).scalars()):
        return False
    newest = sa.select(sa.func.max(own_schema.hpo_schema.c.version))
    if (connection.execute(newest).scalar() or 0) < own_schema.VERSION:
        return False
    events = own_schema.hpo_registry_events.name
    return is_append_only(connection, events) or not _is_owner(connection, events)


def _create_own_tables(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":  # said here: to say it in the schema takes SQLite 40 ms to import that
        value = own_schema.hpo_trials.c.value
        own_schema.hpo_trials_sweep_value.dialect_kwargs["postgresql_where"] = value.is_not(None)
    upgrade_own_tables(connection)
    for table in own_schema.metadata.sorted_tables:
        connection.execute(CreateTable(table, if_not_exists=True))
        for index in table.indexes:
            connection.execute(CreateIndex(index, if_not_exists=True))
    make_append_only(connection, own_schema.hpo_registry_events.name)
    version = insert(connection.dialect, own_schema.hpo_schema).values(version=own_schema.VERSION)
    connection.execute(version.on_conflict_do_nothing())
    for ddl in own_schema.MLFLOW_INDEXES.values() if _may_index(connection) else ():
        connection.execute(sa.text(ddl))


def _may_index(connection: sa.Connection) -> bool:
    """Whether MLflow's tables may get an index from us; on a server that is for their owner."""
    if connection.dialect.name != "postgresql":
        return True
    return _is_owner(connection, "tags", "latest_metrics")


def _is_owner(connection: sa.Connection, *tables: str) -> bool:
    """Whether this user of a server has the rights of the tables' owner."""
    names = ", ".join(f"'{table}'::regclass" for table in tables)
    owned = f"SELECT bool_and(pg_has_role(relowner, 'USAGE')) FROM pg_class WHERE oid IN ({names})"  # noqa: S608  # ours
    return bool(connection.exec_driver_sql(owned).scalar())
