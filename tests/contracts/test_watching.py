"""What every store promises those who look at a sweep while it is written."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from trackers.errors import NotFound, StoreGone
from trackers.opening import Store, open_store
from trackers.records import (
    Change,
    Point,
    RunDeleted,
    RunEnded,
    RunStarted,
    RunUpdated,
    Status,
    SweepFacts,
    TrialFacts,
)

SWEEP = "5" * 32
FACTS = SweepFacts("{}", "hash", "loss", "minimize", 1, 1)
STORES = {"memory": "memory://", "sqlite": "sqlite:///{folder}/mlflow.db", "postgres": ""}


def trial_id(number: int) -> str:
    return f"{number:032x}"


def begun(number: int, **changed: object) -> RunStarted:
    facts = TrialFacts(number, {"x": number, "kind": "a"})
    start = RunStarted(trial_id(number), f"trial-{number}", "Default", 2, SWEEP, {"x": number}, trial=facts)
    return replace(start, **changed)  # type: ignore[arg-type]


def ended(number: int, value: float, state: str = "COMPLETE", attempt: int = 1) -> RunEnded:
    facts = TrialFacts(number, {"x": number, "kind": "a"}, state, attempt, value=value, seconds=0.5)
    points = [Point("loss", value), Point("odd", math.nan)]
    return RunEnded(trial_id(number), Status.FINISHED, 3, points, {"t": "1", "u": "2"}, trial=facts)


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    uri = STORES[request.param].format(folder=tmp_path) or request.getfixturevalue("postgres_uri")
    with open_store(uri, artifacts=str(tmp_path / "mlruns")) as store:
        changes: list[Change] = [RunStarted(SWEEP, "s", "Default", 1, sweep=FACTS), begun(0), ended(0, 3.0)]
        store.tracker.record([*changes, begun(1), ended(1, 1.5), begun(2)])
        yield store


def test_heads_are_the_children_by_number(store: Store) -> None:
    heads = store.watching.heads(SWEEP)

    assert [head.number for head in heads] == [0, 1, 2]
    assert heads[1] == (trial_id(1), 1, "trial-1", "COMPLETE", 1.5, 2, 3, 0.5, 1, "")
    assert (heads[2].state, heads[2].value, heads[2].ended) == ("RUNNING", None, None)


def test_a_sweep_stands_as_its_run_does(store: Store) -> None:
    store.tracker.record([RunEnded(SWEEP, Status.FAILED, 9, tags={"why": "x"})])
    stands, run = store.watching.stands(SWEEP), store.tracker.get(SWEEP)
    assert (stands.status, stands.started, stands.ended) == (Status.FAILED, 1, 9)
    assert dict(stands.tags) == dict(run.tags)
    with pytest.raises(NotFound):
        store.watching.stands("9" * 32)


def test_only_later_trials_and_those_named_are_read_if_asked(store: Store) -> None:
    store.tracker.record([ended(2, 2.5), begun(3)])

    assert [head.number for head in store.watching.heads(SWEEP, after=2)] == [3]
    assert [head.number for head in store.watching.heads(SWEEP, after=2, also=[trial_id(2)])] == [2, 3]
    assert store.watching.heads(SWEEP, after=3) == []


def test_bodies_hold_typed_params_latest_metrics_and_the_tags_asked_for(store: Store) -> None:
    bodies = store.watching.bodies(SWEEP, tags=["t", "missing"])

    assert set(bodies) == {trial_id(0), trial_id(1), trial_id(2)}
    first = bodies[trial_id(1)]
    assert (first.params, first.tags, first.metrics["loss"]) == ({"x": 1, "kind": "a"}, {"t": "1"}, 1.5)
    assert math.isnan(first.metrics["odd"])
    assert store.watching.bodies(SWEEP, [trial_id(2)]) == {trial_id(2): ({"x": 2, "kind": "a"}, {}, {})}
    assert store.watching.bodies(SWEEP, []) == {}


def test_deleted_trials_are_left_out_but_those_of_a_deleted_sweep_are_not(store: Store) -> None:
    store.tracker.record([RunDeleted(trial_id(1), 9)])
    assert [head.number for head in store.watching.heads(SWEEP)] == [0, 2]
    store.tracker.record([RunDeleted(SWEEP, 9)])
    assert [head.number for head in store.watching.heads(SWEEP)] == [1]


def test_the_mark_changes_with_the_sweep_and_only_then(store: Store) -> None:
    marks = [store.watching.mark(SWEEP), store.watching.mark(SWEEP)]
    assert marks[0] == marks[1]
    for change in (RunUpdated(SWEEP, tags={"hpo.progress": "{}"}), RunEnded(SWEEP, Status.FINISHED, 9)):
        store.tracker.record([change])
        marks.append(store.watching.mark(SWEEP))
    assert len(set(marks)) == 3


def test_runs_that_others_wrote_are_read_too(store: Store) -> None:
    runs = [RunStarted(f"{n:032x}", f"child-{n}", "Default", n, "9" * 32, {"lr": "0.1"}) for n in (8, 7)]
    store.tracker.record([RunStarted("9" * 32, "parent", "Default", 1), *runs])
    mark = store.watching.mark("9" * 32)
    store.tracker.record([RunUpdated(f"{7:032x}", points=[Point("loss", 2.0, 3, 4)])])

    heads = store.watching.heads("9" * 32)
    assert [(head.number, head.name, head.state, head.attempt) for head in heads] == [
        (None, "child-7", "RUNNING", None),
        (None, "child-8", "RUNNING", None),
    ]
    bodies = store.watching.bodies("9" * 32)
    assert (bodies[f"{7:032x}"].params, bodies[f"{7:032x}"].metrics) == ({"lr": "0.1"}, {"loss": 2.0})
    assert store.watching.mark("9" * 32) != mark


def test_a_store_that_is_read_only_sees_what_another_process_writes(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with open_store(uri) as writing:
        writing.tracker.record([RunStarted(SWEEP, "s", "Default", 1, sweep=FACTS)])
        with open_store(uri, read_only=True) as reading:
            before = reading.watching.mark(SWEEP)
            writing.tracker.record([begun(0)])
            assert reading.watching.mark(SWEEP) != before
            assert [head.number for head in reading.watching.heads(SWEEP)] == [0]


def test_a_file_that_was_replaced_is_not_taken_for_the_old_one(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with open_store(uri) as store:
        store.tracker.record([RunStarted(SWEEP, "s", "Default", 1, sweep=FACTS)])
    with open_store(uri, read_only=True) as reading:
        reading.watching.mark(SWEEP)
        (tmp_path / "mlflow.db").rename(tmp_path / "old.db")
        with pytest.raises(StoreGone, match="replaced"):
            reading.watching.mark(SWEEP)
