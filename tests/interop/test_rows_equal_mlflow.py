"""The same random runs written by MLflow's own store and by ours: the rows must be the same, to the last value."""

import math
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from trackers.opening import open_store
from trackers.records import (
    STATUS_OF_STATE,
    Change,
    Dataset,
    Point,
    RunEnded,
    RunStarted,
    RunUpdated,
    Status,
    TrialFacts,
    Value,
)
from trackers.tracker import Tracker

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow warns of its own deprecations

KEYS = ["loss", "loss", "loss", "acc", "val/loss", "a b", "ü", "x" * 250]
NUMBERS = [
    0.0,
    0.0,
    math.nan,
    -0.0,
    1.0,
    -1.5,
    1e-320,
    0.1 + 0.2,
    math.nan,
    math.inf,
    -math.inf,
    1.7976931348623157e308,
    3,
]
PARAMS: list[Value] = [1, 0.1, 1e-7, True, None, "", "rf", "ä😀\n", "v" * 6000, -3, 1e22]
TEXTS = ["", "x", "zwei\nZeilen", "😀", "t" * 8000]


@dataclass(frozen=True)
class Made:
    """One random run: how it begins, what is added, how it ends."""

    name: str
    user: str
    started: int
    parent: int | None
    params: dict[str, Value]
    tags: dict[str, str]
    batches: list[list[Point]]
    late_tags: dict[str, str]
    datasets: list[Dataset]
    state: str | None
    ended: int


def random_run(draw: random.Random, number: int) -> Made:
    def some(values: list[Any], most: int) -> list[Any]:
        return [draw.choice(values) for _ in range(draw.randrange(most + 1))]

    def texts(most: int) -> dict[str, str]:
        return {key: draw.choice(TEXTS) for key in some(["team", "mlflow.note.content", "k" * 250, "e"], most)}

    def point() -> Point:
        return Point(draw.choice(KEYS), draw.choice(NUMBERS), draw.randrange(-1, 3), draw.randrange(3))

    context = draw.choice(["training", "validation"])
    data = Dataset("iris", draw.choice("abc"), "local", '{"uri": "x"}', draw.choice([None, "{}"]), None, context)
    return Made(
        name=f"run {number} {draw.choice(['', 'ä', '-'])}x",
        user=draw.choice(["", "ada"]),
        started=1_700_000_000_000 + number,
        parent=draw.choice([None, draw.randrange(number)]) if number else None,
        params={key: draw.choice(PARAMS) for key in some(["lr", "clf__C", "depth", "p" * 250], 4)},
        tags=texts(3),
        batches=[[point() for _ in range(draw.randrange(6))] for _ in range(draw.randrange(4))],
        late_tags=texts(2) | ({"mlflow.runName": f"renamed {number}"} if draw.random() < 0.1 else {}),
        datasets=[data] * draw.randrange(3),
        state=draw.choice([None, "COMPLETE", "PRUNED", "FAILED", "WAITING"]),
        ended=1_700_000_001_000 + number,
    )


def write_theirs(uri: str, runs: list[Made], artifacts: str) -> list[str]:
    """Writes the runs by MLflow's store; the ids it gave them."""
    from mlflow.entities import Dataset as TheirDataset
    from mlflow.entities import DatasetInput, InputTag, Metric, Param, RunStatus, RunTag
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore(uri, artifacts)
    if uri.startswith("sqlite"):
        sa.event.listen(store.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = OFF"))
        store.engine.dispose()
    experiment = store.create_experiment("iris")
    ids: list[str] = []
    for run in runs:
        tags = dict(run.tags)
        if run.user:
            tags["mlflow.user"] = run.user
        if run.parent is not None:
            tags["mlflow.parentRunId"] = ids[run.parent]
        made = store.create_run(experiment, run.user, run.started, [RunTag(*tag) for tag in tags.items()], run.name)
        ids.append(made.info.run_id)
        store.log_batch(ids[-1], [], [Param(key, str(value)) for key, value in run.params.items()], [])
        for data in run.datasets:
            theirs = TheirDataset(data.name, data.digest, data.source_type, data.source, data.schema, data.profile)
            store.log_inputs(ids[-1], [DatasetInput(theirs, [InputTag("mlflow.data.context", data.context)])])
        for batch in run.batches:
            store.log_batch(ids[-1], [Metric(p.metric, p.value, p.timestamp, p.step) for p in batch], [], [])
        store.log_batch(ids[-1], [], [], [RunTag(*tag) for tag in run.late_tags.items()])
        if run.state is not None:
            store.update_run_info(ids[-1], RunStatus.from_string(STATUS_OF_STATE[run.state]), run.ended, None)
    store._dispose_engine()
    return ids


def write_ours(tracker: Tracker, runs: list[Made], ids: list[str]) -> None:
    tracker.experiment("iris")
    for number, (run_id, run) in enumerate(zip(ids, runs, strict=True)):
        parent = None if run.parent is None else ids[run.parent]
        is_trial = parent is not None and number % 2 == 0
        facts = TrialFacts(number, run.params) if is_trial else None
        changes: list[Change] = [
            RunStarted(
                run_id, run.name, "iris", run.started, parent, run.params, run.tags, run.user, run.datasets, facts
            )
        ]
        *early, last = run.batches or [[]]
        changes += [RunUpdated(run_id, batch) for batch in early]
        if run.state is None:
            changes.append(RunUpdated(run_id, last, run.late_tags))
        else:
            end = TrialFacts(number, {}, run.state) if is_trial else None
            status = Status(STATUS_OF_STATE[run.state])
            changes.append(RunEnded(run_id, status, run.ended, last, run.late_tags, trial=end))
        tracker.record(changes)
        if number % 7 == 0:
            tracker.record(changes[1:])  # once more: what is repeated must change nothing


def asked(uri: str, sql: str) -> list[tuple[object, ...]]:
    """What a database answers, sorted; each value with its type."""
    engine = sa.create_engine(uri)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.exec_driver_sql(sql)]
    engine.dispose()
    return sorted(found, key=repr)


