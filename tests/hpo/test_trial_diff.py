"""Two trials, or two sweeps, on record side by side."""

import json
import math
from collections.abc import Mapping

import pytest

from hpo.errors import ConfigError
from hpo.pairs import Pair, paired, paired_metrics
from hpo.settings_on_record import ABSENT, ORDER, differing, settings_of
from hpo.trial import Goal
from hpo.trial_diff import TrialDiff, side_of, trial_diff
from trackers.memory_tracker import MemoryTracker
from trackers.records import Dataset, Point, Run, RunEnded, RunStarted, RunUpdated, Status, SweepFacts, TrialFacts

FILE = """version: 1
name: {name}
metric: {{name: loss, goal: minimize}}
objective: {{python: "train:objective"}}
parameters:
  depth: {{type: int, low: 1, high: {high}}}
  rate: [0.1, 0.2]
engine: {{name: optuna, sampler: {sampler}, seed: 7}}
budget: {{n_trials: 4}}
"""


def sweep(
    tracker: MemoryTracker, name: str, *, tags: Mapping[str, str] | None = None, seed: int = 7, **file: object
) -> str:
    text = FILE.format(name=name, **{"high": 8, "sampler": "tpe", **file})
    facts = SweepFacts(json.dumps({"engine": {"seed": seed}, "file": text}), name, "loss", "minimize", seed, window=1)
    run_id = name.encode().hex().ljust(32, "0")
    tracker.experiment("all")
    tracker.record([RunStarted(run_id, name, "all", 1000, tags=tags or {}, sweep=facts)])
    return run_id


def trial(tracker: MemoryTracker, parent: str, number: int, params: Mapping[str, object], **metrics: float) -> Run:
    run_id = f"{parent[:20]}{number + 1:012x}"
    facts = TrialFacts(number, params, "RUNNING", seed=100 + number)  # type: ignore[arg-type]
    ended = TrialFacts(number, params, "COMPLETE", seed=100 + number, value=metrics["loss"], seconds=1.0)  # type: ignore[arg-type]
    points = [Point(name, value) for name, value in metrics.items()]
    tracker.record([RunStarted(run_id, f"trial-{number}", "all", 2000, parent, params, trial=facts)])  # type: ignore[arg-type]
    tracker.record([RunEnded(run_id, Status.FINISHED, 3000, points, trial=ended)])
    return tracker.get(run_id)


def diff(tracker: MemoryTracker, before: Run, after: Run) -> TrialDiff:
    sides = [side_of(tracker, run, is_sweep=run.sweep is not None) for run in (before, after)]
    return trial_diff(tracker, *sides)


def test_params_are_paired_by_name_with_their_types() -> None:
    pairs = paired({"depth": 3, "same": None, "old": 1}, {"same": None, "depth": 3.0, "new": True})
    assert [pair.name for pair in pairs if not pair.is_same] == ["depth", "old", "new"]
    assert pairs[2] == Pair("old", 1, ABSENT)


def test_a_metric_is_better_or_worse_by_its_goal_only() -> None:
    before, after = {"loss": 2.0, "accuracy": 0.5, "other": 1.0}, {"loss": 1.5, "accuracy": 0.25, "other": 2.0}
    pairs = paired_metrics(before, after, {"accuracy": Goal.MAXIMIZE, "loss": Goal.MINIMIZE})
    found = [(pair.name, pair.difference, pair.verdict) for pair in pairs]
    assert found == [("accuracy", -0.25, "worse"), ("loss", -0.5, "better"), ("other", 1.0, "")]


def test_a_metric_that_is_missing_or_not_finite_has_no_difference() -> None:
    pairs = paired_metrics({"a": 1.0, "b": math.nan, "c": math.nan}, {"b": 2.0, "c": math.nan}, {"a": Goal.MINIMIZE})
    assert [(pair.name, pair.difference, pair.is_same) for pair in pairs] == [
        ("a", None, False),
        ("b", None, False),
        ("c", None, True),
    ]


def test_two_trials_of_a_sweep_share_settings_code_and_environment() -> None:
    tracker = MemoryTracker()
    parent = sweep(tracker, "one", tags={"hpo.data.train": "d" * 36, "hpo.python": "3.11.9"})
    found = diff(
        tracker, trial(tracker, parent, 0, {"depth": 1}, loss=2), trial(tracker, parent, 1, {"depth": 2}, loss=1)
    )
    assert (found.before.address, found.after.address) == ("one#0", "one#1")
    assert found.settings == ()
    assert found.params == [Pair("depth", 1, 2)]
    assert found.metrics[0].verdict == "better"
    assert list(found.seeds) == [Pair("trial", 100, 101), Pair("sweep", 7, 7)]
    assert (found.code.same, found.data.same, found.environment.same) == (True, True, True)


def test_trials_of_two_sweeps_bring_the_settings_that_differ() -> None:
    tracker = MemoryTracker()
    old, new = sweep(tracker, "old"), sweep(tracker, "new", high=9, sampler="random")
    found = diff(tracker, trial(tracker, old, 0, {"depth": 1}, loss=1), trial(tracker, new, 0, {"depth": 1}, loss=1))
    assert list(found.settings) == [Pair("parameters.depth.high", 8, 9), Pair("engine.sampler", "tpe", "random")]
    assert all(pair.is_same for pair in [*found.params, *found.metrics])


