"""Our own tables beside MLflow's, all named `hpo_`, and our indexes on MLflow's tables.

They survive MLflow's upgrades. None has an enforced foreign key to `runs`, which would break `mlflow gc`; a run that is
gone leaves a row here that nothing finds any more.
"""

import sqlalchemy as sa

from trackers.rows import PARENT_TAG

VERSION = 3
"""The number of this schema; a change to it is a new number and a step in `trackers.sql.upgrading`."""

metadata = sa.MetaData()

hpo_schema = sa.Table(
    "hpo_schema",
    metadata,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
)
hpo_sweeps = sa.Table(
    "hpo_sweeps",
    metadata,
    sa.Column("run_uuid", sa.String(32), primary_key=True),
    sa.Column("config", sa.Text, nullable=False),
    sa.Column("config_hash", sa.String(64), nullable=False),
    sa.Column("metric", sa.String(250), nullable=False),
    sa.Column("goal", sa.String(8), nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("window", sa.Integer),
    sa.Column("n_trials", sa.Integer),
)
# who drives a sweep now; a table of its own, because each heartbeat would write the sweep's whole config again
hpo_owners = sa.Table(
    "hpo_owners",
    metadata,
    sa.Column("sweep_uuid", sa.String(32), primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("token", sa.String(32), nullable=False),
    sa.Column("heartbeat", sa.BigInteger, nullable=False),
    sa.Column("stop_asked", sa.Boolean, nullable=False),
    # milliseconds by the server's clock; NULL where there is no server, for clocks of several hosts differ
    sa.Column("beat_at", sa.BigInteger),
    sqlite_with_rowid=False,
)
# what a mirror has been sent already: `key` is a run's id, or a version's name and number; `sent` a digest of it
hpo_mirrored = sa.Table(
    "hpo_mirrored",
    metadata,
    sa.Column("mirror", sa.String(500), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("key", sa.String(300), nullable=False),
    sa.Column("remote", sa.String(500), nullable=False),
    sa.Column("sent", sa.String(64), nullable=False),
    sa.PrimaryKeyConstraint("mirror", "kind", "key", name="hpo_mirrored_pk"),
)
hpo_trials = sa.Table(
    "hpo_trials",
    metadata,
    sa.Column("run_uuid", sa.String(32), primary_key=True),
    sa.Column("sweep_uuid", sa.String(32), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("reason", sa.String(64), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("params", sa.Text, nullable=False),
    sa.Column("value", sa.Float(precision=53)),
    sa.Column("seconds", sa.Float(precision=53)),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("traceback", sa.Text, nullable=False),
    sa.Column("owner_token", sa.String(36)),
    sa.Column("heartbeat", sa.BigInteger),
    sa.UniqueConstraint("sweep_uuid", "number", name="hpo_trials_sweep_number"),
    sqlite_with_rowid=False,  # one page less to write at each start and end
)
# partial, on PostgreSQL too (see `creation`): a trial enters it once, when it has a value
hpo_trials_sweep_value = sa.Index(
    "hpo_trials_sweep_value",
    hpo_trials.c.sweep_uuid,
    hpo_trials.c.value,
    sqlite_where=hpo_trials.c.value.is_not(None),
)
hpo_artifacts = sa.Table(
    "hpo_artifacts",
    metadata,
    sa.Column("run_uuid", sa.String(32), nullable=False),
    sa.Column("path", sa.String(1000), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.PrimaryKeyConstraint("run_uuid", "path", name="hpo_artifacts_pk"),
)
hpo_registry_keys = sa.Table(
    "hpo_registry_keys",
    metadata,
    sa.Column("key", sa.String(250), primary_key=True),
    sa.Column("name", sa.String(256), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
)
hpo_registry_events = sa.Table(
    "hpo_registry_events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("who", sa.String(256), nullable=False),
    sa.Column("action", sa.String(20), nullable=False),
    sa.Column("name", sa.String(256), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("what", sa.String(256), nullable=False),
    sa.Column("before", sa.String(256), nullable=False),
    sa.Column("after", sa.String(256), nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Index("hpo_registry_events_name", "name", "id"),
)

FIRST_TABLES = frozenset(
    {"hpo_schema", "hpo_sweeps", "hpo_trials", "hpo_artifacts", "hpo_registry_keys", "hpo_registry_events"}
)
"""The tables of version 1: what a database needs to be read as ours."""

MLFLOW_INDEXES = {
    "hpo_latest_metrics_key_value": (
        "CREATE INDEX IF NOT EXISTS hpo_latest_metrics_key_value ON latest_metrics (key, value)"
    ),
    # children of a run; partial, because tag values in general are too long for an index on PostgreSQL;
    # with the key and the run, or SQLite takes MLflow's index on the key and reads every row
    "hpo_tags_parent": (
        f"CREATE INDEX IF NOT EXISTS hpo_tags_parent ON tags (value, key, run_uuid) WHERE key = '{PARENT_TAG}'"
    ),
}
"""Indexes we add to MLflow's tables, by name; not in `schema`, which equals MLflow's."""
