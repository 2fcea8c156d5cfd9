"""A store's rows in the form of MLflow 2.22: its fifteen core tables, at its last revision."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from trackers.records import LoggedModel
from trackers.rows import below
from trackers.sql import schema
from trackers.sql.guard import WORKSPACE, Layout
from trackers.sql.model_rows import FLAVOR_TAG
from trackers.sql.model_tags import HISTORY_TAG, LONGEST, entry_of

REVISION = "0584bdc529eb"
LONGEST_VERSION_TAG = 5000
_NEWER = ("logged_models", "logged_model_params", "logged_model_tags", "logged_model_metrics")
_TRACES = ("trace_info", "trace_tags", "trace_request_metadata")
_CHUNK = 2000

Row = dict[str, Any]


def _tables() -> sa.MetaData:
    older = sa.MetaData()
    for table in schema.metadata.sorted_tables:
        if table.name == "inputs":
            _inputs(older)
        elif table.name not in _NEWER:
            table.to_metadata(older)
    older.tables["model_version_tags"].c.value.type = sa.String(LONGEST_VERSION_TAG)
    return older


def _inputs(metadata: sa.MetaData) -> sa.Table:
    """Without the column `step`."""
    names = ("source_type", "source_id", "destination_type", "destination_id")
    inputs = sa.Table(
        "inputs",
        metadata,
        sa.Column("input_uuid", sa.String(36), nullable=False),
        *(sa.Column(name, sa.String(36)) for name in names),
        sa.PrimaryKeyConstraint(*names, name="inputs_pk"),
    )
    sa.Index("index_inputs_input_uuid", inputs.c.input_uuid)
    sa.Index(
        "index_inputs_destination_type_destination_id_source_type", *(inputs.c[name] for name in (*names[2:], names[0]))
    )
    return inputs


metadata = _tables()
"""The tables of MLflow 2.22; a test holds them equal to a genuine database."""

COPIED = tuple(
    table for table in metadata.sorted_tables if table.name != "alembic_version" and table.name not in _TRACES
)


class Copying:
    """Copies what the connection sees, which must be one moment of the database."""

    def __init__(self, source: sa.Connection, layout: Layout) -> None:
        self._source = source
        self._layout = layout
        self._is_alone = self._count("experiments", f"workspace <> '{WORKSPACE}'", column="workspace") == 0
        self.notes: list[str] = []

    def copy(self, target: sqlite3.Connection) -> Mapping[str, int]:
        """Makes the tables in an empty database and fills them; how many rows each got."""
        engine = sa.create_engine("sqlite://", creator=lambda: target, poolclass=sa.pool.StaticPool)
        counts = {}
        with engine.begin() as connection:
            metadata.create_all(connection)
            connection.execute(schema.alembic_version.insert().values(version_num=REVISION))
            for table in COPIED:
                counts[table.name] = self._copy_table(table, connection)
            counts["tags"] += self._add_model_tags(connection)
        return counts

    def left_out(self) -> list[str]:
        """What there is that MLflow 2 has no place for, for people."""
        found = []
        models = self._count("logged_models") - self._models_in_runs_count
        if models > 0:
            found.append(f"{models} logged models outside of their runs' folders: MLflow 2 knows models of runs only")
        if not self._is_alone:
            experiments = self._count("experiments", f"workspace <> '{WORKSPACE}'", column="workspace")
            found.append(f"{experiments} experiments of other workspaces, with their runs")
        for table, what in (("trace_info", "traces"), ("evaluation_datasets", "evaluation data sets")):
            if count := self._count(table):
                found.append(f"{count} {what}")
        if self._layout.is_ours:
            found.append("our own tables: typed params, reasons, manifests and history stay in the store")
        return found

    _models_in_runs_count = 0

    def _copy_table(self, table: sa.Table, target: sa.Connection) -> int:
        count = 0
        change = _CHANGES.get(table.name)
        for rows in self._rows(table):
            changed = [change(row) for row in rows] if change else rows
            if table.name == "model_version_tags":
                self._note_long(changed)
            target.execute(table.insert(), changed)
            count += len(rows)
        return count

    def _rows(self, table: sa.Table) -> Iterator[list[Row]]:
        if not self._layout.has(table.name) and not sa.inspect(self._source).has_table(table.name):
            return
        columns = [column.name for column in table.columns if self._has(table.name, column.name)]
        source = sa.table(table.name, *(sa.column(name) for name in columns))
        statement = sa.select(source)
        for condition in self._conditions(table.name):
            statement = statement.where(sa.text(condition))
        result = self._source.execution_options(yield_per=_CHUNK).execute(statement)
        for chunk in result.mappings().partitions(_CHUNK):
            yield [dict(row) for row in chunk]

    def _has(self, table: str, column: str) -> bool:
        return self._layout.has(table, column) or table in ("experiment_tags", "registered_model_tags")

    def _conditions(self, table: str) -> list[str]:
        known = _DATA_OF_RUNS if table == "inputs" else f"input_uuid IN ({_INPUTS} WHERE {_DATA_OF_RUNS})"
        found = [known] if table in ("inputs", "input_tags") else []
        return found if self._is_alone else [*found, _OF_WORKSPACE[table]]

    def _add_model_tags(self, target: sa.Connection) -> int:
        """The tag by which MLflow 2 knows a run's models; how many runs got one."""
        entries: dict[str, list[dict[str, object]]] = defaultdict(list)
        for run_id, model in self._models_in_runs():
            if len(json.dumps([*entries[run_id], entry_of(run_id, model)])) <= LONGEST:
                entries[run_id].append(entry_of(run_id, model))
            self._models_in_runs_count += 1
        for run_id, models in entries.items():
            tags = schema.tags
            own = (tags.c.run_uuid == run_id) & (tags.c.key == HISTORY_TAG)
            target.execute(tags.delete().where(own))
            target.execute(tags.insert().values(key=HISTORY_TAG, value=json.dumps(models), run_uuid=run_id))
        return len(entries)

    def _models_in_runs(self) -> Iterator[tuple[str, LoggedModel]]:
        if not self._layout.has("logged_models"):
            return
        models, runs, flavors = schema.logged_models, schema.runs, schema.logged_model_tags
        is_flavor = sa.and_(flavors.c.model_id == models.c.model_id, flavors.c.tag_key == FLAVOR_TAG)
        source = models.join(runs, runs.c.run_uuid == models.c.source_run_id).outerjoin(flavors, is_flavor)
        columns = (models.c.model_id, models.c.name, models.c.artifact_location, runs.c.run_uuid, runs.c.artifact_uri)
        statement = sa.select(*columns, flavors.c.tag_value).select_from(source).where(
            models.c.lifecycle_stage == "active"
        )  # fmt: skip
        for row in self._source.execute(statement):
            folder = below(row.artifact_uri, "")
            if row.artifact_location.startswith(folder):
                path = row.artifact_location.removeprefix(folder)
                yield row.run_uuid, LoggedModel(row.model_id, row.name, path, row.tag_value or "")

    def _note_long(self, rows: Sequence[Row]) -> None:
        self.notes += [
            f"tag {row['key']!r} of {row['name']} version {row['version']} is longer than the {LONGEST_VERSION_TAG} "
            "characters that MLflow 2 takes; it was written whole"
            for row in rows
            if len(row["value"] or "") > LONGEST_VERSION_TAG
        ]

    def _count(self, table: str, where: str = "", *, column: str = "") -> int:
        if column and not self._layout.has(table, column):
            return 0
        if not sa.inspect(self._source).has_table(table):
            return 0
        statement = sa.select(sa.func.count()).select_from(sa.table(table))
        return int(self._source.execute(statement.where(sa.text(where)) if where else statement).scalar() or 0)


