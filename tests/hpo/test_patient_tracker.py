"""A driver waits for a store in trouble, says so, and keeps aside what it cannot record."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from hpo.patient_tracker import PatientTracker
from hpo.repeating import Patience
from hpo.spool import Spool
from trackers.errors import (
    FencedOff,
    NotAStore,
    NotPermitted,
    StoreBusy,
    StoreFull,
    StoreGone,
    StoreUnavailable,
    Superseded,
)
from trackers.memory_tracker import MemoryTracker
from trackers.records import Change, Fence, RunEnded, RunStarted, Status, TrialFacts

RUN = "a" * 32
STARTED = RunStarted(RUN, "trial-0", "e", 1, "b" * 32, {"x": 1}, trial=TrialFacts(0, {"x": 1}))
ENDED = RunEnded(RUN, Status.FINISHED, 2, trial=TrialFacts(0, {"x": 1}, "COMPLETE", value=0.5))


class Troubled(MemoryTracker):
    """Fails as told: each call of `record` takes the next error, before or after it has done its work."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[BaseException] = []
        self.after: list[BaseException] = []
        self.calls = 0

    def record(self, changes: Sequence[Change], fence: Fence | None = None) -> None:
        self.calls += 1
        if self.before:
            raise self.before.pop(0)
        super().record(changes, fence)
        if self.after:
            raise self.after.pop(0)


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def pause(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def store() -> Troubled:
    store = Troubled()
    store.experiment("e")
    return store


@pytest.fixture
def patient(store: Troubled, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Callable[..., PatientTracker]:
    caplog.set_level(logging.INFO)
    time = Time()

    def make(retry_for: float = 300.0, **wishes: object) -> PatientTracker:
        patience = Patience(retry_for, clock=lambda: time.now, pause=time.pause)
        return PatientTracker(store, Spool("b" * 32, [tmp_path]), Patience(**{**vars(patience), **wishes}))  # type: ignore[arg-type]

    return make


def test_a_busy_store_is_waited_for_and_its_holder_named(
    store: Troubled, patient: Callable[..., PatientTracker], caplog: pytest.LogCaptureFixture
) -> None:
    store.before = [StoreBusy("busy", 4711) for _ in range(9)]
    patient().record([STARTED])
    assert store.get(RUN).name == "trial-0"
    assert caplog.messages[0] == "store busy 0 s, waiting (pid 4711)"
    assert "reconnected after 16 s" in caplog.messages[-1]
    assert len(caplog.messages) == 3  # after ten seconds once more, then each time the wait has doubled


def test_a_commit_whose_answer_was_lost_is_repeated_without_harm(
    store: Troubled, patient: Callable[..., PatientTracker]
) -> None:
    tracker = patient()
    store.after = [StoreUnavailable("cut off")]
    tracker.record([STARTED])
    once = store.get(RUN)
    store.after = [StoreUnavailable("cut off"), StoreUnavailable("cut off")]
    tracker.record([ENDED])
    assert once.trial is not None
    assert store.get(RUN).trial == ENDED.trial
    assert store.calls == 5


def test_when_patience_ends_what_ended_is_spooled_and_the_cause_raised(
    store: Troubled, patient: Callable[..., PatientTracker], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = patient(retry_for=20.0)
    tracker.record([STARTED])
    store.before = [StoreFull("no space left on /x; free space", "/x")] * 99
    with pytest.raises(StoreFull, match="no space left on /x"):
        tracker.record([ENDED])
    [spooled] = tmp_path.iterdir()
    assert f"what ended is kept in {spooled}" in caplog.messages[-1]
    calls = store.calls
    with pytest.raises(StoreFull):  # the driver's last word does not wait again
        tracker.record([ENDED])
    assert store.calls == calls + 1


def test_without_room_for_a_spool_it_is_said_that_trials_run_again(
    store: Troubled, patient: Callable[..., PatientTracker], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / f".hpo-spool-{'b' * 32}.jsonl").mkdir()
    tracker = patient(retry_for=1.0)
    tracker.record([STARTED])
    store.before = [StoreUnavailable("gone")] * 9
    with pytest.raises(StoreUnavailable):
        tracker.record([ENDED])
    assert "those trials run again" in caplog.messages[-1]


def test_a_last_word_that_the_store_takes_leaves_no_spool(
    store: Troubled, patient: Callable[..., PatientTracker], tmp_path: Path
) -> None:
    tracker = patient(retry_for=1.0)
    tracker.record([STARTED])
    store.before = [StoreUnavailable("gone")] * 9
    with pytest.raises(StoreUnavailable):
        tracker.record([ENDED])
    store.before = []
    tracker.record([ENDED])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [NotAStore("x"), NotPermitted("x"), StoreGone("x")])
def test_what_waiting_does_not_mend_is_not_waited_for(
    store: Troubled, patient: Callable[..., PatientTracker], error: Exception
) -> None:
    store.before = [error]
    with pytest.raises(type(error)):
        patient().record([STARTED])
    assert store.calls == 1


@pytest.mark.parametrize("error", [Superseded("late"), FencedOff("late")])
def test_a_refusal_is_no_trouble_of_the_store(
    store: Troubled, patient: Callable[..., PatientTracker], error: Exception
) -> None:
    store.before = [error]
    with pytest.raises(type(error)):
        patient().record([STARTED])
    assert store.calls == 1


def test_a_wish_to_end_ends_the_waiting(store: Troubled, patient: Callable[..., PatientTracker]) -> None:
    store.before = [StoreBusy("busy")] * 99
    with pytest.raises(StoreBusy):
        patient(over=lambda: store.calls > 3).record([STARTED])
    assert store.calls == 4


def test_ctrl_c_ends_the_waiting_and_the_last_word_is_short(
    store: Troubled, patient: Callable[..., PatientTracker], tmp_path: Path
) -> None:
    tracker = patient()
    tracker.record([STARTED])
    store.before = [StoreBusy("busy"), KeyboardInterrupt(), *[StoreBusy("busy")] * 99]
    with pytest.raises(KeyboardInterrupt):
        tracker.record([ENDED])
    calls = store.calls
    with pytest.raises(StoreBusy):
        tracker.record([ENDED])
    assert store.calls == calls + 1
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_read_is_waited_for_too(
    store: Troubled,
    patient: Callable[..., PatientTracker],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    failures = [StoreUnavailable("gone"), StoreUnavailable("gone")]
    read = store.get

    def get(run_id: str) -> object:
        if failures:
            raise failures.pop()
        return read(run_id)

    tracker = patient()
    tracker.record([STARTED])
    monkeypatch.setattr(store, "get", get)
    assert tracker.get(RUN).name == "trial-0"
    assert "store unreachable, retrying (0 s): gone" in caplog.text
    assert "reconnected" in caplog.text