def test_two_sweeps_are_compared_by_settings_and_best_value() -> None:
    tracker = MemoryTracker()
    old, new = sweep(tracker, "old", high=8), sweep(tracker, "new", high=9)
    for parent, values in ((old, (3, 2)), (new, (4, 1))):
        for number, value in enumerate(values):
            trial(tracker, parent, number, {"depth": 1}, loss=value)
    found = diff(tracker, tracker.get(old), tracker.get(new))
    assert [pair.name for pair in found.settings] == ["parameters.depth.high"]
    assert [(pair.before, pair.after, pair.verdict) for pair in found.metrics] == [(2.0, 1.0, "better")]
    assert not found.params


def test_a_sweep_and_a_trial_are_not_alike() -> None:
    tracker = MemoryTracker()
    parent = sweep(tracker, "one")
    run = trial(tracker, parent, 0, {}, loss=1)
    with pytest.raises(ConfigError, match="'one' is a sweep and 'one#0' a trial"):
        diff(tracker, run, tracker.get(parent))


def test_the_verdict_is_left_out_where_two_sweeps_want_opposite_things() -> None:
    tracker = MemoryTracker()
    old = sweep(tracker, "old")
    facts = SweepFacts("{}", "x", "loss", "maximize", 1, window=1)
    tracker.record([RunStarted("f" * 32, "new", "all", 1000, sweep=facts)])
    found = diff(tracker, trial(tracker, old, 0, {}, loss=1), trial(tracker, "f" * 32, 0, {}, loss=2))
    assert found.metrics[0].verdict == ""
    assert found.metrics[0].difference == 1


def test_what_tags_say_of_code_data_and_environment_is_compared() -> None:
    tracker = MemoryTracker()
    tags = {"mlflow.source.git.commit": "a" * 40, "hpo.git.dirty": "false", "hpo.data.train": "1" * 36}
    tags |= {"hpo.python": "3.11.9", "hpo.environment": "3 packages"}
    other = {**tags, "mlflow.source.git.commit": "b" * 40, "hpo.data.train": "2" * 36, "hpo.python": "3.12.1"}
    old, new = tracker.get(sweep(tracker, "old", tags=tags)), tracker.get(sweep(tracker, "new", tags=other))
    found = diff(tracker, old, new)
    assert [str(change) for part in (found.code, found.data, found.environment) for change in part.changes] == [
        "code commit: commit aaaaaaaaaaaa -> commit bbbbbbbbbbbb",
        f"data train: {'1' * 12} -> {'2' * 12}",
        "python version: 3.11.9 -> 3.12.1",
    ]


def test_edits_that_nobody_kept_leave_it_open_whether_the_code_is_the_same() -> None:
    tracker = MemoryTracker()
    tags = {"mlflow.source.git.commit": "a" * 40, "hpo.git.dirty": "true"}
    old, new = tracker.get(sweep(tracker, "old", tags=tags)), tracker.get(sweep(tracker, "new", tags=tags))
    part = diff(tracker, old, new).code
    assert part.same is None
    assert part.note == "commit aaaaaaaaaaaa with edits; the edits are not on record"
    assert diff(tracker, old, tracker.get(sweep(tracker, "bare"))).code.note == "not on record"


def test_settings_are_read_from_the_file_on_record_without_its_name() -> None:
    tracker = MemoryTracker()
    settings = settings_of(tracker.get(sweep(tracker, "one")))
    assert settings["parameters.rate"] == [0.1, 0.2]
    assert settings[ORDER] == ["depth", "rate"]
    assert not {"name", "version"} & set(settings)


def test_the_order_of_parameters_differs_only_where_they_are_the_same_ones() -> None:
    one, other = {ORDER: ["a", "b"], "x": 1}, {ORDER: ["b", "a"], "x": 1.0}
    assert differing([one, other]) == {ORDER: [["a", "b"], ["b", "a"]], "x": [1, 1.0]}
    assert differing([one, {ORDER: ["b"]}]) == {"x": [1, ABSENT]}
    assert differing([one, one, {**one, "y": None}]) == {"y": [ABSENT, ABSENT, None]}


def test_a_record_without_its_file_is_compared_by_what_decides_its_trials() -> None:
    broken = SweepFacts("no json", "x", "loss", "minimize", 1, window=1)
    tracker = MemoryTracker()
    tracker.experiment("all")
    tracker.record([RunStarted("e" * 32, "e", "all", 1, sweep=broken)])
    assert settings_of(tracker.get("e" * 32)) == {}
    whole = SweepFacts('{"engine": {"seed": 3}, "name": "x"}', "x", "loss", "minimize", 1, window=1)
    tracker.record([RunStarted("d" * 32, "d", "all", 1, sweep=whole)])
    assert settings_of(tracker.get("d" * 32)) == {"engine.seed": 3}


def test_data_sets_are_compared_with_what_a_trial_read_beyond_its_sweep() -> None:
    tracker = MemoryTracker()
    parent = sweep(tracker, "one")
    tracker.record([RunUpdated(parent, datasets=[Dataset("train", "1" * 36)])])
    before, after = (trial(tracker, parent, number, {}, loss=1) for number in (0, 1))
    assert diff(tracker, before, after).data.note == "train 111111111111"
    tracker.record([RunUpdated(after.id, datasets=[Dataset("more.csv", "2" * 36)])])
    part = diff(tracker, before, after).data
    assert part.same is False
    assert [str(change) for change in part.changes] == ["data more.csv: nothing -> digest 222222222222"]