def _found_by_place(row: Row) -> Row:
    """A version whose source is a logged model, which MLflow 2 cannot look up."""
    is_logged = str(row["source"] or "").startswith("models:/m-") and row.get("storage_location")
    return {**row, "source": row["storage_location"]} if is_logged else row


_CHANGES: Mapping[str, Callable[[Row], Row]] = {"model_versions": _found_by_place}
_INPUTS = "SELECT input_uuid FROM inputs"
_DATA_OF_RUNS = "source_type = 'DATASET' AND destination_type = 'RUN'"
_OWN = f"workspace = '{WORKSPACE}'"
_EXPERIMENTS = f"experiment_id IN (SELECT experiment_id FROM experiments WHERE {_OWN})"  # noqa: S608  # our own words
_RUNS = f"run_uuid IN (SELECT run_uuid FROM runs WHERE {_EXPERIMENTS})"  # noqa: S608
_OF_RUNS = f"destination_id IN (SELECT run_uuid FROM runs WHERE {_EXPERIMENTS})"  # noqa: S608
_OF_WORKSPACE: Mapping[str, str] = {
    "experiments": _OWN,
    **dict.fromkeys(("experiment_tags", "runs", "datasets"), _EXPERIMENTS),
    **dict.fromkeys(("tags", "params", "metrics", "latest_metrics"), _RUNS),
    "inputs": _OF_RUNS,
    "input_tags": f"input_uuid IN ({_INPUTS} WHERE {_OF_RUNS})",
    **{table.name: _OWN for table in COPIED if table.name.startswith(("registered_", "model_"))},
}
