"""INSERT .. ON CONFLICT for the databases that have it, and statements compiled once for a bare cursor."""

from collections.abc import Sequence
from typing import cast

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import Insert

from trackers.sql.cursor import Columnwise


def insert(dialect: sa.Dialect, table: sa.Table) -> Insert:
    """An INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
    if dialect.name != "postgresql":
        return Insert(table)
    from sqlalchemy.dialects import postgresql  # takes a tenth of a second: `hpo best` on a file goes without

    return cast(Insert, postgresql.insert(table))  # the same methods


def new_value(column: str) -> sa.ColumnElement[object]:
    """A value of the row that could not be inserted, for the `only` of an upsert."""
    return sa.literal_column(f"excluded.{column}")


def upsert(
    dialect: sa.Dialect,
    table: sa.Table,
    columns: Sequence[str],
    *,
    update: Sequence[str] = (),
    only: sa.ColumnElement[bool] | None = None,
) -> str:
    """The SQL that inserts a row of these columns, and where its key exists sets those in `update`, or nothing.

    `only` is a condition for that, on the row there is and on the `new_value`s; it may hold no bound values.
    """
    statement = insert(dialect, table).values({column: sa.bindparam(column) for column in columns})
    if not update:
        return compiled(dialect, statement.on_conflict_do_nothing(), columns)
    new = statement.excluded
    changed = statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: new[name] for name in update},
        where=only,
    )
    return compiled(dialect, changed, columns)


def upsert_many(
    dialect: sa.Dialect,
    table: sa.Table,
    columns: Sequence[str],
    *,
    update: Sequence[str] = (),
    only: sa.ColumnElement[bool] | None = None,
) -> str:
    """As `upsert`, for `executemany`: on a server one statement takes all rows, a list for each column."""
    if dialect.name != "postgresql":
        return upsert(dialect, table, columns, update=update, only=only)
    lists = [sa.func.unnest(sa.bindparam(name, type_=sa.ARRAY(table.c[name].type))) for name in columns]
    statement = insert(dialect, table).from_select(list(columns), sa.select(*lists))
    if not update:
        return Columnwise(compiled(dialect, statement.on_conflict_do_nothing(), columns))
    new = statement.excluded
    changed = statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_={name: new[name] for name in update}, where=only
    )
    return Columnwise(compiled(dialect, changed, columns))


def compiled(dialect: sa.Dialect, statement: sa.ClauseElement, binds: Sequence[str]) -> str:
    """The text of a statement whose values are given by position, in the order of `binds`."""
    made = statement.compile(dialect=dialect)
    names = list(getattr(made, "positiontup", None) or [])
    if names != list(binds):
        raise RuntimeError(f"the statement takes {names}, not {list(binds)}: {made}")  # a fault of this package
    return str(made)
