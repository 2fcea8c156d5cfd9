"""Writes changes to runs, as rows of MLflow's tables and ours, through a bare cursor inside one transaction.

MLflow may write the same runs at the same time (a worker with autologging), so every row is an upsert.
"""

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from trackers.errors import FencedOff, InvalidRecord, NameTaken, NotFound, Superseded
from trackers.records import (
    Artifact,
    Change,
    Fence,
    Point,
    RunEnded,
    RunStarted,
    RunUpdated,
    SweepFacts,
    TrialFacts,
)
from trackers.rows import (
    NAME_TAG,
    artifact_uri,
    latest,
    metric_row,
    params_json,
    run_tags,
    status_at_start,
    text_of,
    visible,
)
from trackers.sql.attempts import EarlierAttempts
from trackers.sql.cursor import Cursor
from trackers.sql.lifecycle import Lifecycle
from trackers.sql.model_rows import ModelWriter
from trackers.sql.model_tags import ModelTagWriter
from trackers.sql.statements import compile_statements
from trackers.sql.used_data import DataWriter

Experiment = tuple[int, str]
"""An experiment's id and artifact location."""


class Writer:
    """Writes changes; `experiment_of` finds an experiment by name or raises NotFound.

    `logs_models`: the database has tables for logged models, as those of MLflow 3 have.
    """

    def __init__(
        self, dialect: sa.Dialect, experiment_of: Callable[[str], Experiment], *, logs_models: bool = True
    ) -> None:
        self._sql = compile_statements(dialect)
        self._models = ModelWriter(self._sql) if logs_models else ModelTagWriter(self._sql)
        self._lifecycle = Lifecycle(dialect, self._sql, logs_models=logs_models)
        self._attempts = EarlierAttempts(dialect)
        self._data = DataWriter(dialect)
        self._experiment_of = experiment_of

    def write(self, cursor: Cursor, changes: Sequence[Change], fence: Fence | None = None) -> None:
        """All changes in order, if the fence holds; what it raises is to undo the transaction."""
        if fence is not None:
            self._check_fence(cursor, fence)
        met: set[str] = set()
        for change in changes:
            if change.run_id in met:
                cursor.settle()  # what was put off looks at the run as it is now
            met.add(change.run_id)
            if isinstance(change, RunStarted):
                self._start(cursor, change)
            elif isinstance(change, RunUpdated):
                self._update(cursor, change)
            elif isinstance(change, RunEnded):
                self._end(cursor, change)
            else:
                self._lifecycle.write(cursor, change)

    def _check_fence(self, cursor: Cursor, fence: Fence) -> None:
        def fenced_off() -> None:
            raise FencedOff(f"sweep {fence.sweep_id} is driven by somebody else by now; late changes were refused")

        cursor.execute(self._sql.owned, (fence.sweep_id, fence.token))
        cursor.unless_found(fenced_off)

    def _start(self, cursor: Cursor, change: RunStarted) -> None:
        if change.new_name:
            self._check_name(cursor, change)
        experiment_id, location = self._experiment_of(change.experiment)
        run_id = change.run_id
        attempt = change.trial.attempt if change.trial else 1
        uri = artifact_uri(location, run_id, attempt)
        if attempt > 1:
            self._clear_earlier(cursor, run_id, attempt)
        status = status_at_start(change).value
        cursor.execute(
            self._sql.run,
            (run_id, change.name, "UNKNOWN", "", "", change.user, status, change.started, None, "", "active", uri,
             experiment_id),
        )  # fmt: skip
        if change.trial is not None:
            self._start_trial(cursor, change, change.trial)
        if change.sweep is not None:
            cursor.execute(self._sql.sweep, _sweep_row(run_id, change.sweep))
        self._params(cursor, change)
        cursor.executemany(self._sql.tag, [(key, text, run_id) for key, text in run_tags(change).items()])
        self._read(cursor, change)

    def _clear_earlier(self, cursor: Cursor, run_id: str, attempt: int) -> None:
        before = self._attempts.clear(cursor, run_id, attempt)
        if before:
            self._lifecycle.erase_models(cursor, run_id, below=f"{before.rstrip('/')}/")

    def _check_name(self, cursor: Cursor, change: RunStarted) -> None:
        cursor.alone(f"tracked-hpo: sweep {change.name}")
        cursor.execute(self._sql.find_name, (change.name, change.run_id))
        other = cursor.fetchone()
        if other is not None:
            raise NameTaken(f"sweep {change.name!r} is run {other[0]} already")

    def _start_trial(self, cursor: Cursor, change: RunStarted, trial: TrialFacts) -> None:
        def taken() -> Exception:
            return Superseded(f"trial {trial.number} of sweep {change.parent_id} is another run already")

        def known_already() -> None:
            known = self._trial(cursor, change.run_id)
            raise Superseded(f"trial {trial.number} (run {change.run_id}) is {known[2]} in attempt {known[1]} already")

        try:
            cursor.execute(self._sql.trial, _trial_row(change, trial))
        except Exception as error:
            if type(error).__name__ != "IntegrityError":  # each driver has its own
                raise
            raise taken() from error
        cursor.unless_changed(known_already, taken)

    def _update(self, cursor: Cursor, change: RunUpdated) -> None:
        cursor.execute(self._sql.find_run, (change.run_id,))
        cursor.unless_found(lambda: self._no_run(change.run_id))
        self._read(cursor, change)
        self._params(cursor, change)
        self._add(cursor, change)
        self._models.put(cursor, change.run_id, change.models)
        for path in change.removed_artifacts:
            cursor.execute(self._sql.artifact_gone, (change.run_id, path))
            if path.endswith("/"):
                cursor.execute(self._sql.artifacts_gone, (change.run_id, len(path), path))
        self._models.remove(cursor, change.run_id, change.removed_models)
        for key in change.removed_tags:
            cursor.execute(self._sql.tag_gone, (change.run_id, key))

    def _end(self, cursor: Cursor, change: RunEnded) -> None:
        if change.trial is not None:
            self._end_trial(cursor, change, change.trial)
        else:
            self._check_no_trial(cursor, change.run_id)
        cursor.execute(self._sql.run_end, (change.status.value, change.ended, change.ended, change.run_id))
        cursor.unless_changed(lambda: self._no_run(change.run_id))
        self._read(cursor, change)
        self._add(cursor, change)
        self._models.put(cursor, change.run_id, change.models)

    def _end_trial(self, cursor: Cursor, change: RunEnded, trial: TrialFacts) -> None:
        end = (
            trial.state,
            trial.reason,
            None if trial.value is None else float(trial.value),
            None if trial.seconds is None else float(trial.seconds),
            visible(trial.error),
            visible(trial.traceback),
        )

        def late() -> None:
            number, attempt, *known = self._trial(cursor, change.run_id)
            if attempt != trial.attempt or tuple(known) != end:
                raise Superseded(
                    f"trial {number} (run {change.run_id}) is {known[0]} in attempt {attempt}; "
                    f"the late end of attempt {trial.attempt} was refused"
                )

        cursor.execute(self._sql.trial_end, (*end, change.run_id, trial.attempt, "RUNNING"))
        cursor.unless_changed(late)

    def _read(self, cursor: Cursor, change: RunStarted | RunUpdated | RunEnded) -> None:
        for data in change.datasets:
            self._data.put(cursor, change.run_id, data)

    def _add(self, cursor: Cursor, change: RunUpdated | RunEnded) -> None:
        run_id = change.run_id
        self._points(cursor, run_id, change.points)
        if change.tags:
            cursor.executemany(self._sql.tag, [(key, text, run_id) for key, text in change.tags.items()])
            if NAME_TAG in change.tags:
                cursor.execute(self._sql.run_name, (change.tags[NAME_TAG], run_id))
        if change.artifacts:
            cursor.executemany(self._sql.artifact, [_artifact_row(run_id, kept) for kept in change.artifacts])

    def _points(self, cursor: Cursor, run_id: str, points: Sequence[Point]) -> None:
        if not points:
            return
        rows = [metric_row(point) for point in points]
        cursor.executemany(
            self._sql.metric, [(row.key, row.value, row.timestamp, run_id, row.step, row.is_nan) for row in rows]
        )
        cursor.executemany(
            self._sql.latest,
            [(row.key, row.value, row.timestamp, row.step, row.is_nan, run_id) for row in latest(rows).values()],
        )

    def _params(self, cursor: Cursor, change: RunStarted | RunUpdated) -> None:
        if change.params:
            cursor.executemany(
                self._sql.param, [(key, text_of(value), change.run_id) for key, value in change.params.items()]
            )

    def _run(self, cursor: Cursor, run_id: str) -> int:
        cursor.execute(self._sql.find_run, (run_id,))
        found = cursor.fetchone()
        if found is None:
            self._no_run(run_id)
        return int(found[0])

    def _no_run(self, run_id: str) -> None:
        raise NotFound(f"no run {run_id!r}")

    def _trial(self, cursor: Cursor, run_id: str) -> Sequence[object]:
        cursor.execute(self._sql.find_trial, (run_id,))
        found: Sequence[object] | None = cursor.fetchone()
        if found is None:
            self._run(cursor, run_id)
            raise NotFound(f"run {run_id} is no trial")
        return found

    def _check_no_trial(self, cursor: Cursor, run_id: str) -> None:
        cursor.execute(self._sql.find_trial, (run_id,))
        trial = cursor.fetchone()
        if trial is not None:
            raise InvalidRecord(f"run {run_id} is trial {trial[0]}; it ends with its trial's facts only")


def _sweep_row(run_id: str, sweep: SweepFacts) -> tuple[object, ...]:
    return (
        run_id, sweep.config, sweep.config_hash, sweep.metric, sweep.goal, sweep.seed, sweep.window, sweep.n_trials,
    )  # fmt: skip


def _trial_row(change: RunStarted, trial: TrialFacts) -> tuple[object, ...]:
    return (
        change.run_id,
        change.parent_id,
        trial.number,
        trial.state,
        trial.reason,
        trial.attempt,
        params_json(trial.params),
        trial.value,
        trial.seconds,
        trial.seed,
        visible(trial.error),
        visible(trial.traceback),
    )


def _artifact_row(run_id: str, artifact: Artifact) -> tuple[object, ...]:
    return run_id, artifact.path, artifact.size, artifact.sha256
