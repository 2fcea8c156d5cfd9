"""Writes the models a run keeps as MLflow's logged models, with the lineage its pages show."""

import time
import uuid
from collections.abc import Sequence

from trackers.records import LoggedModel
from trackers.rows import USER_TAG, below
from trackers.sql.cursor import Cursor
from trackers.sql.statements import Statements

FLAVOR_TAG = "hpo.flavor"
READY = 2
"""MLflow's number for a logged model that is complete."""

_SOURCE_TAGS = "mlflow.source."


class ModelWriter:
    """Writes and removes logged models; what a model says of its run is copied from the run's rows."""

    def __init__(self, statements: Statements) -> None:
        self._sql = statements

    def put(self, cursor: Cursor, run_id: str, models: Sequence[LoggedModel]) -> None:
        """Links models that are whole to the run that made them; the run exists."""
        if not models:
            return
        [(experiment_id, uri)] = self._rows(cursor, self._sql.find_run, run_id)
        params = self._rows(cursor, self._sql.find_params, run_id)
        tags = [
            (key, text)
            for key, text in self._rows(cursor, self._sql.find_tags, run_id)
            if key == USER_TAG or str(key).startswith(_SOURCE_TAGS)
        ]
        metrics = self._rows(cursor, self._sql.find_latest, run_id)
        now = int(time.time() * 1000)
        for model in models:
            own, place = model.model_id, below(str(uri), model.path)
            cursor.execute(self._sql.model, (own, experiment_id, model.name, place, now, now, READY, "active", run_id))
            cursor.execute(self._sql.input, (uuid.uuid4().hex, "RUN_OUTPUT", run_id, "MODEL_OUTPUT", own))
            texts = [*tags, (FLAVOR_TAG, model.flavor)]
            cursor.executemany(self._sql.model_tag, [(own, key, text, experiment_id) for key, text in texts])
            cursor.executemany(self._sql.model_param, [(own, key, text, experiment_id) for key, text in params])
            cursor.executemany(
                self._sql.model_metric,
                [
                    (own, key, at, step, value, run_id, experiment_id)
                    for key, at, step, value, is_nan in metrics
                    if not is_nan
                ],
            )

    def remove(self, cursor: Cursor, run_id: str, model_ids: Sequence[str]) -> None:
        """Forgets models of this run; ids it does not have are left alone."""
        for model_id in model_ids:
            cursor.execute(self._sql.model_unlinked, (run_id, model_id))
            if cursor.rowcount:
                for statement in self._sql.model_gone:
                    cursor.execute(statement, (model_id,))

    def _rows(self, cursor: Cursor, select: str, run_id: str) -> Sequence[Sequence[object]]:
        cursor.execute(select, (run_id,))
        rows: Sequence[Sequence[object]] = cursor.fetchall()
        return rows
