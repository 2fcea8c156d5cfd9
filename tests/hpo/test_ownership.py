"""Claiming a sweep, keeping it and losing it, as its driver does."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from waiting import until

from hpo.driver import Driver
from hpo.errors import SweepOwned
from hpo.interruption import Interruption
from hpo.ownership import Claimant, claimed
from trackers.errors import StoreBusy, StoreUnavailable, Superseded
from trackers.opening import Store, open_store
from trackers.ownership import Holder
from trackers.records import Fence, RunStarted, SweepFacts

SWEEP = "5" * 32
PARENT = RunStarted(SWEEP, "iris", "Default", 1, sweep=SweepFacts("{}", "c0ffee", "rmse", "minimize", 1, 1, 3))


@pytest.fixture
def store() -> Iterator[Store]:
    with open_store("memory://") as opened:
        yield opened


@pytest.fixture
def neighbour() -> Iterator[Driver]:
    """A living process on this host that is not this one."""
    from hpo import driver

    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield replace(Driver.here(), pid=process.pid, start=driver._start_of(process.pid) or "")
        process.kill()


def test_a_sweep_is_held_inside_the_block_only(store: Store) -> None:
    with claimed(store.ownership, SWEEP, "iris") as claim:
        holder = store.ownership.holder(SWEEP)
        assert holder is not None
        assert holder.token == claim.fence.token
        assert replace(Driver.parse(holder.owner), since="") == replace(Driver.here(), since="")
        assert (claim.before, claim.died) == ("", False)
    assert store.ownership.holder(SWEEP) is None


def test_a_sweep_is_given_back_when_the_block_fails(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), claimed(store.ownership, SWEEP, "iris"):
        _ = 1 / 0
    assert store.ownership.holder(SWEEP) is None


def test_a_second_driver_is_refused_and_told_who_the_first_is(store: Store, neighbour: Driver) -> None:
    store.ownership.claim(SWEEP, neighbour.text, taking_from=None)
    expected = (
        rf"'iris' is run by pid {neighbour.pid} on host {neighbour.host} since .* UTC; nothing was done.*takeover"
    )
    with pytest.raises(SweepOwned, match=expected), claimed(store.ownership, SWEEP, "iris"):
        pytest.fail("two drivers")


def test_a_second_thread_of_the_same_process_is_refused(store: Store) -> None:
    with (
        claimed(store.ownership, SWEEP, "iris"),
        pytest.raises(SweepOwned),
        claimed(store.ownership, SWEEP, "iris"),
    ):
        pytest.fail("two drivers")


def test_this_process_goes_on_with_a_sweep_it_could_not_give_back(store: Store) -> None:
    store.ownership.claim(SWEEP, Driver.here().text, taking_from=None)
    with claimed(store.ownership, SWEEP, "iris") as claim:
        assert claim.died


@pytest.mark.parametrize("change", [{"boot": "before"}, {"start": "1"}])
def test_a_dead_driver_on_this_host_is_followed_at_once(
    store: Store, neighbour: Driver, change: dict[str, str]
) -> None:
    """F18"""
    dead = replace(neighbour, **change)  # type: ignore[arg-type]
    store.ownership.claim(SWEEP, dead.text, taking_from=None)

    def no_pause(_: float) -> None:
        pytest.fail("waited")

    claim = Claimant(store.ownership, SWEEP, "iris", pause=no_pause).claim(takeover=False)
    assert (claim.before, claim.died) == (str(dead), True)


def test_a_driver_elsewhere_is_followed_after_a_lease_without_a_heartbeat(store: Store, neighbour: Driver) -> None:
    store.ownership.claim(SWEEP, replace(neighbour, host="elsewhere").text, taking_from=None)
    now = [0.0]

    def pause(seconds: float) -> None:
        now[0] += seconds

    claim = Claimant(store.ownership, SWEEP, "iris", 60, lambda: now[0], pause).claim(takeover=False)
    assert claim.died
    assert 60 <= now[0] < 66


def test_a_driver_elsewhere_that_beats_is_not_followed(store: Store, neighbour: Driver) -> None:
    fence = store.ownership.claim(SWEEP, replace(neighbour, host="elsewhere").text, taking_from=None)
    now = [0.0]

    def pause(seconds: float) -> None:
        now[0] += seconds
        if now[0] > 15:
            store.ownership.beat(fence)

    with pytest.raises(SweepOwned, match="on host elsewhere"):
        Claimant(store.ownership, SWEEP, "iris", 60, lambda: now[0], pause).claim(takeover=False)
    assert now[0] < 20


def test_who_takes_a_sweep_while_another_watches_it_is_the_one_named(store: Store, neighbour: Driver) -> None:
    dead = replace(neighbour, host="elsewhere")
    fence = store.ownership.claim(SWEEP, dead.text, taking_from=None)
    now = [0.0]

    def pause(seconds: float) -> None:
        now[0] += seconds
        if now[0] > 15:
            held = store.ownership.holder(SWEEP)
            if held and held.token == fence.token:
                winner = replace(dead, pid=77, host="far")
                store.ownership.claim(SWEEP, winner.text, taking_from=fence.token)

    with pytest.raises(SweepOwned, match="is run by pid 77 on host far"):
        Claimant(store.ownership, SWEEP, "iris", 60, lambda: now[0], pause).claim(takeover=False)


def test_a_sweep_that_is_given_back_while_it_is_watched_is_taken(store: Store, neighbour: Driver) -> None:
    fence = store.ownership.claim(SWEEP, replace(neighbour, host="elsewhere").text, taking_from=None)

    claim = Claimant(store.ownership, SWEEP, "iris", pause=lambda _: store.ownership.release(fence)).claim(
        takeover=False
    )

    held = store.ownership.holder(SWEEP)
    assert held is not None
    assert held.token == claim.fence.token


@pytest.mark.parametrize("lives", [True, False])
def test_who_takes_a_sweep_from_a_living_driver_ends_its_trials(
    store: Store, neighbour: Driver, monkeypatch: pytest.MonkeyPatch, lives: bool
) -> None:
    ended: list[int] = []
    monkeypatch.setattr("hpo.processes.slot_processes.end_slots_of", ended.append)
    store.ownership.claim(SWEEP, (neighbour if lives else replace(neighbour, start="1")).text, taking_from=None)

    Claimant(store.ownership, SWEEP, "iris").claim(takeover=True)

    assert ended == [neighbour.pid] * lives


def test_a_sweep_that_could_not_be_given_back_is_taken_up_again_in_the_same_process(store: Store) -> None:
    class Away:
        """The store is away when the sweep is given back."""

        def __getattr__(self, name: str) -> object:
            return getattr(store.ownership, name)

        def release(self, fence: Fence) -> None:
            raise StoreUnavailable("it is away")

    with claimed(Away(), SWEEP, "iris"):  # type: ignore[arg-type]  # what it lacks, the real one has
        pass
    with claimed(store.ownership, SWEEP, "iris") as claim:
        assert claim.died


class Locked:
    """An ownership in which a dead driver's write, begun and never ended, keeps its row for a while."""

    def __init__(self, store: Store, tries: int, age: float | None) -> None:
        self._of, self._age, self.tries = store.ownership, age, tries

    def __getattr__(self, name: str) -> object:
        return getattr(self._of, name)

    def holder(self, sweep_id: str) -> Holder | None:
        held = self._of.holder(sweep_id)
        return held and replace(held, age=self._age)

    def claim(self, sweep_id: str, owner: str, *, taking_from: str | None) -> Fence:
        self.tries -= 1
        if self.tries >= 0:
            raise StoreBusy("a row is held")
        return self._of.claim(sweep_id, owner, taking_from=taking_from)


