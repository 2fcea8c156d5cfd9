"""MLflow's tables as we make them in a SQLite file: the same columns, rules and names in half the room.

MLflow keeps each value in a table, once more in the index of its primary key, and its run once more in an index. Here
the primary key is the table (WITHOUT ROWID) and begins with the run: what belongs to one run lies together, which is
how nearly everything is looked up, and a trial writes a few pages instead of dozens. To SQLite the order of the columns
of a key is of no meaning but for speed. A migration of MLflow's that makes one of these tables anew makes it as usual.
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from trackers.sql import schema

KEYS: Mapping[str, Sequence[str]] = {
    "runs": ("run_uuid",),
    "params": ("run_uuid", "key"),
    "tags": ("run_uuid", "key"),
    "metrics": ("run_uuid", "key", "step", "timestamp", "value", "is_nan"),
    "latest_metrics": ("run_uuid", "key"),
    "input_tags": ("input_uuid", "name"),
    "logged_model_params": ("model_id", "param_key"),
    "logged_model_tags": ("model_id", "tag_key"),
}
"""The tables that grow with each trial, and the columns of their primary key in the order in which they are kept."""


def create_compact_tables(connection: sa.Connection) -> None:
    """The tables of `trackers.sql.schema` in a new file."""
    tables = sa.MetaData()
    for table in schema.metadata.sorted_tables:
        table.to_metadata(tables)
    for table in tables.sorted_tables:
        connection.execute(_compact(table, KEYS[table.name]) if table.name in KEYS else CreateTable(table))
        for index in table.indexes:
            connection.execute(CreateIndex(index))


def _compact(table: sa.Table, key: Sequence[str]) -> CreateTable:
    table.append_constraint(sa.PrimaryKeyConstraint(*key, name=str(table.primary_key.name)))
    table.dialect_options["sqlite"]["with_rowid"] = False
    for index in table.indexes:
        columns = [column.name for column in index.columns]
        if columns == list(key[: len(columns)]):
            # the key answers as well; an empty one keeps the name, which a migration of MLflow's may want to drop
            index.dialect_options["sqlite"]["where"] = sa.text(f"{key[0]} IS NULL")
    made = CreateTable(table)
    # the key's columns first: else `PRAGMA integrity_check` of SQLite 3.40 sees NULLs where there are none
    places = {name: place for place, name in enumerate(key)}
    made.columns.sort(key=lambda column: places.get(column.element.name, len(key)))
    return made
