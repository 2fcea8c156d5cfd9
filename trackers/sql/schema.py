"""MLflow's tables as MLflow 3.0 made them, at the one revision every later MLflow upgrades from by itself.

Names, types, constraints and indexes equal a genuine database of that revision (held by a test). Nothing here is ever
migrated by us: MLflow migrates its tables, we write whatever columns we find (see `trackers.sql.guard`). How rows lie
in a SQLite file that we make is another matter: `trackers.sql.compact`.
"""

import sqlalchemy as sa

REVISION = "bda7b8c39065"

metadata = sa.MetaData()


def _double() -> sa.Float[float]:
    return sa.Float(precision=53)


def _long_text() -> sa.Text:
    # MLflow's says MEDIUMTEXT for MySQL, which no store of ours is: to import that dialect takes 20 ms
    return sa.Text()


def _boolean() -> sa.Boolean:
    return sa.Boolean(create_constraint=True)


def _stages(name: str) -> sa.CheckConstraint:
    return sa.CheckConstraint("lifecycle_stage IN ('active', 'deleted')", name=name)


experiments = sa.Table(
    "experiments",
    metadata,
    sa.Column("experiment_id", sa.Integer, autoincrement=True),
    sa.Column("name", sa.String(256), nullable=False),
    sa.Column("artifact_location", sa.String(256)),
    sa.Column("lifecycle_stage", sa.String(32)),
    sa.Column("creation_time", sa.BigInteger),
    sa.Column("last_update_time", sa.BigInteger),
    _stages("experiments_lifecycle_stage"),
    sa.PrimaryKeyConstraint("experiment_id", name="experiment_pk"),
    sa.UniqueConstraint("name"),
)
experiment_tags = sa.Table(
    "experiment_tags",
    metadata,
    sa.Column("key", sa.String(250)),
    sa.Column("value", sa.String(5000)),
    sa.Column("experiment_id", sa.Integer, sa.ForeignKey("experiments.experiment_id")),
    sa.PrimaryKeyConstraint("key", "experiment_id", name="experiment_tag_pk"),
)
runs = sa.Table(
    "runs",
    metadata,
    sa.Column("run_uuid", sa.String(32)),
    sa.Column("name", sa.String(250)),
    sa.Column("source_type", sa.String(20)),
    sa.Column("source_name", sa.String(500)),
    sa.Column("entry_point_name", sa.String(50)),
    sa.Column("user_id", sa.String(256)),
    sa.Column("status", sa.String(9)),
    sa.Column("start_time", sa.BigInteger),
    sa.Column("end_time", sa.BigInteger),
    sa.Column("source_version", sa.String(50)),
    sa.Column("lifecycle_stage", sa.String(20)),
    sa.Column("artifact_uri", sa.String(200)),
    sa.Column("experiment_id", sa.Integer, sa.ForeignKey("experiments.experiment_id")),
    sa.Column("deleted_time", sa.BigInteger),
    _stages("runs_lifecycle_stage"),
    sa.CheckConstraint("source_type IN ('NOTEBOOK', 'JOB', 'LOCAL', 'UNKNOWN', 'PROJECT')", name="source_type"),
    sa.CheckConstraint("status IN ('SCHEDULED', 'FAILED', 'FINISHED', 'RUNNING', 'KILLED')"),
    sa.PrimaryKeyConstraint("run_uuid", name="run_pk"),
)


def _texts_of_runs(name: str, key: str, *, nullable: bool) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column("key", sa.String(250)),
        sa.Column("value", sa.String(8000), nullable=nullable),
        sa.Column("run_uuid", sa.String(32), sa.ForeignKey("runs.run_uuid")),
        sa.PrimaryKeyConstraint("key", "run_uuid", name=key),
        sa.Index(f"index_{name}_run_uuid", "run_uuid"),
    )


