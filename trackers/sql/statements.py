"""The SQL that writing runs takes, compiled once: a trial costs some twenty rows, and each must cost little.

Column lists are the order in which `trackers.sql.writer` gives the values.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from trackers.rows import PARENT_TAG
from trackers.sql import own_schema, schema
from trackers.sql.upserts import compiled, new_value, upsert, upsert_many

_METRIC = ("key", "value", "timestamp", "run_uuid", "step", "is_nan")
_LATEST = ("key", "value", "timestamp", "step", "is_nan", "run_uuid")
_MODEL = (
    "model_id", "experiment_id", "name", "artifact_location", "creation_timestamp_ms", "last_updated_timestamp_ms",
    "status", "lifecycle_stage", "source_run_id",
)  # fmt: skip
_MODEL_METRIC = (
    "model_id", "metric_name", "metric_timestamp_ms", "metric_step", "metric_value", "run_id", "experiment_id",
)  # fmt: skip
_RUN = (
    "run_uuid", "name", "source_type", "source_name", "entry_point_name", "user_id", "status", "start_time", "end_time",
    "source_version", "lifecycle_stage", "artifact_uri", "experiment_id",
)  # fmt: skip
_SWEEP = ("run_uuid", "config", "config_hash", "metric", "goal", "seed", "window", "n_trials")
_TRIAL = (
    "run_uuid", "sweep_uuid", "number", "state", "reason", "attempt", "params", "value", "seconds", "seed", "error",
    "traceback",
)  # fmt: skip
_AGE = ("step", "timestamp", "value")
_TRIAL_END = ("state", "reason", "value", "seconds", "error", "traceback")


@dataclass(frozen=True)
class Statements:
    """SQL texts for one dialect, their values by position; what `executemany` is meant for takes one row too."""

    run: str
    run_end: str
    run_name: str
    param: str
    tag: str
    tag_gone: str
    metric: str
    latest: str
    sweep: str
    trial: str
    trial_end: str
    owned: str
    find_name: str
    artifact: str
    artifact_gone: str
    artifacts_gone: str
    input: str
    model: str
    model_param: str
    model_tag: str
    model_metric: str
    model_unlinked: str
    model_gone: tuple[str, ...]
    find_run: str
    find_trial: str
    find_params: str
    find_tags: str
    find_latest: str


def compile_statements(dialect: sa.Dialect) -> Statements:
    """All of them for a dialect."""

    def put(table: sa.Table, columns: tuple[str, ...], *update: str) -> str:
        return upsert(dialect, table, columns, update=update)

    def put_many(table: sa.Table, columns: tuple[str, ...], *update: str) -> str:
        return upsert_many(dialect, table, columns, update=update)

    return Statements(
        run=_run(dialect),
        run_end=_run_end(dialect),
        run_name=_update(dialect, schema.runs, ("name",), ("run_uuid",)),
        param=put_many(schema.params, ("key", "value", "run_uuid"), "value"),
        tag=put_many(schema.tags, ("key", "value", "run_uuid"), "value"),
        tag_gone=_tag_gone(dialect),
        metric=put_many(schema.metrics, _METRIC),
        latest=upsert_many(
            dialect,
            schema.latest_metrics,
            _LATEST,
            update=("value", "timestamp", "step", "is_nan"),
            only=sa.tuple_(*map(new_value, _AGE)) > sa.tuple_(*(schema.latest_metrics.c[name] for name in _AGE)),
        ),
        sweep=put(own_schema.hpo_sweeps, _SWEEP, *_SWEEP[1:]),
        trial=_trial(dialect),
        trial_end=_update(dialect, own_schema.hpo_trials, _TRIAL_END, ("run_uuid", "attempt", "state")),
        owned=_owned(dialect),
        find_name=_find_name(dialect),
        artifact=put_many(own_schema.hpo_artifacts, ("run_uuid", "path", "size", "sha256"), "size", "sha256"),
        artifact_gone=_artifacts_gone(dialect, own_schema.hpo_artifacts.c.path == sa.bindparam("path"), "path"),
        artifacts_gone=_artifacts_gone(dialect, _starts_with_folder(), "length", "folder"),
        input=put(
            schema.inputs,
            ("input_uuid", "source_type", "source_id", "destination_type", "destination_id"),  # `step` is 0 of itself
        ),
        model=put(schema.logged_models, _MODEL, "name", "artifact_location", "last_updated_timestamp_ms"),
        model_param=put_many(
            schema.logged_model_params, ("model_id", "param_key", "param_value", "experiment_id"), "param_value"
        ),
        model_tag=put_many(
            schema.logged_model_tags, ("model_id", "tag_key", "tag_value", "experiment_id"), "tag_value"
        ),
        model_metric=put_many(schema.logged_model_metrics, _MODEL_METRIC, "metric_value"),
        model_unlinked=_model_unlinked(dialect),
        model_gone=tuple(
            compiled(dialect, table.delete().where(table.c.model_id == sa.bindparam("model")), ["model"])
            for table in (schema.logged_model_params, schema.logged_model_tags, schema.logged_model_metrics,
                          schema.logged_models)
        ),
        find_run=_find(dialect, schema.runs, ("experiment_id", "artifact_uri")),
        find_trial=_find(dialect, own_schema.hpo_trials, ("number", "attempt", *_TRIAL_END)),
        find_params=_find(dialect, schema.params, ("key", "value")),
        find_tags=_find(dialect, schema.tags, ("key", "value")),
        find_latest=_find(dialect, schema.latest_metrics, ("key", "timestamp", "step", "value", "is_nan")),
    )  # fmt: skip


def _run(dialect: sa.Dialect) -> str:
    # a run that begins again has not ended
    return upsert(dialect, schema.runs, _RUN, update=("name", "user_id", "status", "start_time", "end_time"))


def _run_end(dialect: sa.Dialect) -> str:
    """A clock that was set back in between makes no run end before it started."""
    runs = schema.runs
    ended = sa.case((runs.c.start_time > sa.bindparam("end"), runs.c.start_time), else_=sa.bindparam("new_end"))
    statement = runs.update().values(status=sa.bindparam("status"), end_time=ended)
    return compiled(
        dialect, statement.where(runs.c.run_uuid == sa.bindparam("run")), ["status", "end", "new_end", "run"]
    )


def _trial(dialect: sa.Dialect) -> str:
    """Only a later attempt, or the same one not yet ended, takes the row; else no row is written."""
    table = own_schema.hpo_trials
    update = ("state", "reason", "attempt", "params", "value", "seconds", "seed", "error", "traceback")
    return upsert(
        dialect,
        table,
        _TRIAL,
        update=update,
        only=sa.or_(
            new_value("attempt") > table.c.attempt,
            sa.and_(new_value("attempt") == table.c.attempt, sa.text("hpo_trials.state IN ('RUNNING', 'WAITING')")),
        ),
    )


def _owned(dialect: sa.Dialect) -> str:
    """Locks the row where the server has such locks; a transaction of ours on SQLite is alone from its first word."""
    table = own_schema.hpo_owners
    statement = sa.select(table.c.heartbeat).where(
        table.c.sweep_uuid == sa.bindparam("sweep"), table.c.token == sa.bindparam("token")
    )
    return compiled(dialect, statement.with_for_update(), ["sweep", "token"])


def _find_name(dialect: sa.Dialect) -> str:
    """A sweep of ours by name, other than one, neither deleted nor put below another run."""
    runs, sweeps, tags = schema.runs, own_schema.hpo_sweeps, schema.tags
    parents = sa.exists().where(tags.c.run_uuid == runs.c.run_uuid, tags.c.key == sa.literal_column(f"'{PARENT_TAG}'"))
    statement = sa.select(runs.c.run_uuid).select_from(sweeps.join(runs, runs.c.run_uuid == sweeps.c.run_uuid))
    statement = statement.where(
        runs.c.name == sa.bindparam("name"),
        runs.c.run_uuid != sa.bindparam("run"),
        runs.c.lifecycle_stage == sa.literal_column("'active'"),
        sa.not_(parents.correlate(runs)),
    )
    return compiled(dialect, statement, ["name", "run"])


def _update(dialect: sa.Dialect, table: sa.Table, columns: tuple[str, ...], keys: tuple[str, ...]) -> str:
    statement = table.update().values({column: sa.bindparam(f"new_{column}") for column in columns})
    statement = statement.where(*(table.c[key] == sa.bindparam(f"old_{key}") for key in keys))
    return compiled(dialect, statement, [*(f"new_{name}" for name in columns), *(f"old_{key}" for key in keys)])


def _find(dialect: sa.Dialect, table: sa.Table, columns: tuple[str, ...]) -> str:
    statement = sa.select(*(table.c[name] for name in columns))
    return compiled(dialect, statement.where(table.c["run_uuid"] == sa.bindparam("run_uuid")), ["run_uuid"])


def _model_unlinked(dialect: sa.Dialect) -> str:
    table = schema.inputs
    statement = table.delete().where(
        table.c.source_type == sa.literal_column("'RUN_OUTPUT'"),
        table.c.source_id == sa.bindparam("run"),
        table.c.destination_type == sa.literal_column("'MODEL_OUTPUT'"),
        table.c.destination_id == sa.bindparam("model"),
    )
    return compiled(dialect, statement, ["run", "model"])


def _tag_gone(dialect: sa.Dialect) -> str:
    tags = schema.tags
    statement = tags.delete().where(tags.c.run_uuid == sa.bindparam("run"), tags.c.key == sa.bindparam("key"))
    return compiled(dialect, statement, ["run", "key"])


def _artifacts_gone(dialect: sa.Dialect, condition: sa.ColumnElement[bool], *binds: str) -> str:
    table = own_schema.hpo_artifacts
    statement = table.delete().where(table.c.run_uuid == sa.bindparam("run"), condition)
    return compiled(dialect, statement, ["run", *binds])


def _starts_with_folder() -> sa.ColumnElement[bool]:
    path = own_schema.hpo_artifacts.c.path
    return sa.func.substr(path, sa.literal_column("1"), sa.bindparam("length")) == sa.bindparam("folder")
