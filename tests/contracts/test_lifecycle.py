"""What every tracker promises of deleting, restoring and erasing runs."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from trackers.change_text import from_text, to_text
from trackers.errors import NameTaken, NotFound, Superseded
from trackers.opening import open_store
from trackers.records import (
    Artifact,
    Change,
    Dataset,
    LoggedModel,
    Point,
    Query,
    RunDeleted,
    RunEnded,
    RunErased,
    RunErasing,
    RunRestored,
    RunStarted,
    RunUpdated,
    Status,
    SweepFacts,
    TrialFacts,
)
from trackers.tracker import Tracker

SWEEP = "5" * 32
FACTS = SweepFacts("{}", "hash", "loss", "minimize", 1, 1)
STORES = {"memory": "memory://", "sqlite": "sqlite:///{folder}/mlflow.db", "postgres": ""}


def trial_id(number: int) -> str:
    return f"{number:032x}"


def sweep(run_id: str = SWEEP, **changed: object) -> RunStarted:
    return replace(RunStarted(run_id, "s", "Default", 1, sweep=FACTS), **changed)  # type: ignore[arg-type]


def trial(number: int) -> list[Change]:
    facts = TrialFacts(number, {"x": number})
    data = [Dataset("iris", "d1")]
    start = RunStarted(trial_id(number), f"trial-{number}", "Default", 2, SWEEP, {"x": number}, trial=facts)
    model = LoggedModel("m-" + trial_id(number), "model", "model")
    file = Artifact("model/MLmodel", 1, "0" * 64)
    ended = replace(facts, state="COMPLETE", value=1.0)
    points = [Point("loss", 1.0), Point("loss", 0.5, 1)]
    end = RunEnded(trial_id(number), Status.FINISHED, 3, points, {"t": "1"}, [file], [model], ended)
    return [replace(start, datasets=data), end]


@pytest.fixture(params=STORES)
def tracker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tracker]:
    uri = STORES[request.param].format(folder=tmp_path) or request.getfixturevalue("postgres_uri")
    with open_store(uri, artifacts=str(tmp_path / "mlruns")) as store:
        store.tracker.record([sweep(), *trial(0), *trial(1), RunEnded(SWEEP, Status.FINISHED, 9)])
        yield store.tracker


def ids(tracker: Tracker, **query: object) -> list[str]:
    return sorted(run.id for run in tracker.find(Query(**query)))  # type: ignore[arg-type]


ALL = [trial_id(0), trial_id(1), SWEEP]


def test_a_deleted_run_is_found_only_by_those_who_ask_for_it(tracker: Tracker) -> None:
    tracker.record([RunDeleted(trial_id(1), 77)])

    assert ids(tracker) == [trial_id(0), SWEEP]
    assert ids(tracker, deleted=True) == [trial_id(1)]
    assert ids(tracker, deleted=None) == ALL
    assert ids(tracker, parent=SWEEP, deleted=True, limit=5) == [trial_id(1)]
    run = tracker.get(trial_id(1))
    assert (run.deleted, run.metrics, run.status) == (77, {"loss": 0.5}, Status.FINISHED)
    assert tracker.get(trial_id(0)).deleted is None


def test_a_deleted_run_stays_deleted_since_the_first_time(tracker: Tracker) -> None:
    tracker.record([RunDeleted(SWEEP, 77)])
    tracker.record([RunDeleted(SWEEP, 99)])
    assert tracker.get(SWEEP).deleted == 77


def test_a_restored_run_is_as_it_was(tracker: Tracker) -> None:
    before = tracker.find(Query())
    tracker.record([RunDeleted(run_id, 77) for run_id in ALL])
    assert ids(tracker) == []
    tracker.record([RunRestored(run_id) for run_id in ALL])
    assert tracker.find(Query()) == before
    tracker.record([RunRestored(SWEEP)])
    assert tracker.find(Query()) == before


def test_children_are_counted_with_a_parent_of_their_stage(tracker: Tracker) -> None:
    tracker.record([RunDeleted(trial_id(0), 77)])
    assert tracker.counts([SWEEP]) == {SWEEP: {"COMPLETE": 1}}
    tracker.record([RunDeleted(SWEEP, 78)])
    assert tracker.counts([SWEEP]) == {SWEEP: {"COMPLETE": 1}}
    tracker.record([RunDeleted(trial_id(1), 78)])
    assert tracker.counts([SWEEP]) == {SWEEP: {"COMPLETE": 2}}


def test_the_name_of_a_deleted_sweep_is_free_and_then_blocks_its_return(tracker: Tracker) -> None:
    with pytest.raises(NameTaken):
        tracker.record([sweep("6" * 32, new_name=True)])
    tracker.record([RunDeleted(SWEEP, 77), RunDeleted(trial_id(0), 77)])
    tracker.record([sweep("6" * 32, new_name=True)])

    with pytest.raises(NameTaken, match="sweep 's' is run 6666"):
        tracker.record([RunRestored(trial_id(0)), RunRestored(SWEEP)])
    assert ids(tracker) == [trial_id(1), "6" * 32]

    tracker.record([RunUpdated("6" * 32, tags={"mlflow.runName": "other"})])
    tracker.record([RunRestored(trial_id(0)), RunRestored(SWEEP)])
    assert ids(tracker) == [*ALL, "6" * 32]


def test_a_run_is_erased_only_once_it_is_deleted_and_marked(tracker: Tracker) -> None:
    for change in (RunErasing(SWEEP), RunErased(SWEEP)):
        with pytest.raises(Superseded):
            tracker.record([change])
    tracker.record([RunDeleted(SWEEP, 77)])
    with pytest.raises(Superseded, match="restored meanwhile"):
        tracker.record([RunErased(SWEEP)])
    tracker.record([RunErasing(SWEEP)])
    tracker.record([RunErasing(SWEEP)])
    with pytest.raises(Superseded, match=r"cannot be restored: its files were removed by hpo gc"):
        tracker.record([RunRestored(SWEEP)])
    tracker.record([RunErased(SWEEP)])
    with pytest.raises(NotFound):
        tracker.get(SWEEP)


def test_an_erased_run_is_gone_with_all_that_belongs_to_it_and_nothing_else(tracker: Tracker) -> None:
    other = tracker.get(trial_id(1))
    tracker.record([RunDeleted(trial_id(0), 77), RunErasing(trial_id(0))])
    tracker.record([RunErased(trial_id(0))])
    tracker.record([RunErased(trial_id(0))])

    assert ids(tracker, deleted=None) == [trial_id(1), SWEEP]
    assert tracker.get(trial_id(1)) == other
    assert [file.path for file in tracker.artifacts(trial_id(1))] == ["model/MLmodel"]
    for ask in (tracker.get, tracker.history, tracker.artifacts):
        with pytest.raises(NotFound):
            ask(trial_id(0))
    tracker.record([sweep(), *trial(0)])  # the number and the id are free again
    assert tracker.get(trial_id(0)).metrics == {"loss": 0.5}


def test_a_run_that_is_not_there_is_not_deleted_silently(tracker: Tracker) -> None:
    for change in (RunDeleted("nothing", 1), RunRestored("nothing"), RunErasing("nothing")):
        with pytest.raises(NotFound, match="no run 'nothing'"):
            tracker.record([change])
    tracker.record([RunErased("nothing")])


def test_deletions_are_all_done_or_none(tracker: Tracker) -> None:
    with pytest.raises(NotFound):
        tracker.record([RunDeleted(SWEEP, 77), RunDeleted(trial_id(0), 77), RunDeleted("nothing", 77)])
    assert ids(tracker) == ALL


def test_tags_can_be_taken_away(tracker: Tracker) -> None:
    tracker.record([RunUpdated(trial_id(0), tags={"a": "1", "b": "2"}, removed_tags=["t", "none"])])
    tags = tracker.get(trial_id(0)).tags
    assert ({"a", "b"} <= set(tags), "t" in tags) == (True, False)


def test_these_changes_come_back_from_their_texts() -> None:
    changes = [RunDeleted(SWEEP, 7), RunRestored(SWEEP), RunErasing(SWEEP), RunErased(SWEEP)]
    assert from_text(to_text(changes)) == changes
