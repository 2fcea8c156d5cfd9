"""What every tracker promises of the data sets that runs read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from trackers.errors import InvalidRecord, Superseded
from trackers.opening import open_store
from trackers.records import (
    Dataset,
    Query,
    RunDeleted,
    RunEnded,
    RunErased,
    RunErasing,
    RunStarted,
    RunUpdated,
    Status,
    SweepFacts,
    TrialFacts,
)
from trackers.tracker import Tracker

SWEEP, TRIAL = "5" * 32, "1" * 32
FACTS = SweepFacts("{}", "hash", "loss", "minimize", 1, 1)
STORES = {"memory": "memory://", "sqlite": "sqlite:///{folder}/mlflow.db", "postgres": ""}
IRIS = Dataset("iris", "d1", "local", '{"uri": "iris.csv"}', '{"mlflow_colspec": []}', '{"num_rows": 150}', "training")
WINE = Dataset("Wine", "d2", context="test")


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def tracker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tracker]:
    uri = STORES[request.param].format(folder=tmp_path) or request.getfixturevalue("postgres_uri")
    with open_store(uri, artifacts=str(tmp_path / "mlruns")) as store:
        store.tracker.record([RunStarted(SWEEP, "s", "Default", 1, sweep=FACTS)])
        yield store.tracker


def started(attempt: int = 1, **changed: object) -> RunStarted:
    facts = TrialFacts(0, {"x": 1}, attempt=attempt)
    return RunStarted(TRIAL, "trial-0", "Default", 2, SWEEP, {"x": 1}, trial=facts, **changed)  # type: ignore[arg-type]


def ended(*datasets: Dataset, attempt: int = 1, state: str = "COMPLETE") -> RunEnded:
    status = Status.FINISHED if state == "COMPLETE" else Status.FAILED
    value = 1.0 if state == "COMPLETE" else None
    return RunEnded(TRIAL, status, 3, trial=TrialFacts(0, {}, state, attempt, value=value), datasets=datasets)


def test_a_trial_ends_with_the_data_sets_that_it_read(tracker: Tracker) -> None:
    tracker.record([started(), ended(IRIS, WINE)])

    assert tracker.get(TRIAL).datasets == [WINE, IRIS]
    assert not tracker.get(SWEEP).datasets


def test_data_sets_come_with_many_runs_where_they_are_asked_for(tracker: Tracker) -> None:
    tracker.record([RunUpdated(SWEEP, datasets=[WINE]), started(), ended(IRIS)])

    assert [run.datasets for run in tracker.find(Query(datasets=True))] == [[IRIS], [WINE]]
    assert [run.datasets for run in tracker.find(Query())] == [(), ()]


def test_a_data_set_is_what_was_first_said_of_it_and_each_run_has_its_own_context(tracker: Tracker) -> None:
    other = Dataset("iris", "d1", "code", "{}", None, None, "test")
    tracker.record([RunUpdated(SWEEP, datasets=[IRIS, other]), started(), ended(other)])

    assert tracker.get(SWEEP).datasets == [IRIS]
    [read] = tracker.get(TRIAL).datasets
    assert (read.source, read.profile, read.context) == (IRIS.source, IRIS.profile, "test")


def test_repeating_an_end_adds_no_data_set_twice(tracker: Tracker) -> None:
    tracker.record([started(), ended(IRIS)])
    tracker.record([ended(IRIS)])

    assert tracker.get(TRIAL).datasets == [IRIS]


def test_a_later_attempt_forgets_what_an_earlier_one_read(tracker: Tracker) -> None:
    tracker.record([started(datasets=[WINE]), ended(IRIS, state="FAILED")])
    tracker.record([started(attempt=2)])
    assert not tracker.get(TRIAL).datasets

    tracker.record([ended(IRIS, attempt=2)])
    assert tracker.get(TRIAL).datasets == [IRIS]


def test_what_was_refused_leaves_no_data_set(tracker: Tracker) -> None:
    tracker.record([started(attempt=2)])
    with pytest.raises(Superseded):
        tracker.record([RunUpdated(SWEEP, datasets=[Dataset("iris", "d1", "code")]), ended(IRIS)])
    with pytest.raises(InvalidRecord, match="digest of data set 'd' may have 36 characters, got 37"):
        tracker.record([ended(Dataset("d", "x" * 37), attempt=2)])

    tracker.record([ended(IRIS, attempt=2)])
    assert not tracker.get(SWEEP).datasets
    assert tracker.get(TRIAL).datasets == [IRIS]


def test_a_run_that_is_gone_takes_its_inputs_along_and_leaves_those_of_others(tracker: Tracker) -> None:
    tracker.record([RunUpdated(SWEEP, datasets=[IRIS]), started(), ended(IRIS)])
    tracker.record([RunDeleted(TRIAL, 5), RunErasing(TRIAL), RunErased(TRIAL)])

    assert tracker.get(SWEEP).datasets == [IRIS]
