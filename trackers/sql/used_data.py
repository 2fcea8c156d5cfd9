"""The data sets that runs read, as rows: MLflow links them to runs in `inputs`, with the context in `input_tags`."""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from trackers.records import Dataset
from trackers.rows import CONTEXT_TAG
from trackers.sql.cursor import Cursor
from trackers.sql.schema import datasets, input_tags, inputs, runs
from trackers.sql.upserts import compiled, insert


def _of_runs() -> sa.Select[*tuple[Any, ...]]:
    table, used, context = datasets.c, inputs.c, input_tags.c
    is_context = sa.and_(context.input_uuid == used.input_uuid, context.name == CONTEXT_TAG)
    source = inputs.join(datasets, table.dataset_uuid == used.source_id).outerjoin(input_tags, is_context)
    columns = (table.name, table.digest, table.dataset_source_type, table.dataset_source, table.dataset_schema)
    found = sa.select(used.destination_id, *columns, table.dataset_profile, context.value).select_from(source)
    ids = sa.bindparam("ids", type_=sa.String(), expanding=True)
    return found.where(used.source_type == "DATASET", used.destination_type == "RUN", used.destination_id.in_(ids))


_OF_RUNS = _of_runs()


def data_of_runs(connection: sa.Connection, ids: Sequence[str]) -> Mapping[str, list[Dataset]]:
    """The data sets of runs, by name and digest; runs that read none are left out."""
    found = defaultdict[str, list[Dataset]](list)
    for run_id, name, digest, kind, place, schema, profile, value in connection.execute(_OF_RUNS, {"ids": ids}):
        found[run_id].append(Dataset(name, digest, kind, place, schema, profile, value or ""))
    for read in found.values():
        read.sort(key=lambda data: (data.name, data.digest))  # servers have orders of their own for texts
    return found


class DataWriter:
    """Records what runs read. No statement waits for the answer of another: a server is far away."""

    def __init__(self, dialect: sa.Dialect) -> None:
        self._data = _new_data(dialect)
        self._input = _new_input(dialect)
        self._context = _new_context(dialect)

    def put(self, cursor: Cursor, run_id: str, data: Dataset) -> None:
        """A data set of a run that is there; what is on record of it, and its first context, stay, as in MLflow."""
        described = (data.source_type, data.source, data.schema, data.profile)
        cursor.execute(self._data, (uuid.uuid4().hex, data.name, data.digest, *described, run_id))
        input_id = uuid.uuid4().hex
        cursor.execute(self._input, (input_id, run_id, data.name, data.digest))
        cursor.execute(self._context, (CONTEXT_TAG, data.context, input_id))


def _new_data(dialect: sa.Dialect) -> str:
    columns = ("name", "digest", "dataset_source_type", "dataset_source", "dataset_schema", "dataset_profile")
    given = [_text("dataset_uuid"), runs.c.experiment_id, *map(_text, columns)]
    found = sa.select(*given).where(runs.c.run_uuid == _text("run"))
    statement = insert(dialect, datasets).from_select(["dataset_uuid", "experiment_id", *columns], found)
    return compiled(dialect, statement.on_conflict_do_nothing(), ["dataset_uuid", *columns, "run"])


def _new_input(dialect: sa.Dialect) -> str:
    """A row that is there already is left alone, so that of its id there is none."""
    columns = ("input_uuid", "source_type", "source_id", "destination_type", "destination_id")
    source, destination = (sa.literal_column(f"'{kind}'", sa.String()) for kind in ("DATASET", "RUN"))
    found = sa.select(_text("input"), source, datasets.c.dataset_uuid, destination, runs.c.run_uuid)
    found = found.select_from(datasets.join(runs, runs.c.experiment_id == datasets.c.experiment_id))
    found = found.where(
        runs.c.run_uuid == _text("run"), datasets.c.name == _text("name"), datasets.c.digest == _text("digest")
    )
    statement = insert(dialect, inputs).from_select(list(columns), found)
    return compiled(dialect, statement.on_conflict_do_nothing(), ["input", "run", "name", "digest"])


def _new_context(dialect: sa.Dialect) -> str:
    found = sa.select(inputs.c.input_uuid, _text("key"), _text("value")).where(inputs.c.input_uuid == _text("input"))
    statement = insert(dialect, input_tags).from_select(["input_uuid", "name", "value"], found)
    return compiled(dialect, statement.on_conflict_do_nothing(), ["key", "value", "input"])


def _text(name: str) -> sa.BindParameter[str]:
    return sa.bindparam(name, type_=sa.String())


def are_inputs_of(run: sa.BindParameter[str]) -> sa.ColumnElement[bool]:
    """The rows of `inputs` that lead to a run."""
    return sa.and_(inputs.c.destination_type == sa.literal_column("'RUN'"), inputs.c.destination_id == run)


def forgetting_inputs(run: sa.BindParameter[str]) -> tuple[sa.Delete, sa.Delete]:
    """What takes the inputs from a run, in order; the data sets themselves stay, as in MLflow."""
    ids = sa.select(inputs.c.input_uuid).where(are_inputs_of(run))
    return input_tags.delete().where(input_tags.c.input_uuid.in_(ids)), inputs.delete().where(are_inputs_of(run))
