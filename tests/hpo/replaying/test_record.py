"""What is on record of trials: read from a store, written down and read again, and whose numbers they are."""

import math

import pytest

from hpo.errors import ConfigError
from hpo.replaying.record import Record, TrialRecord, as_json, from_json, origin_of
from trackers.memory_tracker import MemoryTracker
from trackers.records import Dataset, Point, RunStarted, TrialFacts

SWEEP, FIRST, SECOND, THIRD = "5" * 32, "1" * 32, "2" * 32, "3" * 32


def record() -> Record:
    points = [Point("loss", 0.1 + 0.2, 3, 1000), Point("odd", math.nan, 0, 1), Point("far", -math.inf, 0, 1)]
    part = TrialRecord("iris#4, replicate 0", SECOND, TrialFacts(0, {}, "COMPLETE"), points[:1])
    data = [Dataset("train", "0" * 36, source='{"uri": "train.csv"}')]
    facts = TrialFacts(4, {"x": 0.1, "n": 3, "on": True, "kind": None}, "COMPLETE", seed=2**32 - 1, value=0.1)
    trial = TrialRecord("iris#4", FIRST, facts, points, [part], data, capture="abc", mlflow=True)
    return Record("iris", SWEEP, "version: 1\n", "loss", "iris.yaml", "/home/me", "/home/me", data, [trial])


def test_a_record_that_was_written_down_is_the_same_to_the_last_bit() -> None:
    again = from_json(as_json(record()))
    assert as_json(again) == as_json(record())
    assert again.trials[0].points[0].value.hex() == (0.1 + 0.2).hex()
    assert again.trials[0].facts == record().trials[0].facts


def test_secrets_are_not_written_down() -> None:
    from dataclasses import replace

    secret = replace(record(), secrets={"api_key": "hunter2"})
    assert "hunter2" not in as_json(secret) + repr(secret)


def test_a_text_that_is_no_record_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"trial\.json is no record of a trial: sweep: Field required"):
        from_json("{}")


def run(tracker: MemoryTracker, run_id: str, parent: str, tags: dict[str, str]) -> None:
    facts = TrialFacts(int(run_id[0]), {})
    tracker.record([RunStarted(run_id, "trial", "e", 1, parent, tags=tags, trial=facts)])


def test_the_numbers_of_a_trial_may_have_been_measured_in_another_run() -> None:
    tracker = MemoryTracker()
    tracker.experiment("e")
    tracker.record([RunStarted(SWEEP, "iris", "e", 1)])
    run(tracker, FIRST, SWEEP, {})
    run(tracker, SECOND, SWEEP, {"hpo.reused_from": FIRST})
    run(tracker, THIRD, SECOND, {"hpo.replay_of": SECOND, "hpo.replay": "same"})
    assert origin_of(tracker, tracker.get(THIRD)).id == FIRST


def test_a_trial_whose_origin_is_gone_stands_for_itself() -> None:
    tracker = MemoryTracker()
    tracker.experiment("e")
    tracker.record([RunStarted(SWEEP, "iris", "e", 1)])
    run(tracker, FIRST, SWEEP, {"hpo.taken_from": "9" * 32})
    assert origin_of(tracker, tracker.get(FIRST)).id == FIRST


def test_a_replicate_stands_for_its_trial() -> None:
    tracker = MemoryTracker()
    tracker.experiment("e")
    tracker.record([RunStarted(SWEEP, "iris", "e", 1)])
    run(tracker, FIRST, SWEEP, {})
    run(tracker, SECOND, FIRST, {"hpo.replicate": "1"})
    assert origin_of(tracker, tracker.get(SECOND)).id == FIRST
