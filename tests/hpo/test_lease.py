"""A driver elsewhere is dead when its heartbeat stood still for a lease of the watcher's own clock."""

import pytest

from hpo.driver import Life
from hpo.errors import ConfigError
from hpo.lease import LEASE, LeaseWatch, lease_seconds
from trackers.ownership import Holder


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def holder(heartbeat: int, token: str = "a", age: float | None = None) -> Holder:
    return Holder("somebody", token, heartbeat, age=age)


def test_a_heartbeat_that_stands_still_for_a_lease_is_a_death() -> None:
    clock = Clock()
    watch = LeaseWatch(60, clock)
    seen = []
    for _ in range(7):
        seen.append(watch.look(lambda: holder(5)))
        clock.now += 10
    assert seen == [Life.UNKNOWN] * 6 + [Life.DEAD]


def test_a_heartbeat_that_changes_is_a_sign_of_life_however_long_it_took_to_look() -> None:
    clock = Clock()
    watch = LeaseWatch(60, clock)
    watch.look(lambda: holder(5))
    clock.now += 7200  # the watcher's machine slept
    assert watch.look(lambda: holder(6)) is Life.ALIVE


def test_a_new_token_is_a_sign_of_life() -> None:
    watch = LeaseWatch(60, Clock())
    watch.look(lambda: holder(5))
    assert watch.look(lambda: holder(5, "b")) is Life.ALIVE


def test_nobody_holds_a_sweep_whose_driver_gave_it_back() -> None:
    assert LeaseWatch(60, Clock()).look(lambda: None) is Life.DEAD


def test_a_watcher_that_was_stopped_while_it_read_does_not_count_that_time() -> None:
    clock = Clock()
    watch = LeaseWatch(60, clock)

    def slow_read() -> Holder:
        clock.now += 100
        return holder(5)

    assert [watch.look(slow_read), watch.look(slow_read)] == [Life.UNKNOWN] * 2


def test_the_wall_clock_has_no_part_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """F17: +2 h, -2 h and the year 2038 make no lease end."""
    watch = LeaseWatch(60)
    for now in (1e9, 1e9 + 7200, 1e9 - 7200, 2.0**31 + 5):
        monkeypatch.setattr("time.time", lambda now=now: now)
        assert watch.look(lambda: holder(5)) is Life.UNKNOWN


def test_the_lease_is_a_variable_or_a_minute() -> None:
    assert lease_seconds({}) == lease_seconds({"HPO_LEASE": ""}) == LEASE == 60
    assert lease_seconds({"HPO_LEASE": "0.5"}) == 0.5


@pytest.mark.parametrize("text", ["x", "-1", "0", "nan", "inf", "1m"])
def test_a_lease_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=f"HPO_LEASE must be a number of seconds above 0, got '{text}'"):
        lease_seconds({"HPO_LEASE": text})


def test_where_a_server_has_a_clock_a_lease_that_ran_out_is_a_death_at_once() -> None:
    assert LeaseWatch(60, Clock()).look(lambda: holder(5, age=60.0)) is Life.DEAD
    assert LeaseWatch(60, Clock()).look(lambda: holder(5, age=59.0)) is Life.UNKNOWN


def test_where_a_server_has_a_clock_the_watchers_own_says_nothing() -> None:
    clock = Clock()
    watch = LeaseWatch(60, clock)
    watch.look(lambda: holder(5, age=1.0))
    clock.now += 7200  # the watcher's machine slept, and the server with it
    assert watch.look(lambda: holder(5, age=2.0)) is Life.UNKNOWN
    assert watch.look(lambda: holder(6, age=0.5)) is Life.ALIVE
