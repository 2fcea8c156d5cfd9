"""The outbox of a tracking database: parcels from MLflow's tables and ours, marks in `hpo_mirrored`."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy as sa

from trackers.errors import NotFound
from trackers.outbox import Mark, Outbox, Parcel
from trackers.records import Artifact, Point
from trackers.sql.database import Database
from trackers.sql.loading import chunks, load_runs
from trackers.sql.own_schema import hpo_artifacts, hpo_mirrored, hpo_trials
from trackers.sql.schema import metrics, runs
from trackers.sql.upserts import insert
from trackers.sql.used_data import data_of_runs

POINTS = 20_000
"""Points read at a time."""

_marks, _trials = hpo_mirrored.c, hpo_trials.c


class SqlOutbox:
    """Reads everything in short transactions: a mirror is slow, and must not keep the log of a SQLite file from
    being copied back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sweep(self, sweep_id: str) -> Parcel:
        """See `Outbox`."""
        with self._database.read() as connection:
            found = self._parcels(connection, [sweep_id])
        if not found:
            raise NotFound(f"no run {sweep_id!r} in {self._database.shown}; list them with: hpo ls")
        return found[0]

    def trials(self, sweep_id: str, first: int, limit: int) -> Sequence[Parcel]:
        """See `Outbox`."""
        if not self._database.layout().is_ours:
            return []
        statement = _ids().where(_trials.sweep_uuid == sweep_id, _trials.number >= first)
        with self._database.read() as connection:
            ids = connection.execute(statement.limit(limit)).scalars().all()
            return self._parcels(connection, ids)

    def again(self, trial_ids: Sequence[str]) -> Sequence[Parcel]:
        """See `Outbox`."""
        if not trial_ids or not self._database.layout().is_ours:
            return []
        ids: list[str] = []
        with self._database.read() as connection:
            for chunk in chunks(trial_ids):
                ids += connection.execute(_ids().where(_trials.sweep_uuid.in_(chunk))).scalars()
            return self._parcels(connection, ids)

    def points(self, run_id: str) -> Iterator[Sequence[Point]]:
        """See `Outbox`."""
        table = metrics.c
        order = (table.key, table.timestamp, table.step, table.value, table.is_nan)
        statement = sa.select(*order).where(table.run_uuid == run_id).order_by(*order).limit(POINTS)
        after: sa.ColumnElement[bool] = sa.true()
        while True:
            with self._database.read() as connection:
                rows = connection.execute(statement.where(after)).all()
            if rows:
                yield [Point(key, float("nan") if nan else value, step, at) for key, at, step, value, nan in rows]
            if len(rows) < POINTS:
                return
            after = sa.tuple_(*order) > sa.tuple_(*rows[-1])

    def marks(self, mirror: str, kind: str, keys: Sequence[str]) -> Mapping[str, Mark]:
        """See `Outbox`."""
        if not self._database.layout().has(hpo_mirrored.name) and not self._database.look_again().has("hpo_mirrored"):
            return {}
        found: dict[str, Mark] = {}
        with self._database.read() as connection:
            for chunk in chunks(keys):
                statement = sa.select(_marks.key, _marks.remote, _marks.sent).where(
                    _marks.mirror == mirror, _marks.kind == kind, _marks.key.in_(chunk)
                )
                for key, remote, sent in connection.execute(statement):
                    found[key] = Mark(kind, key, remote, sent)
        return found

    def note(self, mirror: str, marks: Sequence[Mark]) -> None:
        """See `Outbox`."""
        if not marks:
            return
        statement = insert(self._database.dialect, hpo_mirrored)
        new = statement.excluded
        upsert = statement.on_conflict_do_update(
            index_elements=list(hpo_mirrored.primary_key.columns), set_={"remote": new.remote, "sent": new.sent}
        )
        rows = [{"mirror": mirror, **vars(mark)} for mark in marks]
        with self._database.write() as connection:
            connection.execute(upsert, rows)

    def _parcels(self, connection: sa.Connection, ids: Sequence[str]) -> list[Parcel]:
        if not ids:
            return []
        files, data = _files(connection, ids), data_of_runs(connection, ids)
        counts, deleted = _counts(connection, ids), _deleted(connection, ids)
        return [
            Parcel(run, run.id in deleted, counts.get(run.id, 0), files.get(run.id, []), data.get(run.id, []))
            for run in load_runs(connection, self._database.layout(), ids)
        ]


def _ids() -> sa.Select[str]:
    """The ids of runs that are trials: MLflow's gc leaves our row behind."""
    there = hpo_trials.join(runs, runs.c.run_uuid == _trials.run_uuid)
    return sa.select(_trials.run_uuid).select_from(there).order_by(_trials.sweep_uuid, _trials.number)


def _files(connection: sa.Connection, ids: Sequence[str]) -> Mapping[str, list[Artifact]]:
    table, found = hpo_artifacts.c, defaultdict[str, list[Artifact]](list)
    statement = sa.select(table.run_uuid, table.path, table.size, table.sha256).where(table.run_uuid.in_(ids))
    for run_id, path, size, sha256 in connection.execute(statement.order_by(table.run_uuid, table.path)):
        found[run_id].append(Artifact(path, size, sha256))
    return found


def _counts(connection: sa.Connection, ids: Sequence[str]) -> Mapping[str, int]:
    table = metrics.c
    statement = sa.select(table.run_uuid, sa.func.count()).where(table.run_uuid.in_(ids)).group_by(table.run_uuid)
    return {row[0]: row[1] for row in connection.execute(statement)}


def _deleted(connection: sa.Connection, ids: Sequence[str]) -> set[str]:
    statement = sa.select(runs.c.run_uuid).where(runs.c.run_uuid.in_(ids), runs.c.lifecycle_stage == "deleted")
    return set(connection.execute(statement).scalars())


_: type[Outbox] = SqlOutbox
