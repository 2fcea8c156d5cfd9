"""What names mean, on the reference tracker."""

import pytest

from hpo.errors import NothingFound
from hpo.naming import find_run, find_sweep, find_trial
from trackers.memory_tracker import MemoryTracker
from trackers.records import RunStarted, SweepFacts, TrialFacts
from trackers.tracker import Tracker

FACTS = SweepFacts("{}", "h", "loss", "minimize", 1, 1, 3)


def started(run_id: str, name: str, at: int, parent: str | None = None, number: int | None = None) -> RunStarted:
    sweep = FACTS if parent is None else None
    trial = TrialFacts(number, {}) if number is not None else None
    return RunStarted(run_id.ljust(32, "0"), name, "e", at, parent, sweep=sweep, trial=trial)


@pytest.fixture
def tracker() -> Tracker:
    tracker = MemoryTracker()
    tracker.experiment("e")
    old = started("aaaa1", "iris", 1)
    new = started("aaaa2", "iris", 2)
    wine = started("bbbb", "wine", 3)
    trials = [started(f"c{number:03d}", f"trial-{number}", 4, wine.run_id, number) for number in (0, 1, 2)]
    other = started("d001", "trial-0", 4, old.run_id, 0)
    foreign = [RunStarted("e" * 32, "plain", "e", 0), RunStarted("e1".ljust(32, "0"), "shy-ant", "e", 0, "e" * 32)]
    tracker.record([old, new, wine, *trials, other, *foreign])
    return tracker


def test_of_several_sweeps_of_one_name_the_latest_is_meant(tracker: Tracker) -> None:
    assert find_sweep(tracker, "iris").id.startswith("aaaa2")


def test_a_sweep_is_found_by_a_unique_prefix_of_its_run_id(tracker: Tracker) -> None:
    assert find_sweep(tracker, "aaaa1").name == "iris"
    assert find_sweep(tracker, "bbbb").name == "wine"


def test_an_ambiguous_prefix_names_what_it_may_mean(tracker: Tracker) -> None:
    with pytest.raises(NothingFound, match=r"'aaaa' may mean 2 runs: .*aaaa1.*aaaa2"):
        find_sweep(tracker, "aaaa")


def test_three_digits_are_not_a_prefix(tracker: Tracker) -> None:
    with pytest.raises(NothingFound, match="no sweep 'bbb'"):
        find_sweep(tracker, "bbb")


def test_latest_is_the_sweep_that_started_last(tracker: Tracker) -> None:
    assert find_sweep(tracker, "@latest").name == "wine"


def test_an_unknown_sweep_gets_the_nearest_name_and_the_way_to_list_them(tracker: Tracker) -> None:
    with pytest.raises(
        NothingFound, match=r"no sweep 'irsi' in sqlite:///x.db - did you mean 'iris'\? \(list them with: hpo ls\)"
    ):
        find_sweep(tracker, "irsi", "sqlite:///x.db")


def test_an_empty_store_says_how_to_start() -> None:
    for text in ("@latest", "iris"):
        with pytest.raises(NothingFound, match="holds no sweeps; start one with: hpo run"):
            find_sweep(MemoryTracker(), text)


def test_a_trial_is_found_by_sweep_and_number(tracker: Tracker) -> None:
    assert find_trial(tracker, "wine#1").name == "trial-1"
    assert find_trial(tracker, "bbbb#1").name == "trial-1"
    assert find_trial(tracker, "aaaa1#0").id.startswith("d001")


def test_a_bare_number_is_a_trial_of_the_latest_sweep(tracker: Tracker) -> None:
    assert find_trial(tracker, "2").id.startswith("c002")
    assert find_trial(tracker, "#2").id.startswith("c002")


def test_a_trial_is_found_by_a_prefix_of_its_run_id(tracker: Tracker) -> None:
    assert find_trial(tracker, "c001").trial.number == 1


def test_a_run_that_mlflow_wrote_is_found_by_its_name(tracker: Tracker) -> None:
    assert find_trial(tracker, "plain#shy-ant").name == "shy-ant"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wine#9", "no trial '9' in sweep 'wine', which has 0 to 2; see: hpo trials wine"),
        ("7", "no trial '7' in sweep 'wine', which has 0 to 2"),
        ("aaaa2#0", "no trial '0' in sweep 'iris', which has none yet"),
        ("plain#0", "whose runs have names and no numbers"),
        ("wine#", "no trial '' in sweep 'wine'"),
        ("nonsense", "no trial 'nonsense' in the store; name one by SWEEP#17"),
        ("win#1", "no sweep 'win' in the store - did you mean 'wine'?"),
        ("9999", "no trial '9999' in sweep 'wine'"),
    ],
)
def test_an_unknown_trial_says_what_there_is(tracker: Tracker, text: str, message: str) -> None:
    with pytest.raises(NothingFound) as caught:
        find_trial(tracker, text)
    assert message in str(caught.value)


def test_a_run_is_a_sweep_or_else_a_trial(tracker: Tracker) -> None:
    assert find_run(tracker, "wine").name == "wine"
    assert find_run(tracker, "wine#1").name == "trial-1"
    assert find_run(tracker, "1").name == "trial-1"
    assert find_run(tracker, "c001").name == "trial-1"
    with pytest.raises(NothingFound, match=r"no sweep 'whine' .* 'wine'"):
        find_run(tracker, "whine")