tags = _texts_of_runs("tags", "tag_pk", nullable=True)
params = _texts_of_runs("params", "param_pk", nullable=False)
metrics = sa.Table(
    "metrics",
    metadata,
    sa.Column("key", sa.String(250)),
    sa.Column("value", _double(), nullable=False),
    sa.Column("timestamp", sa.BigInteger, autoincrement=False),
    sa.Column("run_uuid", sa.String(32), sa.ForeignKey("runs.run_uuid")),
    sa.Column("step", sa.BigInteger, nullable=False, server_default="0", autoincrement=False),
    sa.Column("is_nan", _boolean(), nullable=False, server_default="0"),
    sa.PrimaryKeyConstraint("key", "timestamp", "step", "run_uuid", "value", "is_nan", name="metric_pk"),
    sa.Index("index_metrics_run_uuid", "run_uuid"),
)
latest_metrics = sa.Table(
    "latest_metrics",
    metadata,
    sa.Column("key", sa.String(250)),
    sa.Column("value", _double(), nullable=False),
    sa.Column("timestamp", sa.BigInteger),
    sa.Column("step", sa.BigInteger, nullable=False),
    sa.Column("is_nan", _boolean(), nullable=False),
    sa.Column("run_uuid", sa.String(32), sa.ForeignKey("runs.run_uuid")),
    sa.PrimaryKeyConstraint("key", "run_uuid", name="latest_metric_pk"),
    sa.Index("index_latest_metrics_run_uuid", "run_uuid"),
)
datasets = sa.Table(
    "datasets",
    metadata,
    sa.Column("dataset_uuid", sa.String(36), nullable=False),
    sa.Column("experiment_id", sa.Integer, autoincrement=False),
    sa.Column("name", sa.String(500)),
    sa.Column("digest", sa.String(36)),
    sa.Column("dataset_source_type", sa.String(36), nullable=False),
    sa.Column("dataset_source", sa.Text, nullable=False),
    sa.Column("dataset_schema", _long_text()),
    sa.Column("dataset_profile", _long_text()),
    sa.ForeignKeyConstraint(
        ["experiment_id"],
        ["experiments.experiment_id"],
        name="fk_datasets_experiment_id_experiments",
        ondelete="CASCADE",
    ),
    sa.PrimaryKeyConstraint("experiment_id", "name", "digest", name="dataset_pk"),
    sa.Index("index_datasets_dataset_uuid", "dataset_uuid"),
    sa.Index("index_datasets_experiment_id_dataset_source_type", "experiment_id", "dataset_source_type"),
)
inputs = sa.Table(
    "inputs",
    metadata,
    sa.Column("input_uuid", sa.String(36), nullable=False),
    sa.Column("source_type", sa.String(36)),
    sa.Column("source_id", sa.String(36)),
    sa.Column("destination_type", sa.String(36)),
    sa.Column("destination_id", sa.String(36)),
    sa.Column("step", sa.BigInteger, nullable=False, server_default="0"),
    sa.PrimaryKeyConstraint("source_type", "source_id", "destination_type", "destination_id", name="inputs_pk"),
    sa.Index("index_inputs_input_uuid", "input_uuid"),
    sa.Index(
        "index_inputs_destination_type_destination_id_source_type", "destination_type", "destination_id", "source_type"
    ),
)
input_tags = sa.Table(
    "input_tags",
    metadata,
    sa.Column("input_uuid", sa.String(36)),
    sa.Column("name", sa.String(255)),
    sa.Column("value", sa.String(500), nullable=False),
    sa.PrimaryKeyConstraint("input_uuid", "name", name="input_tags_pk"),
)
registered_models = sa.Table(
    "registered_models",
    metadata,
    sa.Column("name", sa.String(256)),
    sa.Column("creation_time", sa.BigInteger),
    sa.Column("last_updated_time", sa.BigInteger),
    sa.Column("description", sa.String(5000)),
    sa.PrimaryKeyConstraint("name", name="registered_model_pk"),
    sa.UniqueConstraint("name"),
)
registered_model_tags = sa.Table(
    "registered_model_tags",
    metadata,
    sa.Column("key", sa.String(250)),
    sa.Column("value", sa.String(5000)),
    sa.Column("name", sa.String(256), sa.ForeignKey("registered_models.name", onupdate="cascade")),
    sa.PrimaryKeyConstraint("key", "name", name="registered_model_tag_pk"),
)
registered_model_aliases = sa.Table(
    "registered_model_aliases",
    metadata,
    sa.Column("alias", sa.String(256)),
    sa.Column("version", sa.Integer, nullable=False, autoincrement=False),
    sa.Column("name", sa.String(256)),
    sa.ForeignKeyConstraint(
        ["name"],
        ["registered_models.name"],
        name="registered_model_alias_name_fkey",
        onupdate="cascade",
        ondelete="cascade",
    ),
    sa.PrimaryKeyConstraint("name", "alias", name="registered_model_alias_pk"),
)
model_versions = sa.Table(
    "model_versions",
    metadata,
    sa.Column("name", sa.String(256), sa.ForeignKey("registered_models.name", onupdate="cascade")),
    sa.Column("version", sa.Integer, autoincrement=False),
    sa.Column("creation_time", sa.BigInteger),
    sa.Column("last_updated_time", sa.BigInteger),
    sa.Column("description", sa.String(5000)),
    sa.Column("user_id", sa.String(256)),
    sa.Column("current_stage", sa.String(20)),
    sa.Column("source", sa.String(500)),
    sa.Column("run_id", sa.String(32)),
    sa.Column("status", sa.String(20)),
    sa.Column("status_message", sa.String(500)),
    sa.Column("run_link", sa.String(500)),
    sa.Column("storage_location", sa.String(500)),
    sa.PrimaryKeyConstraint("name", "version", name="model_version_pk"),
)
model_version_tags = sa.Table(
    "model_version_tags",
    metadata,
    sa.Column("key", sa.String(250)),
    sa.Column("value", sa.Text),
    sa.Column("name", sa.String(256)),
    sa.Column("version", sa.Integer, autoincrement=False),
    sa.ForeignKeyConstraint(["name", "version"], ["model_versions.name", "model_versions.version"], onupdate="cascade"),
    sa.PrimaryKeyConstraint("key", "name", "version", name="model_version_tag_pk"),
)
trace_info = sa.Table(
    "trace_info",
    metadata,
    sa.Column("request_id", sa.String(50)),
    sa.Column("experiment_id", sa.Integer, nullable=False),
    sa.Column("timestamp_ms", sa.BigInteger, nullable=False),
    sa.Column("execution_time_ms", sa.BigInteger),
    sa.Column("status", sa.String(50), nullable=False),
    sa.ForeignKeyConstraint(["experiment_id"], ["experiments.experiment_id"], name="fk_trace_info_experiment_id"),
    sa.PrimaryKeyConstraint("request_id", name="trace_info_pk"),
    sa.Index("index_trace_info_experiment_id_timestamp_ms", "experiment_id", "timestamp_ms"),
)


