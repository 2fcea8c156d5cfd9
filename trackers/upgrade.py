"""Brings the database of a store to the revision of the MLflow that is installed; MLflow itself does the work."""

from trackers.errors import UpgradeFailed
from trackers.upgraded import Backup, Upgraded


def upgrade_store(uri: str, *, backup: Backup = Backup.MUST, compact: bool = False) -> Upgraded:
    """Upgrades the database at a URI, unless it is at that revision already. Several at once: one does it, all get on.

    A backup is made first: of a SQLite file beside it, of a PostgreSQL database by `pg_dump`. UpgradeFailed, the
    database as it was, where MLflow is missing or fails; StoreUnavailable where the database cannot be opened, or its
    disk is too small. With `compact`, the tables of a SQLite file with sweeps of ours are laid out as in a new one.
    """
    if uri.startswith(("sqlite:", "sqlite+pysqlite:")):
        import sqlalchemy as sa

        from trackers.sql.sqlite_place import SqlitePlace, sqlite_path
        from trackers.sql.sqlite_upgrade import upgrade_sqlite

        place = SqlitePlace(sqlite_path(sa.make_url(uri)))
        place.wait_at_most(PATIENCE)
        try:
            return upgrade_sqlite(place, backup=backup, compact=compact)
        finally:
            place.close()
    if uri.startswith("postgres"):
        from trackers.sql.postgres_upgrade import upgrade_postgres

        return upgrade_postgres(uri, backup=backup)
    raise UpgradeFailed(f"only databases can be upgraded, sqlite:///FILE and postgresql://..; got {uri.split(':')[0]}:")


PATIENCE = 300.0
"""Seconds to wait for another process that writes, or upgrades."""
