"""The data sets that runs read, as rows: MLflow links them to runs in `inputs`, with the context in `input_tags`."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from trackers.records import Dataset
from trackers.rows import CONTEXT_TAG
from trackers.sql.schema import datasets, input_tags, inputs


def data_of_runs(connection: sa.Connection, ids: Sequence[str]) -> Mapping[str, list[Dataset]]:
    """The data sets of runs, by name and digest; runs that read none are left out."""
    table, used, context = datasets.c, inputs.c, input_tags.c
    is_context = sa.and_(context.input_uuid == used.input_uuid, context.name == CONTEXT_TAG)
    source = inputs.join(datasets, table.dataset_uuid == used.source_id).outerjoin(input_tags, is_context)
    columns = (table.name, table.digest, table.dataset_source_type, table.dataset_source, table.dataset_schema)
    statement = (
        sa.select(used.destination_id, *columns, table.dataset_profile, context.value)
        .select_from(source)
        .where(used.source_type == "DATASET", used.destination_type == "RUN", used.destination_id.in_(ids))
    )
    found = defaultdict[str, list[Dataset]](list)
    for run_id, name, digest, kind, place, schema, profile, value in connection.execute(statement):
        found[run_id].append(Dataset(name, digest, kind, place, schema, profile, value or ""))
    for read in found.values():
        read.sort(key=lambda data: (data.name, data.digest))  # servers have orders of their own for texts
    return found


def are_inputs_of(run: sa.BindParameter[str]) -> sa.ColumnElement[bool]:
    """The rows of `inputs` that lead to a run."""
    return sa.and_(inputs.c.destination_type == sa.literal_column("'RUN'"), inputs.c.destination_id == run)


def forgetting_inputs(run: sa.BindParameter[str]) -> tuple[sa.Delete, sa.Delete]:
    """What takes the inputs from a run, in order; the data sets themselves stay, as in MLflow."""
    ids = sa.select(inputs.c.input_uuid).where(are_inputs_of(run))
    return input_tags.delete().where(input_tags.c.input_uuid.in_(ids)), inputs.delete().where(are_inputs_of(run))
