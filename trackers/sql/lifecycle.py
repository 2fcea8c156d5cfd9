"""Deletes, restores and erases runs: MLflow's lifecycle stages, and in the end every row that belongs to a run."""

import sqlalchemy as sa

from trackers.errors import NameTaken, NotFound, Superseded
from trackers.records import RunDeleted, RunErased, RunErasing, RunRestored
from trackers.rows import ERASING_TAG
from trackers.sql import own_schema, schema
from trackers.sql.cursor import Cursor
from trackers.sql.model_rows import ModelWriter
from trackers.sql.statements import Statements
from trackers.sql.upserts import compiled
from trackers.sql.used_data import forgetting_inputs

LifecycleChange = RunDeleted | RunRestored | RunErasing | RunErased

_BY_RUN = (
    schema.metrics, schema.latest_metrics, schema.params, schema.tags,
    own_schema.hpo_trials, own_schema.hpo_sweeps, own_schema.hpo_artifacts,
)  # fmt: skip


class Lifecycle:
    """Writes these changes through a cursor; all begin by locking the run's row, where the server has such locks."""

    def __init__(self, dialect: sa.Dialect, statements: Statements, *, logs_models: bool) -> None:
        self._sql = statements
        self._logs_models = logs_models
        runs, owned = schema.runs, sa.bindparam("run", type_=sa.String())
        stage = sa.select(runs.c.lifecycle_stage, runs.c.name, runs.c.artifact_uri).where(runs.c.run_uuid == owned)
        self._find = compiled(dialect, stage.with_for_update(), ["run"])
        self._delete = _set(dialect, ("lifecycle_stage", "deleted_time"))
        self._find_sweep = _by_run(dialect, sa.select(own_schema.hpo_sweeps.c.run_uuid), own_schema.hpo_sweeps)
        metrics_of_models = schema.logged_model_metrics
        self._model_metrics_gone = _by_run(dialect, metrics_of_models.delete(), metrics_of_models, "run_id")
        self._find_models = compiled(dialect, _models_of(owned), ["run"])
        self._gone = (
            *(_by_run(dialect, table.delete(), table) for table in _BY_RUN),
            *(compiled(dialect, statement, ["run"]) for statement in forgetting_inputs(owned)),
            _by_run(dialect, own_schema.hpo_mirrored.delete(), own_schema.hpo_mirrored, "key"),
            _by_run(dialect, runs.delete(), runs),
        )

    def write(self, cursor: Cursor, change: LifecycleChange) -> None:
        """One change; what it raises is to undo the transaction."""
        cursor.execute(self._find, (change.run_id,))
        found = cursor.fetchone()
        if found is None:
            if isinstance(change, RunErased):
                return
            raise NotFound(f"no run {change.run_id!r}")
        stage, name, artifact_uri = found
        if isinstance(change, RunDeleted):
            if stage == "active":
                cursor.execute(self._delete, ("deleted", change.deleted, change.run_id))
        elif isinstance(change, RunRestored):
            if stage != "active":
                self._restore(cursor, change.run_id, str(name))
        elif isinstance(change, RunErasing):
            if stage == "active":
                raise Superseded(f"run {change.run_id} is not deleted, so it stays with its files")
            cursor.execute(self._sql.tag, (ERASING_TAG, "true", change.run_id))
        else:
            self._erase(cursor, change.run_id, str(stage), str(artifact_uri))

    def _restore(self, cursor: Cursor, run_id: str, name: str) -> None:
        if self._is_erasing(cursor, run_id):
            raise Superseded(f"run {run_id} cannot be restored: its files were removed by hpo gc, or part of them")
        cursor.execute(self._find_sweep, (run_id,))
        if cursor.fetchone() is not None:
            cursor.execute(self._sql.find_name, (name, run_id))
            other = cursor.fetchone()
            if other is not None:
                raise NameTaken(f"sweep {name!r} is run {other[0]} by now")
        cursor.execute(self._delete, ("active", None, run_id))

    def _erase(self, cursor: Cursor, run_id: str, stage: str, artifact_uri: str) -> None:
        if stage == "active" or not self._is_erasing(cursor, run_id):
            raise Superseded(f"run {run_id} was restored meanwhile, so it stays")
        self.erase_models(cursor, run_id, below=f"{artifact_uri.rstrip('/')}/")
        for statement in self._gone:
            cursor.execute(statement, (run_id,))

    def erase_models(self, cursor: Cursor, run_id: str, *, below: str) -> None:
        """Removes the models of a run that lie below this URI, and what it measured of any."""
        if not self._logs_models:
            return
        cursor.execute(self._find_models, (run_id,))
        own = [str(model) for model, place in cursor.fetchall() if str(place).startswith(below)]
        ModelWriter(self._sql).remove(cursor, run_id, own)
        cursor.execute(self._model_metrics_gone, (run_id,))

    def _is_erasing(self, cursor: Cursor, run_id: str) -> bool:
        cursor.execute(self._sql.find_tags, (run_id,))
        return any(key == ERASING_TAG for key, _ in cursor.fetchall())


def _set(dialect: sa.Dialect, columns: tuple[str, ...]) -> str:
    statement = schema.runs.update().values({name: sa.bindparam(f"new_{name}") for name in columns})
    statement = statement.where(schema.runs.c.run_uuid == sa.bindparam("run"))
    return compiled(dialect, statement, [*(f"new_{name}" for name in columns), "run"])


def _by_run(
    dialect: sa.Dialect, statement: sa.Select[tuple[str]] | sa.Delete, table: sa.Table, column: str = "run_uuid"
) -> str:
    return compiled(dialect, statement.where(table.c[column] == sa.bindparam("run")), ["run"])


def _models_of(run: sa.BindParameter[str]) -> sa.Select[tuple[str, str]]:
    """The models that are an output of the run; MLflow keeps its own ones outside of the run's folder."""
    models, inputs = schema.logged_models, schema.inputs
    joined = inputs.join(models, models.c.model_id == inputs.c.destination_id)
    return (
        sa.select(models.c.model_id, models.c.artifact_location)
        .select_from(joined)
        .where(
            inputs.c.source_type == sa.literal_column("'RUN_OUTPUT'"),
            inputs.c.source_id == run,
            inputs.c.destination_type == sa.literal_column("'MODEL_OUTPUT'"),
        )
    )
