"""What the tracker in memory promises beyond the contract of all trackers: that it stays fast, and undoes wholly."""

from typing import NoReturn

import pytest

from trackers.errors import NotFound, Superseded
from trackers.memory_run import KeptRun
from trackers.memory_tracker import MemoryTracker
from trackers.records import (
    Artifact,
    Dataset,
    LoggedModel,
    Point,
    Query,
    RunDeleted,
    RunEnded,
    RunErased,
    RunErasing,
    RunStarted,
    RunUpdated,
    Status,
    TrialFacts,
)

SWEEP, OTHER = "5" * 32, "6" * 32
NOWHERE = RunUpdated("f" * 32)


class Unread(dict[str, KeptRun]):
    """Runs that may be looked up, and not looked through."""

    def values(self) -> NoReturn:
        raise AssertionError("all runs are looked through")


def sweep(run_id: str = SWEEP) -> RunStarted:
    return RunStarted(run_id, run_id[:4], "Default", 1000)


def trial(number: int, parent: str = SWEEP, run_id: str = "") -> RunStarted:
    return RunStarted(
        run_id or f"{parent[0]}{number:031x}", f"trial-{number}", "Default", 2000, parent, {"x": number},
        trial=TrialFacts(number, {"x": number}),
    )  # fmt: skip


def ended(number: int) -> RunEnded:
    facts = TrialFacts(number, {}, "COMPLETE", value=0.5)
    return RunEnded(f"5{number:031x}", Status.FINISHED, 3000, [Point("loss", 0.5, 0, 3000)], trial=facts)


@pytest.fixture
def tracker() -> MemoryTracker:
    memory = MemoryTracker("/files")
    memory.record([sweep(), trial(0), trial(1), ended(1)])
    return memory


def test_what_a_trial_costs_does_not_grow_with_the_runs_there_are(tracker: MemoryTracker) -> None:
    tracker._runs = Unread(tracker._runs)
    tracker.record([ended(0), trial(2), RunUpdated(SWEEP, tags={"hpo.ended": "1"})])
    with pytest.raises(Superseded, match=f"trial 2 of sweep {SWEEP} is run"):
        tracker.record([trial(2, run_id="a" * 32)])


def test_sweeps_have_numbers_of_their_own(tracker: MemoryTracker) -> None:
    tracker.record([sweep(OTHER), trial(0, OTHER)])
    with pytest.raises(Superseded, match=f"trial 0 of sweep {OTHER}"):
        tracker.record([trial(0, OTHER, "a" * 32)])


def test_a_number_is_free_again_once_its_run_was_erased_or_refused(tracker: MemoryTracker) -> None:
    first = trial(1).run_id
    tracker.record([RunDeleted(first, 4000), RunErasing(first), RunErased(first)])
    tracker.record([trial(1, run_id="a" * 32)])
    with pytest.raises(NotFound):
        tracker.record([trial(2), NOWHERE])
    tracker.record([trial(2, run_id="b" * 32)])
    assert [run.id for run in tracker.find(Query(parent=SWEEP))] == [trial(0).run_id, "a" * 32, "b" * 32]


def test_what_was_refused_leaves_no_part_of_a_run_changed(tracker: MemoryTracker) -> None:
    run_id = trial(1).run_id
    kept = RunUpdated(
        run_id, [Point("loss", 0.4, 1, 3001)], {"tag": "kept"}, {"more": 1}, [Dataset("iris", "d1")],
        [Artifact("a.txt", 1, "0" * 64)], [LoggedModel("m-1", "model", "model")],
    )  # fmt: skip
    more = RunUpdated(
        run_id, [Point("loss", 0.1, 2, 3002), Point("acc", 1.0, 0, 3002)], {"tag": "lost", "new": "x"}, {"more": 2},
        [Dataset("wine", "d2")], [Artifact("b.txt", 1, "0" * 64)], [LoggedModel("m-2", "other", "other")],
    )  # fmt: skip
    gone = RunUpdated(run_id, removed_artifacts=["a.txt"], removed_models=["m-1"], removed_tags=["tag"])
    tracker.record([kept])
    before = tracker.get(run_id), tracker.history(run_id), tracker.artifacts(run_id)
    again = RunStarted(run_id, "again", "Default", 5000, SWEEP, trial=TrialFacts(1, {"x": 9}, attempt=2))
    for change in (more, gone, again, RunDeleted(run_id, 4000)):
        with pytest.raises(NotFound):
            tracker.record([change, NOWHERE])
        assert (tracker.get(run_id), tracker.history(run_id), tracker.artifacts(run_id)) == before