@pytest.fixture
def seconds() -> Iterator[Callable[..., float]]:
    """A clock on which each look takes ten seconds."""
    ticks = iter(range(0, 10_000, 10))
    return lambda *_: next(ticks)


def test_what_a_dead_driver_had_begun_to_write_is_waited_for(store: Store, seconds: Callable[..., float]) -> None:
    store.ownership.claim(SWEEP, Driver(7, "elsewhere").text, taking_from=None)
    locked = Locked(store, tries=3, age=100.0)
    claim = Claimant(locked, SWEEP, "iris", 60, seconds, lambda _: None).claim(takeover=False)
    assert (claim.died, locked.tries) == (True, -1)


def test_a_row_that_is_never_freed_is_not_waited_for_without_end(store: Store, seconds: Callable[..., float]) -> None:
    store.ownership.claim(SWEEP, Driver(7, "elsewhere").text, taking_from=None)
    with pytest.raises(StoreBusy):
        Claimant(Locked(store, 1000, age=100.0), SWEEP, "iris", 60, seconds, lambda _: None).claim(takeover=False)


def test_a_busy_store_without_a_server_that_frees_it_is_not_waited_for(
    store: Store, seconds: Callable[..., float]
) -> None:
    store.ownership.claim(SWEEP, Driver(7, "elsewhere").text, taking_from=None)
    with pytest.raises(StoreBusy):
        Claimant(Locked(store, 1, age=None), SWEEP, "iris", 60, seconds, lambda _: None).claim(takeover=True)


def test_a_takeover_asks_nobody_and_fences_the_first_driver_off(store: Store) -> None:
    interruption = Interruption()

    def drive() -> None:
        with claimed(store.ownership, SWEEP, "iris", interruption=interruption) as first:
            second = Claimant(store.ownership, SWEEP, "iris").claim(takeover=True)
            assert (second.before != "", second.died) == (True, False)
            until(lambda: interruption.over)  # its heart found out
            store.tracker.record([PARENT], first.fence)

    with pytest.raises(Superseded, match=r"'iris' was superseded by pid \d+ on host .*late results were refused"):
        drive()
    assert store.ownership.holder(SWEEP) is not None


def test_a_takeover_is_meant_for_the_driver_seen_and_not_for_the_next(store: Store, neighbour: Driver) -> None:
    class Overtaken:
        """Somebody else takes over between looking and claiming."""

        def __init__(self) -> None:
            self.done = False

        def __getattr__(self, name: str) -> object:
            return getattr(store.ownership, name)

        def claim(self, sweep_id: str, owner: str, *, taking_from: str | None) -> object:
            if not self.done:
                self.done = True
                store.ownership.claim(sweep_id, neighbour.text, taking_from=taking_from)
            return store.ownership.claim(sweep_id, owner, taking_from=taking_from)

    store.ownership.claim(SWEEP, replace(neighbour, since="then").text, taking_from=None)
    with pytest.raises(SweepOwned, match=neighbour.since):
        Claimant(Overtaken(), SWEEP, "iris").claim(takeover=True)  # type: ignore[arg-type]


def test_a_wish_to_stop_interrupts_like_one_ctrl_c(store: Store) -> None:
    interruption = Interruption()
    with claimed(store.ownership, SWEEP, "iris", interruption=interruption):
        assert not interruption.asked
        store.ownership.ask_to_stop(SWEEP)
        until(lambda: interruption.asked)
        assert not interruption.over


def test_the_heart_beats_while_the_driver_is_busy(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPO_LEASE", "0.05")
    with claimed(store.ownership, SWEEP, "iris"):
        until(lambda: (held := store.ownership.holder(SWEEP)) is not None and held.heartbeat >= 3)
    assert "hpo-heart" not in [thread.name for thread in threading.enumerate()]
