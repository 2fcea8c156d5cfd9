"""Making what is missing: a whole new tracking database, or our own tables in one of MLflow's."""

import time

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from trackers.rows import below
from trackers.sql import own_schema, schema
from trackers.sql.append_only import make_append_only
from trackers.sql.upgrading import upgrade_own_tables
from trackers.sql.upserts import insert


def create_database(connection: sa.Connection, artifacts: str) -> None:
    """MLflow's tables at our revision with experiment 0 in them, as MLflow itself begins a database, and our own."""
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

    A migration of MLflow's may drop an index.
    """
    upgrade_own_tables(connection)
    for table in own_schema.metadata.sorted_tables:
        connection.execute(CreateTable(table, if_not_exists=True))
        for index in table.indexes:
            connection.execute(CreateIndex(index, if_not_exists=True))
    make_append_only(connection, own_schema.hpo_registry_events.name)
    version = insert(connection.dialect, own_schema.hpo_schema).values(version=own_schema.VERSION)
    connection.execute(version.on_conflict_do_nothing())
    for ddl in own_schema.MLFLOW_INDEXES:
        connection.execute(sa.text(ddl))
