"""Random filters and orders on random runs: the SQL tracker answers as the one in memory does, on each database."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from trackers.memory_tracker import MemoryTracker
from trackers.opening import open_store
from trackers.records import (
    STATUS_OF_STATE,
    Change,
    Order,
    Point,
    Query,
    RunEnded,
    RunStarted,
    RunUpdated,
    TrialFacts,
    Value,
)
from trackers.tracker import Tracker

NAMES = ["a", "b", "ä ö"]
TEXTS = [
    "",
    "1",
    "01",
    "1e0",
    ".5",
    "-1.0",
    "nan",
    "inf",
    "1e999",
    "1_0",
    " 1",
    "x",
    "X",
    "Ä",
    "ä",
    "a%",
    "a_b",
    "x\ny",
    "😀",
]
NUMBERS = [0.0, -0.0, 1.0, -1.0, 0.5, 1e-300, 1.7976931348623157e308]
METRICS = [*NUMBERS, math.nan, math.inf, -math.inf]

values: st.SearchStrategy[Value] = st.sampled_from([*TEXTS, 1, 0, 10, 0.5, True, None])
texts = st.sampled_from(TEXTS)
names = st.sampled_from(NAMES)
quoted = texts.map(lambda text: "'" + text.replace("'", "''") + "'")
floats = st.sampled_from(NUMBERS).map(repr)
words = st.sampled_from(["status", "state"])
signs = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
equal = st.sampled_from(["=", "!="])
likes = st.sampled_from(["LIKE", "not like", "ILIKE", "NOT ILIKE"])
attributes = st.sampled_from(["number", "started", "ended", "seconds", "value", "attempt"])
texts_of_runs = st.sampled_from(["name", "run_id", "reason"])
keys = st.tuples(st.sampled_from(["params", "tags"]), names).map(lambda pair: f"{pair[0]}.`{pair[1]}`")
metrics = names.map(lambda name: f'metrics."{name}"')
nulls = st.sampled_from(["IS NULL", "is not null"])


def joined(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(" ".join)


def listed(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(items, min_size=1, max_size=3).map(lambda some: f"({', '.join(some)})")


isin = st.sampled_from(["IN", "NOT IN"])
comparisons = st.one_of(
    joined(keys | texts_of_runs, signs, quoted),
    joined(keys, signs, floats),
    joined(keys | texts_of_runs, likes, quoted | st.sampled_from(["'%'", "'_'", "'%1%'", "'X_%'"])),
    joined(keys, isin, listed(quoted) | listed(floats)),
    joined(metrics | attributes, signs, floats),
    joined(metrics | attributes, isin, listed(floats)),
    joined(keys | metrics | attributes | texts_of_runs | words, nulls),
    joined(st.just("state"), equal, st.sampled_from(["'COMPLETE'", "'failed'", "'RUNNING'"])),
    joined(st.just("status"), isin, listed(st.sampled_from(["'FINISHED'", "'KILLED'"]))),
)
filters = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        joined(inner, st.sampled_from(["and", "OR"]), inner),
        inner.map(lambda part: f"NOT ({part})"),
        inner.map(lambda part: f"({part})"),
    ),
    max_leaves=5,
)
orders = st.lists(
    st.builds(Order, keys | metrics | attributes | st.sampled_from(["name", "status", "state"]), st.booleans()),
    max_size=2,
)


@st.composite
def runs(draw: st.DrawFn) -> list[Change]:
    """A sweep and up to six children; the ids are made different for each database later."""
    changes: list[Change] = [RunStarted("sweep", "sweep", "Default", 5)]
    for number in range(draw(st.integers(1, 6))):
        run_id = f"run-{number}"
        params = draw(st.dictionaries(names, values, max_size=2))
        tags = draw(st.dictionaries(names, texts, max_size=2))
        trial = TrialFacts(number, params) if draw(st.booleans()) else None
        name = draw(st.sampled_from(["x", "X", "1", "ä"]))
        begin = draw(st.integers(0, 3))
        changes.append(RunStarted(run_id, name, "Default", begin, "sweep", params, tags, trial=trial))
        points = st.builds(Point, names, st.sampled_from(METRICS), st.integers(-1, 2))
        changes.append(RunUpdated(run_id, draw(st.lists(points, max_size=3))))
        state = draw(st.sampled_from(["RUNNING", "COMPLETE", "PRUNED", "FAILED"]))
        if state != "RUNNING":
            value = draw(st.sampled_from(NUMBERS)) if state == "COMPLETE" else None
            reason = "oom" if state == "FAILED" else ""
            end = TrialFacts(number, {}, state, value=value, reason=reason, seconds=0.002) if trial else None
            changes.append(RunEnded(run_id, STATUS_OF_STATE[state], begin + 2, trial=end))
    return changes


def placed(changes: list[Change], mark: str) -> list[Change]:
    """The same changes on runs and in an experiment of their own, so that all examples share one database."""
    moved: list[Change] = []
    for change in changes:
        change = replace(change, run_id=f"{mark}-{change.run_id}")
        if isinstance(change, RunStarted):
            parent = change.parent_id and f"{mark}-{change.parent_id}"
            change = replace(change, experiment=mark, parent_id=parent)
        moved.append(change)
    return moved


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tracker, Tracker]]:
    folder = tmp_path_factory.mktemp("agree")
    with open_store(f"sqlite:///{folder}/mlflow.db", artifacts="/m") as store:
        yield MemoryTracker("/m"), store.tracker


@pytest.fixture(scope="module")
def on_postgres(request: pytest.FixtureRequest) -> Iterator[tuple[Tracker, Tracker]]:
    server = request.getfixturevalue("postgres")
    with open_store(server.uri(server.create()), artifacts="/m") as store:
        yield MemoryTracker("/m"), store.tracker


MARKS = (f"x{number}" for number in itertools.count())
asking = st.tuples(filters, orders, st.none() | names, st.none() | st.integers(0, 4), st.integers(0, 2))


Asked = list[tuple[str, list[Order], str | None, int | None, int]]


def drawn(examples: int) -> settings:
    return settings(
        max_examples=examples,
        phases=[Phase.generate],
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )


@drawn(15)
@given(changes=runs(), asked=st.lists(asking, min_size=12, max_size=12))
def test_sql_finds_what_memory_finds(on_sqlite: tuple[Tracker, Tracker], changes: list[Change], asked: Asked) -> None:
    agree(on_sqlite, changes, asked)


@pytest.mark.slow
@drawn(400)
@given(changes=runs(), asked=st.lists(asking, min_size=12, max_size=12))
def test_sql_finds_what_memory_finds_many_times(
    on_sqlite: tuple[Tracker, Tracker], changes: list[Change], asked: Asked
) -> None:
    agree(on_sqlite, changes, asked)


@pytest.mark.slow
@drawn(400)
@given(changes=runs(), asked=st.lists(asking, min_size=12, max_size=12))
def test_postgres_finds_what_memory_finds_many_times(
    on_postgres: tuple[Tracker, Tracker], changes: list[Change], asked: Asked
) -> None:
    agree(on_postgres, changes, asked)


def agree(trackers: tuple[Tracker, Tracker], changes: list[Change], asked: Asked) -> None:
    mark = next(MARKS)
    for tracker in trackers:
        tracker.experiment(mark)
        tracker.record(placed(changes, mark))
    for where, order, finite, limit, offset in asked:
        for parent in (f"{mark}-sweep", None):
            query = Query(parent, experiment=mark, where=where, order=order, finite=finite, limit=limit, offset=offset)
            expected, found = ([run.id for run in tracker.find(query)] for tracker in trackers)
            assert found == expected, query
