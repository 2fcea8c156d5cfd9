"""What is to be sent to a mirror, on each kind of database."""

import math
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from trackers.errors import NotFound
from trackers.mirror_view import LONGEST_NAME, remote_name
from trackers.opening import Store, open_store
from trackers.outbox import RUN, Mark, Outbox
from trackers.records import (
    Artifact,
    Dataset,
    LoggedModel,
    Point,
    RunDeleted,
    RunEnded,
    RunStarted,
    RunUpdated,
    Status,
    SweepFacts,
    TrialFacts,
)
from trackers.sql import outbox as sql_outbox

SWEEP = "a" * 32
MIRROR = "http://mlflow:5000"


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store with a sweep of five trials."""
    uri = f"sqlite:///{tmp_path}/mlflow.db" if request.param == "sqlite" else request.getfixturevalue("postgres_uri")
    with open_store(uri, artifacts=str(tmp_path / "mlruns")) as opened:
        opened.tracker.experiment("e")
        facts = SweepFacts("{}", "0" * 64, "loss", "minimize", 1, 1, 5)
        data = Dataset("iris", "d1", schema="{}", context="training")
        opened.tracker.record([RunStarted(SWEEP, "s", "e", 1, sweep=facts, datasets=[data])])
        for number in range(5):
            trial = TrialFacts(number, {"x": number})
            opened.tracker.record([RunStarted(_id(number), f"trial-{number}", "e", 2, SWEEP, {"x": 1}, trial=trial)])
        yield opened


def _id(number: int) -> str:
    return f"{number:032x}"


def outbox(store: Store) -> Outbox:
    assert store.outbox is not None
    return store.outbox


def test_trials_come_by_number_a_page_at_a_time_also_deleted_ones(store: Store) -> None:
    store.tracker.record([RunDeleted(_id(3), 5)])

    pages = [outbox(store).trials(SWEEP, first, 2) for first in (0, 2, 4, 5)]
    assert [[(parcel.run.id, parcel.is_deleted) for parcel in page] for page in pages] == [
        [(_id(0), False), (_id(1), False)],
        [(_id(2), False), (_id(3), True)],
        [(_id(4), False)],
        [],
    ]


def test_what_was_run_again_comes_by_its_trials_and_is_none_of_the_sweep(store: Store) -> None:
    for trial, index in ((3, 1), (3, 0), (1, 0)):
        facts = TrialFacts(index, {"x": trial})
        name = f"trial-{trial}-seed-{index}"
        store.tracker.record([RunStarted(_id(10 * trial + index), name, "e", 2, _id(trial), trial=facts)])

    found = outbox(store).again([_id(number) for number in range(5)])
    assert [parcel.run.name for parcel in found] == ["trial-1-seed-0", "trial-3-seed-0", "trial-3-seed-1"]
    assert outbox(store).again([_id(0), _id(2)]) == outbox(store).again([]) == []
    assert len(outbox(store).trials(SWEEP, 0, 100)) == 5


def test_a_sweep_comes_with_its_data_sets_and_one_that_is_not_there_is_an_error(store: Store) -> None:
    assert outbox(store).sweep(SWEEP).datasets == [Dataset("iris", "d1", schema="{}", context="training")]
    with pytest.raises(NotFound, match="no run"):
        outbox(store).sweep("b" * 32)


def test_points_come_in_pages_and_every_one_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_outbox, "POINTS", 3)
    points = [Point(name, step / 7, step, 10 + step % 2) for name in ("a", "b") for step in range(5)]
    odd = [Point("c", math.nan, 0, 1), Point("c", 0.0, 0, 1), Point("c", math.inf, 0, 1)]
    store.tracker.record([RunUpdated(_id(0), points=[*points, *odd])])

    pages = list(outbox(store).points(_id(0)))
    assert max(len(page) for page in pages) == 3
    found = [(p.metric, repr(p.value), p.step, p.timestamp) for page in pages for p in page]
    ours = [(p.metric, repr(p.value), p.step, p.timestamp) for p in store.tracker.history(_id(0))]
    assert len(found) == len(set(found))
    assert sorted(found) == sorted(ours)


def test_a_digest_changes_with_whatever_a_mirror_shows(store: Store) -> None:
    model = LoggedModel("m-" + "1" * 32, "model", "model", "sklearn")
    files = [Artifact("plot.png", 3, "a" * 64), Artifact("model/MLmodel", 3, "b" * 64)]
    ended = TrialFacts(0, {"x": 0}, state="COMPLETE", seconds=1.0)
    seen = [outbox(store).trials(SWEEP, 0, 1)[0]]
    for change in (
        RunUpdated(_id(0), tags={"a": "b"}),
        RunUpdated(_id(0), points=[Point("loss", 1.0, 1, 5)]),
        RunUpdated(_id(0), points=[Point("loss", 2.0, 0, 5)]),  # which is not the latest
        RunUpdated(_id(0), artifacts=files[:1]),
        RunEnded(_id(0), Status.FINISHED, 9, trial=ended),
        RunDeleted(_id(0), 10),
    ):
        store.tracker.record([change])
        seen.append(outbox(store).trials(SWEEP, 0, 1)[0])
    assert len({parcel.data_digest for parcel in seen}) == len(seen)
    assert len({parcel.models_digest for parcel in seen}) == 1

    store.tracker.record([RunUpdated(_id(1), models=[model], artifacts=files)])
    with_model = outbox(store).trials(SWEEP, 1, 1)[0]
    assert [file.path for file in with_model.files] == ["plot.png"]
    assert [file.path for file in with_model.files_of(with_model.run.models[0])] == ["model/MLmodel"]
    store.tracker.record([RunUpdated(_id(1), removed_models=[model.model_id], removed_artifacts=["model/"])])
    without = outbox(store).trials(SWEEP, 1, 1)[0]
    assert without.data_digest == with_model.data_digest
    assert without.models_digest != with_model.models_digest


def test_marks_are_set_and_set_again_for_each_mirror(store: Store) -> None:
    first = [Mark(RUN, _id(number), f"r{number}", "x") for number in range(3)]
    outbox(store).note(MIRROR, first)
    outbox(store).note(MIRROR, [replace(first[1], remote="other", sent="y")])

    found = outbox(store).marks(MIRROR, RUN, [_id(number) for number in range(5)])
    assert found == {_id(0): first[0], _id(1): Mark(RUN, _id(1), "other", "y"), _id(2): first[2]}
    assert outbox(store).marks("http://another", RUN, [_id(0)]) == {}
    assert outbox(store).marks(MIRROR, "version", [_id(0)]) == {}


def test_what_was_sent_is_known_by_its_mark_with_models_or_without(store: Store) -> None:
    parcel = outbox(store).trials(SWEEP, 0, 1)[0]
    whole, half = (Mark(RUN, _id(0), "r", sent) for sent in (parcel.digest, parcel.data_digest))

    assert parcel.is_sent(whole, models=True)
    assert parcel.is_sent(whole, models=False)
    assert parcel.is_sent(half, models=False)
    assert not parcel.is_sent(half, models=True)
    assert not parcel.is_sent(None, models=False)


@pytest.mark.parametrize("name", ["loss", "a b", "val/loss:0", "ünï", "a.b-c_d"])
def test_a_name_that_mlflow_takes_stays(name: str) -> None:
    assert remote_name(name) == name


def test_other_names_become_ones_that_it_takes_and_no_two_the_same() -> None:
    names = [
        "a@b",
        "a_b",
        "a#b",
        "..",
        ".",
        "a//b",
        "/a",
        "a/",
        "a/../b",
        "x" * 251,
        "x" * 250 + "y",
        uuid.uuid4().hex * 9,
    ]
    made = [remote_name(name) for name in names]

    assert len(set(made)) == len(names)
    assert all(len(name) <= LONGEST_NAME and remote_name(name) == name for name in made)