def _texts_of_traces(name: str, key: str) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column("key", sa.String(250)),
        sa.Column("value", sa.String(8000)),
        sa.Column("request_id", sa.String(50)),
        sa.ForeignKeyConstraint(
            ["request_id"], ["trace_info.request_id"], name=f"fk_{name}_request_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", "request_id", name=key),
        sa.Index(f"index_{name}_request_id", "request_id"),
    )


trace_tags = _texts_of_traces("trace_tags", "trace_tag_pk")
trace_request_metadata = _texts_of_traces("trace_request_metadata", "trace_request_metadata_pk")
logged_models = sa.Table(
    "logged_models",
    metadata,
    sa.Column("model_id", sa.String(36)),
    sa.Column("experiment_id", sa.Integer, nullable=False),
    sa.Column("name", sa.String(500), nullable=False),
    sa.Column("artifact_location", sa.String(1000), nullable=False),
    sa.Column("creation_timestamp_ms", sa.BigInteger, nullable=False),
    sa.Column("last_updated_timestamp_ms", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("lifecycle_stage", sa.String(32)),
    sa.Column("model_type", sa.String(500)),
    sa.Column("source_run_id", sa.String(32)),
    sa.Column("status_message", sa.String(1000)),
    _stages("logged_models_lifecycle_stage_check"),
    sa.ForeignKeyConstraint(
        ["experiment_id"], ["experiments.experiment_id"], name="fk_logged_models_experiment_id", ondelete="CASCADE"
    ),
    sa.PrimaryKeyConstraint("model_id", name="logged_models_pk"),
)


def _of_logged_models(kind: str, *columns: sa.Column[object], key: tuple[str, ...]) -> sa.Table:
    name = f"logged_model_{kind}"
    return sa.Table(
        name,
        metadata,
        sa.Column("model_id", sa.String(36)),
        *columns,
        sa.Column("experiment_id", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.experiment_id"], name=f"fk_{name}_experiment_id"),
        sa.ForeignKeyConstraint(
            ["model_id"], ["logged_models.model_id"], name=f"fk_{name}_model_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(*key, name=f"{name}_pk"),
    )


logged_model_params = _of_logged_models(
    "params",
    sa.Column("param_key", sa.String(255)),
    sa.Column("param_value", sa.Text, nullable=False),
    key=("model_id", "param_key"),
)
logged_model_tags = _of_logged_models(
    "tags",
    sa.Column("tag_key", sa.String(255)),
    sa.Column("tag_value", sa.Text, nullable=False),
    key=("model_id", "tag_key"),
)
logged_model_metrics = _of_logged_models(
    "metrics",
    sa.Column("metric_name", sa.String(500)),
    sa.Column("metric_timestamp_ms", sa.BigInteger, autoincrement=False),
    sa.Column("metric_step", sa.BigInteger, autoincrement=False),
    sa.Column("metric_value", _double()),
    sa.Column("run_id", sa.String(32)),
    sa.Column("dataset_uuid", sa.String(36)),
    sa.Column("dataset_name", sa.String(500)),
    sa.Column("dataset_digest", sa.String(36)),
    key=("model_id", "metric_name", "metric_timestamp_ms", "metric_step", "run_id"),
)
logged_model_metrics.append_constraint(
    sa.ForeignKeyConstraint(["run_id"], ["runs.run_uuid"], name="fk_logged_model_metrics_run_id", ondelete="CASCADE")
)
sa.Index("index_logged_model_metrics_model_id", logged_model_metrics.c.model_id)
alembic_version = sa.Table(
    "alembic_version",
    metadata,
    sa.Column("version_num", sa.String(32)),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
