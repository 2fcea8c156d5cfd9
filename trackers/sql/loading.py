"""Loads runs by their ids: as many statements for a thousand runs as for one."""

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from trackers.errors import UnreadableRun
from trackers.records import LoggedModel, Point, Run, Status, SweepFacts, TrialFacts, Value
from trackers.rows import PARENT_TAG, merged_params
from trackers.sql.functions import code_points
from trackers.sql.guard import Layout
from trackers.sql.model_rows import FLAVOR_TAG
from trackers.sql.model_tags import HISTORY_TAG, models_of_tag
from trackers.sql.own_schema import hpo_sweeps, hpo_trials
from trackers.sql.prepared import IDS, Prepared
from trackers.sql.schema import (
    experiments,
    inputs,
    latest_metrics,
    logged_model_tags,
    logged_models,
    metrics,
    params,
    runs,
    tags,
)
from trackers.sql.used_data import data_of_runs

CHUNK = 5000
"""Ids in one statement; SQLite takes 32,766 bound values, PostgreSQL 65,535."""


def load_runs(
    connection: sa.Connection,
    layout: Layout,
    ids: Sequence[str],
    points_of: str | None = None,
    *,
    datasets: bool = False,
) -> list[Run]:
    """The runs of these ids, in their order, with all points of one metric and with their data sets if asked.

    Ids that are gone are left out.
    """
    found: list[Run] = []
    for chunk in chunks(ids):
        loaded = _load_chunk(connection, layout, chunk)
        points = _points(connection, chunk, points_of) if points_of is not None else {}
        data = data_of_runs(connection, chunk) if datasets else {}
        loaded = [replace(run, points=points[run.id]) if run.id in points else run for run in loaded]
        found += [replace(run, datasets=data[run.id]) if run.id in data else run for run in loaded]
    return found


def chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """The ids in pieces that fit into one statement."""
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


_Select = sa.Select[*tuple[Any, ...]]
# statements are made once: to make one takes longer than to have it answered


def _about(table: sa.Table, *columns: sa.ColumnElement[Any]) -> _Select:
    """Some columns of the rows of a table that belong to runs."""
    return sa.select(table.c.run_uuid, *columns).where(table.c.run_uuid.in_(IDS))


def _by_key(table: sa.Table, *columns: sa.ColumnElement[Any]) -> _Select:
    found = _about(table, table.c.key, table.c.value, *columns)
    return found.order_by(table.c.run_uuid, code_points(table.c.key))


def _of_models() -> _Select:
    table, flavor = logged_models.c, logged_model_tags.c
    is_flavor = sa.and_(flavor.model_id == table.model_id, flavor.tag_key == FLAVOR_TAG)
    source = inputs.join(logged_models, table.model_id == inputs.c.destination_id)
    source = source.outerjoin(logged_model_tags, is_flavor).join(runs, runs.c.run_uuid == inputs.c.source_id)
    own = (runs.c.run_uuid, runs.c.artifact_uri)
    found = sa.select(*own, table.model_id, table.name, table.artifact_location, flavor.tag_value).select_from(source)
    found = found.where(
        inputs.c.source_type == "RUN_OUTPUT",
        inputs.c.destination_type == "MODEL_OUTPUT",
        inputs.c.source_id.in_(IDS),
        table.lifecycle_stage == "active",
    )
    return found.order_by(table.name, table.model_id)


_HEADS = Prepared(
    _about(
        runs,
        runs.c.name,
        runs.c.user_id,
        runs.c.status,
        runs.c.start_time,
        runs.c.end_time,
        runs.c.artifact_uri,
        runs.c.lifecycle_stage,
        runs.c.deleted_time,
        experiments.c.name,
    ).select_from(runs.outerjoin(experiments, experiments.c.experiment_id == runs.c.experiment_id))
)
_PARAMS, _TAGS = Prepared(_by_key(params)), Prepared(_by_key(tags))
_METRICS = Prepared(_by_key(latest_metrics, latest_metrics.c.is_nan))
_POINTS = (
    _about(metrics, metrics.c.value, metrics.c.step, metrics.c.timestamp, metrics.c.is_nan)
    .where(metrics.c.key == sa.bindparam("metric"))
    .order_by(metrics.c.run_uuid, metrics.c.step, metrics.c.timestamp, metrics.c.value, metrics.c.is_nan)
)
# these two in the order of what is made of them
_TRIALS = Prepared(
    _about(
        hpo_trials,
        hpo_trials.c.number,
        hpo_trials.c.params,
        hpo_trials.c.state,
        hpo_trials.c.attempt,
        hpo_trials.c.seed,
        hpo_trials.c.value,
        hpo_trials.c.reason,
        hpo_trials.c.error,
        hpo_trials.c.traceback,
        hpo_trials.c.seconds,
    )
)
_SWEEPS = Prepared(
    _about(
        hpo_sweeps,
        hpo_sweeps.c.config,
        hpo_sweeps.c.config_hash,
        hpo_sweeps.c.metric,
        hpo_sweeps.c.goal,
        hpo_sweeps.c.seed,
        hpo_sweeps.c.window,
        hpo_sweeps.c.n_trials,
    )
)
_MODELS = Prepared(_of_models())


