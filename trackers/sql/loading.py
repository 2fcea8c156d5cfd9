"""Loads runs by their ids: as many statements for a thousand runs as for one."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from trackers.records import LoggedModel, Point, Run, Status, SweepFacts, TrialFacts, Value
from trackers.rows import PARENT_TAG, merged_params
from trackers.sql.functions import code_points
from trackers.sql.guard import Layout
from trackers.sql.model_rows import FLAVOR_TAG
from trackers.sql.model_tags import HISTORY_TAG, models_of_tag
from trackers.sql.own_schema import hpo_sweeps, hpo_trials
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


def _load_chunk(connection: sa.Connection, layout: Layout, ids: Sequence[str]) -> list[Run]:
    rows = {row.run_uuid: row for row in connection.execute(_heads().where(runs.c.run_uuid.in_(ids))).all()}
    texts, labels = _texts(connection, params, ids), _texts(connection, tags, ids)
    metrics = _metrics(connection, ids)
    trials = _trials(connection, ids) if layout.is_ours else {}
    sweeps = _sweeps(connection, ids) if layout.is_ours else {}
    models = _models(connection, ids) if layout.has("logged_models") and layout.has("logged_model_tags") else {}
    return [
        Run(
            id=run_id,
            name=row.name or "",
            experiment=row.experiment or "",
            status=Status(row.status),
            started=row.start_time,
            ended=row.end_time,
            artifact_uri=row.artifact_uri or "",
            parent_id=labels[run_id].get(PARENT_TAG),
            params=merged_params(texts[run_id], trials.get(run_id)),
            metrics=metrics[run_id],
            tags=labels[run_id],
            user=row.user_id or "",
            trial=trials.get(run_id),
            sweep=sweeps.get(run_id),
            deleted=None if row.lifecycle_stage == "active" else row.deleted_time or 0,
            models=models.get(run_id) or _tagged_models(row, labels[run_id], is_ours=run_id in trials),
        )
        for run_id in ids
        if (row := rows.get(run_id)) is not None
    ]


def _heads() -> sa.Select[Any]:
    return sa.select(
        runs.c.run_uuid,
        runs.c.name,
        runs.c.user_id,
        runs.c.status,
        runs.c.start_time,
        runs.c.end_time,
        runs.c.artifact_uri,
        runs.c.lifecycle_stage,
        runs.c.deleted_time,
        experiments.c.name.label("experiment"),
    ).select_from(runs.outerjoin(experiments, experiments.c.experiment_id == runs.c.experiment_id))


def _texts(connection: sa.Connection, table: sa.Table, ids: Sequence[str]) -> Mapping[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    statement = sa.select(table.c.run_uuid, table.c.key, table.c.value).where(table.c.run_uuid.in_(ids))
    for run_id, key, value in connection.execute(statement.order_by(table.c.run_uuid, code_points(table.c.key))).all():
        found[run_id][key] = value or ""
    return found


def _metrics(connection: sa.Connection, ids: Sequence[str]) -> Mapping[str, dict[str, float]]:
    table = latest_metrics
    found: dict[str, dict[str, float]] = defaultdict(dict)
    statement = sa.select(table.c.run_uuid, table.c.key, table.c.value, table.c.is_nan).where(table.c.run_uuid.in_(ids))
    ordered = statement.order_by(table.c.run_uuid, code_points(table.c.key))
    for run_id, key, value, is_nan in connection.execute(ordered).all():
        found[run_id][key] = float("nan") if is_nan else value
    return found


def _points(connection: sa.Connection, ids: Sequence[str], metric: str) -> Mapping[str, list[Point]]:
    table = metrics.c
    statement = sa.select(table.run_uuid, table.value, table.step, table.timestamp, table.is_nan)
    statement = statement.where(table.run_uuid.in_(ids), table.key == metric)
    found: dict[str, list[Point]] = defaultdict(list)
    ordered = statement.order_by(table.run_uuid, table.step, table.timestamp, table.value, table.is_nan)
    for run_id, value, step, timestamp, is_nan in connection.execute(ordered):
        found[run_id].append(Point(metric, float("nan") if is_nan else value, step, timestamp))
    return found


def _trials(connection: sa.Connection, ids: Sequence[str]) -> Mapping[str, TrialFacts]:
    rows = connection.execute(sa.select(hpo_trials).where(hpo_trials.c.run_uuid.in_(ids))).all()
    return {
        row.run_uuid: TrialFacts(
            number=row.number,
            params=_typed(row.params),
            state=row.state,
            attempt=row.attempt,
            seed=row.seed,
            value=row.value,
            reason=row.reason,
            error=row.error,
            traceback=row.traceback,
            seconds=row.seconds,
        )
        for row in rows
    }


def _typed(text: str) -> dict[str, Value]:
    params: dict[str, Value] = json.loads(text)
    return params


def _sweeps(connection: sa.Connection, ids: Sequence[str]) -> Mapping[str, SweepFacts]:
    rows = connection.execute(sa.select(hpo_sweeps).where(hpo_sweeps.c.run_uuid.in_(ids)))
    return {
        row.run_uuid: SweepFacts(
            config=row.config,
            config_hash=row.config_hash,
            metric=row.metric,
            goal=row.goal,
            seed=row.seed,
            window=row.window,
            n_trials=row.n_trials,
        )
        for row in rows
    }


def _tagged_models(row: sa.Row[Any], labels: Mapping[str, str], *, is_ours: bool) -> list[LoggedModel]:
    """The models of a run that was written before MLflow 3; of those MLflow wrote there is no manifest, so no path."""
    found = models_of_tag(labels.get(HISTORY_TAG, ""), row.artifact_uri or "")
    return found if is_ours else [replace(model, path="") for model in found]


def _models(connection: sa.Connection, ids: Sequence[str]) -> Mapping[str, list[LoggedModel]]:
    table, flavor = logged_models, logged_model_tags
    is_flavor = sa.and_(flavor.c.model_id == table.c.model_id, flavor.c.tag_key == FLAVOR_TAG)
    source = inputs.join(table, table.c.model_id == inputs.c.destination_id).outerjoin(flavor, is_flavor)
    statement = (
        sa.select(
            runs.c.run_uuid,
            runs.c.artifact_uri,
            table.c.model_id,
            table.c.name,
            table.c.artifact_location,
            flavor.c.tag_value,
        )
        .select_from(source.join(runs, runs.c.run_uuid == inputs.c.source_id))
        .where(
            inputs.c.source_type == "RUN_OUTPUT",
            inputs.c.destination_type == "MODEL_OUTPUT",
            inputs.c.source_id.in_(ids),
            table.c.lifecycle_stage == "active",
        )
    )
    found: dict[str, list[LoggedModel]] = defaultdict(list)
    for run_id, folder, model_id, name, place, kind in connection.execute(
        statement.order_by(table.c.name, table.c.model_id)
    ):
        below_run = f"{(folder or '').rstrip('/')}/"
        path = place.removeprefix(below_run) if place.startswith(below_run) else ""
        found[run_id].append(LoggedModel(model_id, name, path, kind or "", place))
    return found
