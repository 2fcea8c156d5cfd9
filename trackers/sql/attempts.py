"""What a run loses when a later attempt of its trial begins: a run holds what one attempt made, and no mix."""

from collections.abc import Sequence
from typing import Any, Protocol

import sqlalchemy as sa

from trackers.rows import attempt_uri
from trackers.sql import own_schema, schema
from trackers.sql.upserts import compiled
from trackers.sql.used_data import forgetting_inputs

_MADE = (schema.metrics, schema.latest_metrics, own_schema.hpo_artifacts)
"""Tables with what an attempt made; tags and params may be a person's, and stay."""


class _Cursor(Protocol):
    """What is used of a cursor."""

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> object: ...
    def fetchone(self) -> Any: ...


class EarlierAttempts:
    """Takes away the points, the data sets and the manifest of earlier attempts."""

    def __init__(self, dialect: sa.Dialect) -> None:
        trials, runs = own_schema.hpo_trials, schema.runs
        run = sa.bindparam("run", type_=sa.String())
        attempt = sa.bindparam("attempt", type_=sa.Integer())
        found = sa.select(runs.c.artifact_uri).join(trials, trials.c.run_uuid == runs.c.run_uuid)
        found = found.where(trials.c.run_uuid == run, trials.c.attempt < attempt)
        placed = runs.update().values(artifact_uri=sa.bindparam("uri")).where(runs.c.run_uuid == run)
        self._find = compiled(dialect, found, ["run", "attempt"])
        gone = [*(table.delete().where(table.c.run_uuid == run) for table in _MADE), *forgetting_inputs(run)]
        self._gone = [compiled(dialect, statement, ["run"]) for statement in gone]
        self._place = compiled(dialect, placed, ["uri", "run"])

    def clear(self, cursor: _Cursor, run_id: str, attempt: int) -> str:
        """Makes room for an attempt later than the one on record, with an artifact folder of its own.

        The URI of the folder there was, '' where there is no earlier attempt.
        """
        cursor.execute(self._find, (run_id, attempt))
        found = cursor.fetchone()
        if found is None:
            return ""
        for statement in self._gone:
            cursor.execute(statement, (run_id,))
        before = str(found[0])
        cursor.execute(self._place, (attempt_uri(before, attempt), run_id))
        return before
