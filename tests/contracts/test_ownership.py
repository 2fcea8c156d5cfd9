"""What every store promises about who drives a sweep, checked on each of them."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from trackers.errors import AlreadyOwned, FencedOff, NameTaken, NotFound, Superseded
from trackers.opening import Store, open_store
from trackers.records import Fence, NewVersion, Query, RunStarted, RunUpdated, SweepFacts

SWEEP, OTHER = "5" * 32, "6" * 32
URIS = {"memory": "memory://", "sqlite": "sqlite:///{folder}/mlflow.db", "postgres": "postgres_uri"}


@pytest.fixture(params=URIS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    uri = URIS[request.param].format(folder=tmp_path)
    uri = request.getfixturevalue(uri) if uri == "postgres_uri" else uri
    with open_store(uri, artifacts=str(tmp_path / "mlruns")) as opened:
        opened.tracker.experiment("iris")
        yield opened


def sweep(run_id: str = SWEEP, name: str = "my sweep", *, new_name: bool = False) -> RunStarted:
    facts = SweepFacts("version: 1", "c0ffee", "rmse", "minimize", 42, 4, 10)
    return RunStarted(run_id, name, "iris", 1000, sweep=facts, new_name=new_name)


def names(store: Store) -> list[str]:
    return [run.name for run in store.tracker.find(Query(sweeps=True))]


def test_a_sweep_has_no_holder_until_it_is_claimed(store: Store) -> None:
    assert store.ownership.holder(SWEEP) is None
    fence = store.ownership.claim(SWEEP, "first", taking_from=None)
    held = store.ownership.holder(SWEEP)
    assert held is not None
    assert (held.owner, held.token, held.heartbeat, held.stop_asked) == ("first", fence.token, 0, False)
    assert store.ownership.holder(OTHER) is None


def test_the_second_of_two_claims_is_refused_and_names_the_first(store: Store) -> None:
    fence = store.ownership.claim(SWEEP, "first", taking_from=None)
    with pytest.raises(AlreadyOwned, match="held by first"):
        store.ownership.claim(SWEEP, "second", taking_from=None)
    taken = store.ownership.claim(SWEEP, "second", taking_from=fence.token)
    with pytest.raises(AlreadyOwned, match="held by second"):
        store.ownership.claim(SWEEP, "third", taking_from=fence.token)
    assert taken.token != fence.token
    store.ownership.release(taken)
    with pytest.raises(AlreadyOwned, match="nobody any more"):
        store.ownership.claim(SWEEP, "third", taking_from=taken.token)


def test_a_driver_that_was_taken_over_registers_nothing(store: Store) -> None:
    first = store.ownership.claim(SWEEP, "first", taking_from=None)
    second = store.ownership.claim(SWEEP, "second", taking_from=first.token)
    store.registry.register(NewVersion("m", "/models/1", None, "k1", aliases=("champion",), fence=second))
    store.registry.register(NewVersion("m", "/models/3", None, "k3"))
    with pytest.raises(FencedOff, match="driven by somebody else by now"):
        store.registry.register(NewVersion("m", "/models/3", None, "k3", aliases=("champion",), fence=first))
    assert store.registry.get("m", "champion").version == 1
    store.registry.register(
        NewVersion("m", "/models/3", None, "k3", stage="Production", aliases=("new",), fence=second)
    )
    assert (store.registry.get("m", "new").version, store.registry.get("m", 2).stage) == (2, "Production")
    with pytest.raises(FencedOff, match="driven by somebody else by now"):
        store.registry.register(NewVersion("m", "/models/2", None, "k2", aliases=("champion",), fence=first))
    assert [version.version for version in store.registry.versions("m")] == [1, 2]
    assert store.registry.get("m", "champion").version == 1


def test_of_many_claims_at_once_one_wins(store: Store) -> None:
    won: list[str] = []
    barrier = threading.Barrier(8)

    def claim(owner: str) -> None:
        barrier.wait()
        try:
            store.ownership.claim(SWEEP, owner, taking_from=None)
        except AlreadyOwned:
            return
        won.append(owner)

    threads = [threading.Thread(target=claim, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = store.ownership.holder(SWEEP)
    assert [held.owner if held else None] == won


def test_beats_are_counted_and_bring_the_wish_to_stop(store: Store) -> None:
    fence = store.ownership.claim(SWEEP, "first", taking_from=None)
    assert store.ownership.beat(fence) is False
    assert store.ownership.ask_to_stop(SWEEP) is True
    assert store.ownership.beat(fence) is True
    held = store.ownership.holder(SWEEP)
    assert held is not None
    assert (held.heartbeat, held.stop_asked) == (2, True)
    assert store.ownership.ask_to_stop(OTHER) is False


def test_a_takeover_begins_with_no_beats_and_no_wish_to_stop(store: Store) -> None:
    fence = store.ownership.claim(SWEEP, "first", taking_from=None)
    store.ownership.beat(fence)
    store.ownership.ask_to_stop(SWEEP)
    taken = store.ownership.claim(SWEEP, "second", taking_from=fence.token)
    held = store.ownership.holder(SWEEP)
    assert held is not None
    assert (held.heartbeat, held.stop_asked) == (0, False)
    assert store.ownership.beat(taken) is False


def test_who_lost_a_sweep_can_neither_beat_nor_release_nor_record(store: Store) -> None:
    fence = store.ownership.claim(SWEEP, "first", taking_from=None)
    store.tracker.record([sweep()], fence)
    taken = store.ownership.claim(SWEEP, "second", taking_from=fence.token)
    store.ownership.release(fence)
    with pytest.raises(FencedOff):
        store.ownership.beat(fence)
    with pytest.raises(FencedOff, match="late changes were refused"):
        store.tracker.record([RunUpdated(SWEEP, tags={"late": "yes"}), sweep(OTHER, "other")], fence)
    assert "late" not in store.tracker.get(SWEEP).tags
    assert names(store) == ["my sweep"]
    store.tracker.record([RunUpdated(SWEEP, tags={"late": "no"})], taken)
    assert store.tracker.get(SWEEP).tags["late"] == "no"


def test_who_was_fenced_off_is_superseded(store: Store) -> None:
    with pytest.raises(Superseded):
        store.tracker.record([sweep()], Fence(SWEEP, "no token of anybody"))


def test_a_released_sweep_can_be_claimed_but_not_written_by_its_old_driver(store: Store) -> None:
    fence = store.ownership.claim(SWEEP, "first", taking_from=None)
    store.ownership.release(fence)
    store.ownership.release(fence)
    assert store.ownership.holder(SWEEP) is None
    with pytest.raises(FencedOff):
        store.tracker.record([sweep()], fence)
    store.ownership.claim(SWEEP, "second", taking_from=None)


def test_a_change_that_fails_is_undone_under_a_fence_too(store: Store) -> None:
    fence = store.ownership.claim(SWEEP, "first", taking_from=None)
    with pytest.raises(NotFound):
        store.tracker.record([sweep(), RunUpdated(OTHER)], fence)
    assert names(store) == []


def test_a_new_name_is_given_to_one_sweep_only(store: Store) -> None:
    store.tracker.record([sweep(new_name=True)])
    with pytest.raises(NameTaken, match=f"'my sweep' is run {SWEEP}"):
        store.tracker.record([sweep(OTHER, new_name=True)])
    store.tracker.record([sweep(new_name=True)])  # the same one again
    store.tracker.record([sweep(OTHER, "your sweep", new_name=True)])
    assert names(store) == ["my sweep", "your sweep"]


def test_a_run_that_is_no_sweep_takes_no_name(store: Store) -> None:
    store.tracker.record([RunStarted(OTHER, "my sweep", "iris", 900)])
    store.tracker.record([sweep(new_name=True)])
    assert names(store) == ["my sweep"]


def test_a_sweep_below_another_run_takes_no_name(store: Store) -> None:
    store.tracker.record([RunStarted(OTHER, "all of it", "iris", 900)])
    store.tracker.record([replace(sweep(), parent_id=OTHER)])
    store.tracker.record([sweep("7" * 32, new_name=True)])
    assert len(store.tracker.find(Query(sweeps=True, roots=True, name="my sweep"))) == 1


def test_owners_are_seen_by_another_process_that_opened_the_file_before(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with open_store(uri) as store, open_store(uri, read_only=True) as reader:
        fence = store.ownership.claim(SWEEP, "first", taking_from=None)
        held = reader.ownership.holder(SWEEP)
        assert held is not None
        assert held.token == fence.token


def test_the_name_of_a_deleted_sweep_is_free(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/mlflow.db") as store:
        store.tracker.experiment("iris")
        store.tracker.record([sweep(new_name=True)])
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as other:
            other.execute("UPDATE runs SET lifecycle_stage = 'deleted'")
            other.commit()
        store.tracker.record([sweep(OTHER, new_name=True)])
        assert [run.id for run in store.tracker.find(Query(sweeps=True))] == [OTHER]
