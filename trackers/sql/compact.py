"""MLflow's tables as we make them in a SQLite file: the same columns, rules and names in half the room.

MLflow keeps each value in a table, once more in the index of its primary key, and its run once more in an index. Here
the primary key is the table (WITHOUT ROWID) and begins with the run: what belongs to one run lies together, which is
how nearly everything is looked up, and a trial writes a few pages instead of dozens. To SQLite the order of the columns
of a key is of no meaning but for speed. A migration of MLflow's that makes one of these tables anew makes it as usual;
`lay_out_compactly` makes it so again, and the tables of files that were made otherwise.
"""

import re
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

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

_WITHOUT_ROWID = re.compile(r"\bWITHOUT\s+ROWID\s*$", re.IGNORECASE)
_ANEW = "hpo_made_anew"


def create_compact_tables(connection: sa.Connection) -> None:
    """The tables of `trackers.sql.schema` in a new file."""
    tables = sa.MetaData()
    for table in schema.metadata.sorted_tables:
        table.to_metadata(tables)
    for table in tables.sorted_tables:
        connection.execute(_compact(table, KEYS[table.name]) if table.name in KEYS else CreateTable(table))
        for index in table.indexes:
            connection.execute(CreateIndex(index))


def roomy_tables(connection: sqlite3.Connection) -> Sequence[str]:
    """Those of KEYS that a file keeps as MLflow makes them."""
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
    return [name for name, text in found if name in KEYS and not _WITHOUT_ROWID.search(text)]


def lay_out_compactly(path: Path) -> None:
    """Makes the roomy tables of a file anew, with all their rows, columns, rules and indexes, and whatever refers to
    them as it was.

    For a file that nobody else has open and that may be lost: it is broken where this ends before its time. A table
    that cannot be made anew just as it was is left as it is.
    """
    engine = sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(path, isolation_level=None))
    try:
        with engine.connect() as connection:
            raw: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]  # SQLite's
            # references to a table that is made anew stay those to its name; nobody needs the file if this fails
            for pragma in ("foreign_keys=OFF", "legacy_alter_table=ON", "journal_mode=OFF", "synchronous=OFF"):
                raw.execute(f"PRAGMA {pragma}")
            for name in roomy_tables(raw):
                _make_anew(connection, raw, name)
    finally:
        engine.dispose()


def _make_anew(connection: sa.Connection, raw: sqlite3.Connection, name: str) -> None:
    known, key, shape = sa.MetaData(), KEYS[name], _shape(raw, name)
    try:
        table = sa.Table(name, known, autoload_with=connection)  # as MLflow's own migrations read it
        made = str(_compact(table.to_metadata(known, name=_ANEW), key).compile(dialect=connection.dialect))
    except sa.exc.SQLAlchemyError:  # somebody gave it a column, say, of a type that is none
        return
    if {column.name for column in table.primary_key.columns} != set(key):
        return
    others = raw.execute(
        "SELECT name, sql FROM sqlite_master WHERE tbl_name = ? AND type IN ('index', 'trigger') AND sql IS NOT NULL",
        (name,),
    ).fetchall()
    answered = {str(index.name) for index in table.indexes if _is_answered(index, key)}
    raw.execute(made)
    if _shape(raw, _ANEW) != shape:
        raw.execute(f"DROP TABLE {_ANEW}")
        return
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    order = ", ".join(key)
    raw.execute(f"INSERT INTO {_ANEW} ({columns}) SELECT {columns} FROM {name} ORDER BY {order}")  # noqa: S608  # ours
    raw.execute(f"DROP TABLE {name}")
    raw.execute(f"ALTER TABLE {_ANEW} RENAME TO {name}")
    for other, text in others:
        raw.execute(f"{text} WHERE {key[0]} IS NULL" if other in answered else text)


def _shape(raw: sqlite3.Connection, name: str) -> tuple[object, ...]:
    """What a table asks of its rows, but for the order of its columns and of its key."""
    columns = raw.execute('SELECT name, upper(type), "notnull", dflt_value, pk > 0 FROM pragma_table_xinfo(?)', (name,))
    refers = raw.execute('SELECT "table", "from", "to", on_update, on_delete FROM pragma_foreign_key_list(?)', (name,))
    unique = raw.execute("SELECT name FROM pragma_index_list(?) WHERE origin = 'u'", (name,)).fetchall()
    [text] = raw.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    words = [len(re.findall(rf"\b{word}\b", text, re.IGNORECASE)) for word in ("CHECK", "COLLATE", "GENERATED")]
    return sorted(map(repr, columns)), sorted(map(repr, refers)), len(unique), words


def _is_answered(index: sa.Index, key: Sequence[str]) -> bool:
    """Whether a key that is the table answers what an index does."""
    columns = [column.name for column in index.columns]
    is_plain = not index.unique and index.dialect_options["sqlite"]["where"] is None
    return is_plain and columns == list(key[: len(columns)])


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
