"""What is in a database before we use it: whether it is a tracking database, and whether we may write to it.

MLflow upgrades its databases as it likes, so nothing is assumed: the columns that are there are read, writes name
their columns, and a database with a column we could not fill is only read.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from trackers.errors import NotAStore
from trackers.sql import own_schema, schema

WORKSPACE = "default"
"""The workspace MLflow 3.10 and later keeps everything in that is in no other."""

CORE = (
    "experiments", "runs", "params", "tags", "metrics", "latest_metrics", "datasets", "inputs", "input_tags",
    "registered_models", "registered_model_tags", "registered_model_aliases", "model_versions", "model_version_tags",
)  # fmt: skip
"""The tables we write that every MLflow since 2.4 has."""

_LOGGED = ("logged_models", "logged_model_params", "logged_model_tags", "logged_model_metrics")
"""Those that MLflow has since 3.0; before, a tag of the run lists its models."""

_SINCE_3 = frozenset({("inputs", "step")})
"""Columns that MLflow has since 3.0, and that we need not write."""
_NEEDED = frozenset({"alembic_version", "experiments", "runs", "params", "tags", "metrics", "latest_metrics"})


@dataclass(frozen=True)
class Layout:
    """The shape of a tracking database as found."""

    revision: str
    columns: Mapping[str, frozenset[str]]
    is_ours: bool
    """Whether our own tables are there, perhaps of an older version; MLflow alone makes none."""
    problems: tuple[str, ...] = ()
    """Why it must not be written to; empty where it may be."""

    def has(self, table: str, column: str | None = None) -> bool:
        """Whether a table, or a column of it, exists."""
        return table in self.columns and (column is None or column in self.columns[table])

    def fill(self, table: str) -> dict[str, str]:
        """The values every new row of a table takes besides those written, such as its workspace."""
        return {"workspace": WORKSPACE} if self.has(table, "workspace") else {}


def inspect_layout(connection: sa.Connection, shown: str) -> Layout:
    """The layout of the connected database; NotAStore, naming what is in it, where it is none of MLflow's."""
    inspector = sa.inspect(connection)
    tables = set(inspector.get_table_names())
    if not tables >= _NEEDED:
        raise NotAStore(
            f"not a valid store: {shown} is not a tracking database: {_contents(tables)}; it was left untouched"
        )
    known_tables = sorted(tables & {*CORE, *_LOGGED, *own_schema.metadata.tables})
    described = inspector.get_multi_columns(filter_names=known_tables)  # a server answers for all of them at once
    found = {table: described[(None, table)] for table in known_tables}
    columns = {table: frozenset(column["name"] for column in of_table) for table, of_table in found.items()}
    revision = connection.execute(sa.select(schema.alembic_version.c.version_num)).scalar()
    problems: list[str] = []
    for table in CORE + (_LOGGED if tables & {*_LOGGED} else ()):
        known = {column.name for column in schema.metadata.tables[table].columns}
        lost = known - columns.get(table, frozenset())
        problems += [f"{table}.{name} is gone" for name in sorted(lost) if (table, name) not in _SINCE_3]
        problems += [
            f"{table}.{column['name']} is unknown and must be given"
            for column in found.get(table, [])
            if column["name"] not in known | {"workspace"} and _must_be_given(column)
        ]
    problems += _own_problems(connection, tables, columns)
    return Layout(str(revision), columns, _is_complete(tables), tuple(problems))


def _must_be_given(column: Mapping[str, object]) -> bool:
    return not column["nullable"] and column.get("default") is None and not column.get("computed")


def _is_complete(tables: set[str]) -> bool:
    return tables >= own_schema.FIRST_TABLES


def _own_problems(connection: sa.Connection, tables: set[str], columns: Mapping[str, frozenset[str]]) -> list[str]:
    if "hpo_schema" not in tables:
        return []
    version = connection.execute(sa.select(sa.func.max(own_schema.hpo_schema.c.version))).scalar()
    if version is not None and version > own_schema.VERSION:
        return [
            f"our own tables are of version {version}, this release knows {own_schema.VERSION}; upgrade tracked-hpo"
        ]
    return [
        f"{table.name}.{column.name} is gone"
        for table in own_schema.metadata.tables.values()
        if version == own_schema.VERSION and table.name in tables
        for column in table.columns
        if column.name not in columns[table.name]
    ]


def _contents(tables: set[str]) -> str:
    if not tables:
        return "it holds no tables"
    some = sorted(tables)[:8]
    return f"it holds {', '.join(some)}" + (f" and {len(tables) - 8} more tables" if len(tables) > 8 else "")
