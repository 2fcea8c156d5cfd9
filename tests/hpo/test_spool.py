"""What the store would not take is kept in a file, exactly, and taken in later, once or twice."""

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.spool import Spool, spool_folders
from trackers.change_text import from_text, to_text
from trackers.errors import FencedOff, InvalidRecord, StoreFull
from trackers.memory_tracker import MemoryTracker
from trackers.records import (
    Artifact,
    Change,
    Dataset,
    LoggedModel,
    Point,
    RunEnded,
    RunStarted,
    RunUpdated,
    Status,
    SweepFacts,
    TrialFacts,
)

SWEEP = "f" * 32
texts = st.text(st.characters(codec=None), max_size=8)  # halves of surrogate pairs too
numbers = st.floats(allow_nan=False) | st.integers(-(2**70), 2**70)
values = st.none() | st.booleans() | numbers | texts
tags = st.dictionaries(texts | st.just("$"), texts, max_size=3)
points = st.lists(st.builds(Point, texts, numbers, st.integers(), st.integers()), max_size=3)
artifacts = st.lists(st.builds(Artifact, texts, st.integers(0), texts), max_size=2)
models = st.lists(st.builds(LoggedModel, texts, texts, texts), max_size=2)
params = st.dictionaries(texts | st.just("$"), values, max_size=3)
trials = st.none() | st.builds(TrialFacts, st.integers(), params, texts, st.integers(), value=st.none() | numbers)
sweeps = st.none() | st.builds(SweepFacts, texts, texts, texts, texts, st.integers(), st.none() | st.integers())
datasets = st.lists(st.builds(Dataset, texts, texts), max_size=2)
changes = (
    st.builds(
        RunStarted, texts, texts, texts, st.integers(), params=params, tags=tags, trial=trials, sweep=sweeps,
        datasets=datasets,
    )
    | st.builds(RunUpdated, texts, points, tags, params, datasets, artifacts, models, st.lists(texts).map(tuple))
    | st.builds(
        RunEnded, texts, st.sampled_from(Status), st.integers(), points, tags, artifacts, models, trials, datasets
    )
)  # fmt: skip


