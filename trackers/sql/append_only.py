"""Makes a table one that only grows: the database itself refuses to change or delete its rows.

Nothing stops who owns the database from dropping the triggers; it takes more than a mistake, though.
"""

import sqlalchemy as sa


def make_append_only(connection: sa.Connection, table: str) -> None:
    """Adds the triggers where they are missing; nothing on a database that has none of these two kinds."""
    if connection.dialect.name == "sqlite":
        for statement in _sqlite(table):
            connection.exec_driver_sql(statement)
    elif connection.dialect.name == "postgresql" and not is_append_only(connection, table):
        for statement in _postgresql(table):
            connection.exec_driver_sql(statement)


def _sqlite(table: str) -> list[str]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    taken = f"WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)"  # noqa: S608  # the name of a table of ours
    return [
        f"CREATE TRIGGER IF NOT EXISTS {table}_no_update BEFORE UPDATE ON {table} {refuse}",
        f"CREATE TRIGGER IF NOT EXISTS {table}_no_delete BEFORE DELETE ON {table} {refuse}",
        # INSERT OR REPLACE deletes rows without a word to the trigger on DELETE
        f"CREATE TRIGGER IF NOT EXISTS {table}_no_replace BEFORE INSERT ON {table} {taken} {refuse}",
    ]


def _postgresql(table: str) -> list[str]:
    function = f"{table}_refuse()"
    return [
        f"CREATE OR REPLACE FUNCTION {function} RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION USING MESSAGE = '{table} is append-only'; END $$",
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {function}",
    ]


def is_append_only(connection: sa.Connection, table: str) -> bool:
    """Whether a PostgreSQL server protects the table already."""
    # looked up first: this runs at the first write of every process, and not each may be an owner's
    found = sa.text("SELECT 1 FROM pg_trigger WHERE tgname = :trigger AND tgrelid = to_regclass(:table)")
    return connection.execute(found, {"trigger": f"{table}_no_change", "table": table}).first() is not None
