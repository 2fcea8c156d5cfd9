"""The tracker on MLflow's own tables: what it writes, every MLflow tool reads, and the other way round."""

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from trackers.checks import check_change, check_experiment, check_text
from trackers.errors import InvalidRecord, NotFound, StoreUnavailable
from trackers.records import Artifact, Change, Fence, Point, Query, Run, RunStarted
from trackers.rows import artifact_uri, below
from trackers.sql.answers import Answers
from trackers.sql.database import Database
from trackers.sql.functions import code_points
from trackers.sql.guard import WORKSPACE, Layout
from trackers.sql.known_runs import Known, KnownRuns
from trackers.sql.loading import chunks, load_runs
from trackers.sql.own_schema import hpo_artifacts, hpo_trials
from trackers.sql.query_limit import is_worded_by_a_user, too_slow
from trackers.sql.schema import experiments, metrics, runs, tags
from trackers.sql.search import Search, is_parent_key
from trackers.sql.where import Where
from trackers.sql.writer import Experiment, Writer
from trackers.tracker import Tracker

_TIDY_AT = 200
"""So many runs in, the planner's statistics are worth having."""
_TRIES = 3


class SqlTracker:
    """Runs in a tracking database.

    `artifacts` is the folder (a path or URI, made absolute by the caller) below which new experiments keep their files.
    `query_seconds` is how long a query may take that a user has worded.
    """

    def __init__(self, database: Database, artifacts: str, *, query_seconds: float = float("inf")) -> None:
        self._database = database
        self._query_seconds = query_seconds
        self._artifacts = artifacts
        self._experiments: dict[str, Experiment] = {}
        self._writer: Writer | None = None
        self._generation = -1
        self._started = 0
        self._search: Search | None = None
        self._answers = Answers(database.stamp)
        self._known = KnownRuns(database.stamp)

    def experiment(self, name: str, artifact_location: str | None = None) -> str:
        """The id of the experiment of that name, made if missing."""
        check_experiment(name)
        with self._database.read() as connection:
            found = self._find_experiment(connection, name)
        if found is None:
            found = self._database.repeat(lambda: self._found_or_made(name, artifact_location))
        self._experiments[name] = found
        return str(found[0])

    def record(self, changes: Sequence[Change], fence: Fence | None = None) -> None:
        """Writes all changes in order in one transaction, or none; on return they are durable."""
        for change in changes:
            check_change(change)
        with self._database.write_fast() as cursor:
            self._current_writer().write(cursor, changes, fence)
        before = self._started
        self._started += sum(isinstance(change, RunStarted) for change in changes)
        if before < _TIDY_AT <= self._started:
            self._tidy()

    def get(self, run_id: str) -> Run:
        """One run by its whole id, also a deleted one."""
        found = self._answer(run_id, lambda: self._loaded(run_id))
        if not found:
            raise self._no_run(run_id)
        return found[0]

    def find(self, query: Query) -> Sequence[Run]:
        """The runs that answer the query, in its order."""
        query = replace(query, order=tuple(query.order))
        if query.points_of is not None:  # there may be millions
            return self._found(query)
        if query.datasets or not self._database.read_only:
            return self._answer(query, lambda: self._found(query))
        return self._answer(query, lambda: self._known.through(lambda known: self._found(query, known)))

    def _answer(self, question: Hashable, ask: Callable[[], Sequence[Run]]) -> Sequence[Run]:
        """Who writes is always told anew; who only reads may ask the same many times."""
        return self._answers.to(question, ask) if self._database.read_only else ask()

    def _loaded(self, run_id: str) -> Sequence[Run]:
        layout = self._layout()
        with self._database.read() as connection:
            return load_runs(connection, layout, [run_id], datasets=True)

    def _found(self, query: Query, known: Known | None = None) -> Sequence[Run]:
        """The answer, with runs that are known already; those have neither points nor data sets."""
        layout = self._layout()
        known = known or Known()
        with self._database.read() as connection:
            ids = self._ids(connection, layout, query, known)
            of_memory = {run_id: run for run_id in ids if (run := known.runs.get(run_id)) is not None}
            new = [run_id for run_id in ids if run_id not in of_memory] if of_memory else ids
            read = load_runs(connection, layout, new, query.points_of, datasets=query.datasets)
        if not of_memory:
            return read
        of_memory |= {run.id: run for run in read}
        return [of_memory[run_id] for run_id in ids if run_id in of_memory]

    def _ids(self, connection: sa.Connection, layout: Layout, query: Query, known: Known) -> Sequence[str]:
        search = self._search
        if search is None or search.layout is not layout:
            search = self._search = Search(layout)
        if not is_worded_by_a_user(query):
            return search.ids(connection, query, known)
        try:
            with self._database.limited(connection, self._query_seconds):
                return search.ids(connection, query, known)
        except TimeoutError as error:
            raise too_slow(query, self._query_seconds, self._database.shown) from error

    def history(self, run_id: str, metric: str | None = None) -> Sequence[Point]:
        """Every recorded point of one metric, or of all, by metric, step, timestamp, value."""
        table = metrics.c
        statement = sa.select(table.key, table.value, table.step, table.timestamp, table.is_nan)
        statement = statement.where(table.run_uuid == run_id)
        if metric is not None:
            statement = statement.where(table.key == metric)
        statement = statement.order_by(code_points(table.key), table.step, table.timestamp, table.value, table.is_nan)
        with self._database.read() as connection:
            self._check_run(connection, run_id)
            rows = connection.execute(statement).all()
        return [Point(key, float("nan") if is_nan else value, step, at) for key, value, step, at, is_nan in rows]

    def artifacts(self, run_id: str) -> Sequence[Artifact]:
        """The manifest of the files the run keeps, by path; MLflow keeps none."""
        table = hpo_artifacts.c
        statement = sa.select(table.path, table.size, table.sha256).where(table.run_uuid == run_id)
        is_ours = self._layout().is_ours
        with self._database.read() as connection:
            self._check_run(connection, run_id)
            rows = connection.execute(statement.order_by(code_points(table.path))).all() if is_ours else []
        return [Artifact(path, size, sha256) for path, size, sha256 in rows]

    def counts(self, parents: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """For each parent run its children counted by trial state."""
        layout = self._layout()
        state = Where(layout).attribute("state")
        source: sa.FromClause = tags.join(runs, runs.c.run_uuid == tags.c.run_uuid)
        if layout.is_ours:
            source = source.outerjoin(hpo_trials, hpo_trials.c.run_uuid == runs.c.run_uuid)
        above = runs.alias("above")
        of_parent = sa.select(above.c.lifecycle_stage).where(above.c.run_uuid == tags.c.value).scalar_subquery()
        parents_stage = sa.func.coalesce(of_parent, "active")
        counted: dict[str, dict[str, int]] = {parent: {} for parent in parents}
        with self._database.read() as connection:
            for chunk in chunks(parents):
                statement = (
                    sa.select(tags.c.value, state.label("counted_state"), sa.func.count())
                    .select_from(source)
                    .where(is_parent_key(), tags.c.value.in_(chunk), runs.c.lifecycle_stage == parents_stage)
                    .group_by(tags.c.value, sa.text("counted_state"))  # a server does not see that two CASEs are one
                )
                for parent, name, count in connection.execute(statement):
                    counted[parent][name] = count
        return counted

    def close(self) -> None:
        """Leaves the statistics fresh, where anything was started here."""
        if self._started:
            self._started = 0
            self._tidy()

    def _tidy(self) -> None:
        with suppress(StoreUnavailable):  # everything is on record; statistics can wait for a better day
            self._database.tidy()

    def _layout(self) -> Layout:
        """What the database looks like; one without our tables may have got them from another process."""
        layout = self._database.layout()
        return layout if layout.is_ours else self._database.look_again()

    def _current_writer(self) -> Writer:
        if self._writer is None or self._generation != self._database.generation:
            logs_models = self._database.layout().has("logged_models")
            self._writer = Writer(self._database.dialect, self._experiment, logs_models=logs_models)
            self._generation = self._database.generation
            self._experiments = {}
        return self._writer

    def _experiment(self, name: str) -> Experiment:
        known = self._experiments.get(name)
        if known is None:
            with self._database.read() as connection:
                known = self._find_experiment(connection, name)
            if known is None:
                raise NotFound(f"no experiment {name!r} in {self._database.shown}")
            self._experiments[name] = known
        return known

    def _find_experiment(self, connection: sa.Connection, name: str) -> Experiment | None:
        statement = sa.select(
            experiments.c.experiment_id, experiments.c.artifact_location, experiments.c.lifecycle_stage
        ).where(experiments.c.name == name)
        if self._database.layout().has("experiments", "workspace"):
            statement = statement.where(sa.literal_column("workspace") == WORKSPACE)
        row = connection.execute(statement).first()
        if row is None:
            return None
        if row.lifecycle_stage == "deleted":
            raise InvalidRecord(
                f"experiment {name!r} is deleted in {self._database.shown}; use another name, or bring it back by: "
                f"mlflow experiments restore -x {row.experiment_id}"
            )
        return row.experiment_id, row.artifact_location or below(self._artifacts, str(row.experiment_id))

    def _found_or_made(self, name: str, location: str | None) -> Experiment:
        """Looks again first: another process may have made it meanwhile, or does so now."""
        for _ in range(_TRIES):
            with suppress(sa.exc.IntegrityError), self._database.write() as connection:
                return self._find_experiment(connection, name) or self._make(connection, name, location)
        raise StoreUnavailable(f"{self._database.shown}: others make experiment {name!r} all the time; try again")

    def _make(self, connection: sa.Connection, name: str, location: str | None) -> Experiment:
        now = int(time.time() * 1000)
        row: dict[str, Any] = {"name": name, "lifecycle_stage": "active", "creation_time": now, "last_update_time": now}
        fill = self._database.layout().fill("experiments")
        table = experiments if not fill else _with_columns(experiments, fill)
        made = connection.execute(table.insert().values(**row, **fill)).inserted_primary_key
        number = int(made[0]) if made else 0
        location = location or below(self._artifacts, str(number))
        check_text("an experiment's artifact location", location, 256)
        artifact_uri(location, "0" * 32, attempt=99)  # better now than at the first run
        connection.execute(
            experiments.update().where(experiments.c.experiment_id == number).values(artifact_location=location)
        )
        return number, location

    def _check_run(self, connection: sa.Connection, run_id: str) -> None:
        if connection.execute(sa.select(runs.c.run_uuid).where(runs.c.run_uuid == run_id)).first() is None:
            raise self._no_run(run_id)

    def _no_run(self, run_id: str) -> NotFound:
        return NotFound(f"no run {run_id!r} in {self._database.shown}; list them with: hpo ls")


def _with_columns(table: sa.Table, columns: Mapping[str, str]) -> sa.Table:
    """The table as a later MLflow has it."""
    later = table.to_metadata(sa.MetaData())
    for name in columns:
        later.append_column(sa.Column(name, sa.String(63)))
    return later


_: type[Tracker] = SqlTracker