def parts(value: object) -> object:
    """The value with the type of all that is in it: 1, 1.0, True and "1" differ, 0.0 and -0.0 too."""
    if isinstance(value, dict):
        return [(parts(key), parts(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [parts(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return type(value), [parts(getattr(value, name)) for name in value.__dataclass_fields__]
    return type(value), repr(value)


@given(st.lists(changes, max_size=3))
@settings(max_examples=150, deadline=None)
def test_changes_come_back_exactly_as_they_were(given_changes: list[Change]) -> None:
    text = to_text(given_changes)
    assert text.isascii()
    assert "\n" not in text
    assert parts(from_text(text)) == parts(given_changes)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_has_not_come_back_too(number: float) -> None:
    [back] = from_text(to_text([RunUpdated("r", [Point("x", number)])]))
    assert repr(back.points[0].value) == repr(number)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "1",
        '[{"$":"os.system","is":"x"}]',
        '[{"$":"Point","metric":"x","value":1}]',
        '[{"$":"RunEnded"}]',
        "[" * 9999,
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InvalidRecord, match="no text of changes"):
        from_text(text)


def started(number: int, attempt: int = 1) -> RunStarted:
    facts = TrialFacts(number, {"x": number}, attempt=attempt)
    return RunStarted(f"{number:032x}", f"trial-{number}", "e", 1, SWEEP, {"x": number}, trial=facts)


def ended(number: int, attempt: int = 1) -> RunEnded:
    facts = replace(started(number, attempt).trial or TrialFacts(0, {}), state="COMPLETE", value=0.5, seconds=0.1)
    return RunEnded(f"{number:032x}", Status.FINISHED, 2, [Point("loss", 0.5)], trial=facts)


@pytest.fixture
def tracker() -> MemoryTracker:
    tracker = MemoryTracker()
    tracker.experiment("e")
    tracker.record([RunStarted(SWEEP, "s", "e", 1), started(0), started(1)])
    return tracker


def states(tracker: MemoryTracker) -> list[str]:
    return [tracker.get(f"{number:032x}").trial.state for number in (0, 1)]  # type: ignore[union-attr]


def test_what_is_spooled_is_taken_in_and_the_file_deleted(tmp_path: Path, tracker: MemoryTracker) -> None:
    spool = Spool(SWEEP, [tmp_path / "made" / "when needed"])
    path = spool.write([ended(0), RunUpdated(SWEEP, tags={"a": "1"}), started(2)])
    assert path is not None
    assert spool.write([ended(1), RunUpdated(SWEEP, tags={"a": "2"})]) == path
    assert path.stat().st_mode & 0o777 == 0o600
    assert spool.take_in(tracker.record) == 2
    assert states(tracker) == ["COMPLETE", "COMPLETE"]
    assert tracker.get(SWEEP).tags["a"] == "2"
    assert spool.files() == []
    assert spool.take_in(tracker.record) == 0


def test_taken_in_twice_is_harmless(tmp_path: Path, tracker: MemoryTracker) -> None:
    spool = Spool(SWEEP, [tmp_path])
    path = spool.write([ended(0)])
    assert path is not None
    content = path.read_bytes()
    spool.take_in(tracker.record)
    before = tracker.get(f"{0:032x}")
    path.write_bytes(content)
    assert spool.take_in(tracker.record) == 1
    assert tracker.get(f"{0:032x}") == before


def test_trials_that_only_were_to_start_are_not_spooled(tmp_path: Path) -> None:
    assert Spool(SWEEP, [tmp_path]).write([started(0), RunUpdated(SWEEP, tags={"a": "1"})]) is None
    assert list(tmp_path.iterdir()) == []


def test_a_torn_last_line_is_said_and_left_out(
    tmp_path: Path, tracker: MemoryTracker, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(SWEEP, [tmp_path])
    path = spool.write([ended(0)])
    assert path is not None
    with path.open("ab") as file:
        file.write(to_text([ended(1)]).encode()[:50])
    assert spool.take_in(tracker.record) == 1
    assert states(tracker) == ["COMPLETE", "RUNNING"]
    assert "line 2" in caplog.text
    assert "runs again" in caplog.text


def test_a_line_after_a_torn_one_is_whole(tmp_path: Path, tracker: MemoryTracker) -> None:
    spool = Spool(SWEEP, [tmp_path])
    path = spool.write([ended(0)])
    assert path is not None
    path.write_bytes(path.read_bytes()[:40])
    spool.write([ended(1)])
    assert spool.take_in(tracker.record) == 1
    assert states(tracker) == ["RUNNING", "COMPLETE"]


def test_what_another_driver_ran_again_is_dropped_and_the_rest_taken(
    tmp_path: Path, tracker: MemoryTracker, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(SWEEP, [tmp_path])
    spool.write([ended(0), ended(1)])
    tracker.record([started(0, attempt=2)])
    assert spool.take_in(tracker.record) == 1
    assert states(tracker) == ["RUNNING", "COMPLETE"]
    assert "came too late" in caplog.text
    assert spool.files() == []


@pytest.mark.parametrize("error", [StoreFull("full", "/"), FencedOff("another driver")])
def test_a_store_that_still_refuses_leaves_the_file(tmp_path: Path, error: Exception) -> None:
    spool = Spool(SWEEP, [tmp_path])
    spool.write([ended(0)])

    def refuses(changes: Sequence[Change]) -> None:
        raise error

    with pytest.raises(type(error)):
        spool.take_in(refuses)
    assert len(spool.files()) == 1


def test_the_first_folder_with_room_is_taken(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    spool = Spool(SWEEP, [tmp_path / "file", Path("/proc/no such place"), tmp_path])
    assert spool.write([ended(0)]) == tmp_path / f".hpo-spool-{SWEEP}.jsonl"


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="no /dev/full here to stand for a full disk")
def test_where_no_folder_has_room_nothing_is_left(tmp_path: Path) -> None:
    spool = Spool(SWEEP, [tmp_path])
    (tmp_path / f".hpo-spool-{SWEEP}.jsonl").symlink_to("/dev/full")
    assert spool.write([ended(0)]) is None  # nor does it follow a link that somebody laid there


def test_a_spool_of_a_stranger_is_not_believed(tmp_path: Path, tracker: MemoryTracker) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can write files of another user")
    tmp_path.chmod(0o1777)
    spool = Spool(SWEEP, [tmp_path])
    path = spool.write([ended(0)])
    assert path is not None
    os.chown(path, 12345, 12345)
    assert spool.take_in(tracker.record) == 0
    assert states(tracker) == ["RUNNING", "RUNNING"]


def test_the_places_are_artifacts_store_state_and_temporary_folder(tmp_path: Path) -> None:
    home = {"HOME": "/home/me"}
    assert spool_folders("/data/runs", Path("/db/mlflow.db"), home, Path("/tmp")) == [
        Path("/data/runs"), Path("/db"), Path("/home/me/.local/state/hpo"), Path("/tmp"),
    ]  # fmt: skip
    state = {**home, "XDG_STATE_HOME": "/state"}
    assert spool_folders("s3://bucket", None, state, Path("/tmp")) == [Path("/state/hpo"), Path("/tmp")]
