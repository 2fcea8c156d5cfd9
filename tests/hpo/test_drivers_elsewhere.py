"""A driver on another host that died: all who look at its sweep say so, by the clock of the store's server."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from hpo.cli.sweep_view import SweepView
from hpo.driver import Driver
from hpo.errors import SweepOwned
from hpo.live_sweeps import check_none_is_driven
from hpo.stopping import Stopped, stop
from hpo.trial import State
from hpo.views.sweep_list import driver_of
from trackers.opening import Store, open_store
from trackers.records import Run, RunStarted, Status, SweepFacts, TrialFacts

SWEEP, TRIAL = "5" * 32, "6" * 32
ELSEWHERE = replace(Driver.here(), host="elsewhere", machine="of another one")


@pytest.fixture
def store(postgres_uri: str) -> Iterator[Store]:
    """One sweep with an open trial, whose driver on another host has just given a sign of life."""
    with open_store(postgres_uri) as opened:
        facts = SweepFacts('{"budget": {}}', "h", "loss", "minimize", 1, 1, 10)
        opened.tracker.record(
            [
                RunStarted(SWEEP, "far", "Default", 1, sweep=facts),
                RunStarted(TRIAL, "trial-0", "Default", 2, SWEEP, trial=TrialFacts(0, {"x": 1})),
            ]
        )
        opened.ownership.claim(SWEEP, ELSEWHERE.text, taking_from=None)
        yield opened


@pytest.fixture
def run(store: Store) -> Run:
    return store.tracker.get(SWEEP)


def wait_for_a_lease_of(milliseconds: int, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has counted that much since the driver's last sign of life."""
    while (holder := store.ownership.holder(SWEEP)) and (holder.age or 0) * 1000 < milliseconds:
        pass
    monkeypatch.setenv("HPO_LEASE", str(milliseconds / 1000))


def test_within_the_lease_nobody_can_tell_and_it_is_let_be(store: Store, run: Run) -> None:
    driver = driver_of(store, run)
    assert driver is not None
    assert driver.alive is None
    view = SweepView.read(store, run, store="", now=3)
    assert (view.driver, view.may_go_on) == (str(ELSEWHERE), False)
    with pytest.raises(SweepOwned, match="on host elsewhere"):
        check_none_is_driven(store)
    assert stop(store, run, waiting=lambda: None, is_over=lambda: True).how is Stopped.STILL_AT_WORK


def test_after_the_lease_all_who_look_say_that_it_is_dead(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for_a_lease_of(1, store, monkeypatch)
    driver = driver_of(store, run)
    assert driver is not None
    assert driver.alive is False
    view = SweepView.read(store, run, store="", now=3)
    assert (view.driver, view.may_go_on) == (f"{ELSEWHERE}, which is dead", True)
    check_none_is_driven(store)


def test_who_stops_a_sweep_whose_driver_died_elsewhere_puts_its_trials_back_at_once(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for_a_lease_of(1, store, monkeypatch)
    done = stop(store, run, waiting=lambda: pytest.fail("it waits for the dead"), is_over=lambda: False)
    assert done.how is Stopped.NO_DRIVER
    assert "is dead; 1 trial it left open will run again" in done.message
    assert store.ownership.holder(SWEEP) is None
    trial = store.tracker.get(TRIAL)
    assert (trial.status, trial.trial and trial.trial.state) == (Status.SCHEDULED, State.WAITING)