def rows(uri: str, table: str, columns: list[str]) -> list[tuple[object, ...]]:
    """A table's rows, each value with the type that a SQLite file holds it in."""
    types = [f'typeof("{column}")' for column in columns] if uri.startswith("sqlite") else []
    return asked(
        uri, f'SELECT {", ".join([*(f"{chr(34)}{name}{chr(34)}" for name in columns), *types])} FROM "{table}"'
    )


def linked(uri: str) -> list[tuple[object, ...]]:
    """Which run read which data set in which context; the ids between are random."""
    return asked(
        uri,
        "SELECT i.source_type, d.name, d.digest, d.experiment_id, i.destination_type, i.destination_id, i.step,"
        " t.name, t.value, length(i.input_uuid), length(d.dataset_uuid) FROM inputs i"
        " JOIN datasets d ON d.dataset_uuid = i.source_id JOIN input_tags t ON t.input_uuid = i.input_uuid",
    )


def columns_of(uri: str, table: str, without: set[str]) -> list[str]:
    engine = sa.create_engine(uri)
    names = [column["name"] for column in sa.inspect(engine).get_columns(table)]
    engine.dispose()
    return [name for name in names if name not in without]


@pytest.mark.parametrize("runs", [30, pytest.param(400, marks=pytest.mark.slow)])
def test_random_runs_make_the_same_rows(mlflow: Any, tmp_path: Path, runs: int) -> None:
    make_the_same_rows(f"sqlite:///{tmp_path}/theirs.db", f"sqlite:///{tmp_path}/ours.db", runs, tmp_path / "mlruns")


@pytest.mark.parametrize("runs", [12, pytest.param(120, marks=pytest.mark.slow)])
def test_random_runs_make_the_same_rows_on_postgres(mlflow: Any, postgres: Any, tmp_path: Path, runs: int) -> None:
    theirs, ours = (postgres.uri(postgres.create()) for _ in range(2))
    make_the_same_rows(theirs, ours, runs, tmp_path / "mlruns")


def make_the_same_rows(theirs: str, ours: str, count: int, artifacts: Path) -> None:
    draw = random.Random(20_26)
    made = [random_run(draw, number) for number in range(count)]
    ids = write_theirs(theirs, made, str(artifacts))
    with open_store(ours, artifacts=str(artifacts)) as store:
        write_ours(store.tracker, made, ids)

    without = {"dataset_uuid", "creation_time", "last_update_time"}
    for table in ("experiments", "experiment_tags", "runs", "params", "tags", "metrics", "latest_metrics", "datasets"):
        columns = columns_of(ours, table, without)
        mine, wanted = rows(ours, table, columns), rows(theirs, table, columns)
        # as tuples are equal, with -0.0 and 0.0 the same: MLflow's ORM does not update the one to the other
        assert list((Counter(mine) - Counter(wanted)).elements())[:3] == [], table
        assert list((Counter(wanted) - Counter(mine)).elements())[:3] == [], table
    assert linked(ours) == linked(theirs)
    assert len(rows(ours, "metrics", ["key"])) > count
    assert not artifacts.exists()