def _load_chunk(connection: sa.Connection, layout: Layout, ids: Sequence[str]) -> list[Run]:
    heads = {row[0]: row for row in _rows(connection, _HEADS, ids)}
    texts, labels = _texts(connection, _PARAMS, ids), _texts(connection, _TAGS, ids)
    values = _metrics(connection, ids)
    trials = _trials(connection, ids) if layout.is_ours else {}
    sweeps = _sweeps(connection, ids) if layout.is_ours else {}
    models = _models(connection, ids) if layout.has("logged_models") and layout.has("logged_model_tags") else {}
    loaded = []
    for run_id in ids:
        if run_id not in heads:
            continue
        _, name, user, status, started, ended, uri, stage, deleted, experiment = heads[run_id]
        trial, own = trials.get(run_id), labels[run_id]
        run = Run(
            id=run_id,
            name=name or "",
            experiment=experiment or "",
            status=_status(run_id, status),
            started=started,
            ended=ended,
            artifact_uri=uri or "",
            parent_id=own.get(PARENT_TAG),
            params=merged_params(texts[run_id], trial),
            metrics=values[run_id],
            tags=own,
            user=user or "",
            trial=trial,
            sweep=sweeps.get(run_id),
            deleted=None if stage == "active" else deleted or 0,
            models=models.get(run_id) or _tagged_models(own, uri or "", is_ours=trial is not None),
        )
        loaded.append(run)
    return loaded


def _rows(connection: sa.Connection, statement: Prepared, ids: Sequence[str]) -> Sequence[Sequence[Any]]:
    return statement.rows(connection, {"ids": ids})


def _texts(connection: sa.Connection, statement: Prepared, ids: Sequence[str]) -> Mapping[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for run_id, key, value in _rows(connection, statement, ids):
        found[run_id][key] = value or ""
    return found


def _metrics(connection: sa.Connection, ids: Sequence[str]) -> Mapping[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for run_id, key, value, is_nan in _rows(connection, _METRICS, ids):
        found[run_id][key] = math.nan if is_nan else value
    return found


def _points(connection: sa.Connection, ids: Sequence[str], metric: str) -> Mapping[str, list[Point]]:
    found: dict[str, list[Point]] = defaultdict(list)
    for run_id, value, step, timestamp, is_nan in connection.execute(_POINTS, {"ids": ids, "metric": metric}):
        found[run_id].append(Point(metric, math.nan if is_nan else value, step, timestamp))
    return found


def _trials(connection: sa.Connection, ids: Sequence[str]) -> Mapping[str, TrialFacts]:
    return {
        run_id: TrialFacts(number, _typed(run_id, texts), *more)
        for run_id, number, texts, *more in _rows(connection, _TRIALS, ids)
    }


def _typed(run_id: str, text: str) -> dict[str, Value]:
    try:
        params: Any = json.loads(text)
    except (ValueError, TypeError):
        params = None
    if not isinstance(params, dict):
        raise _unreadable(run_id, "hpo_trials.params", text, "a JSON object")
    return params


def _status(run_id: str, text: str) -> Status:
    try:
        return Status(text)
    except ValueError:
        raise _unreadable(run_id, "runs.status", text, f"one of {', '.join(Status)}") from None


def _unreadable(run_id: str, column: str, value: object, wanted: str) -> UnreadableRun:
    return UnreadableRun(
        f"run {run_id}: {column} holds {value!r:.100}, which is not {wanted}; no version of hpo or MLflow writes that: "
        "correct the row, or restore the database from a backup"
    )


def _sweeps(connection: sa.Connection, ids: Sequence[str]) -> Mapping[str, SweepFacts]:
    return {run_id: SweepFacts(*facts) for run_id, *facts in _rows(connection, _SWEEPS, ids)}


def _tagged_models(labels: Mapping[str, str], artifact_uri: str, *, is_ours: bool) -> Sequence[LoggedModel]:
    """The models of a run that was written before MLflow 3; of those MLflow wrote there is no manifest, so no path."""
    text = labels.get(HISTORY_TAG)
    found = models_of_tag(text, artifact_uri) if text else []
    return found if is_ours else [replace(model, path="") for model in found]


def _models(connection: sa.Connection, ids: Sequence[str]) -> Mapping[str, list[LoggedModel]]:
    found: dict[str, list[LoggedModel]] = defaultdict(list)
    for run_id, folder, model_id, name, place, kind in _rows(connection, _MODELS, ids):
        below_run = f"{(folder or '').rstrip('/')}/"
        path = place.removeprefix(below_run) if place.startswith(below_run) else ""
        found[run_id].append(LoggedModel(model_id, name, path, kind or "", place))
    return found
