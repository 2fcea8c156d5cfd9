"""Several sweeps on record side by side."""

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from hpo.comparison_plot import plot_comparison
from hpo.drawing import save_figure
from hpo.errors import ConfigError
from hpo.front import hypervolume
from hpo.sweep_compare import Comparison, compare
from hpo.trial import Goal
from hpo.trial_diff import side_of, trial_diff
from trackers.memory_tracker import MemoryTracker
from trackers.records import Dataset, Point, Query, Run, RunEnded, RunStarted, Status, SweepFacts, TrialFacts

BOTH = (("loss", "minimize"), ("auc", "maximize"))


def sweep(
    tracker: MemoryTracker,
    name: str,
    trials: Sequence[Mapping[str, float]],
    *,
    goals: Sequence[tuple[str, str]] = BOTH[:1],
    tags: Mapping[str, str] | None = None,
    **config: object,
) -> str:
    """Trials of one second each, one after the other."""
    run_id = name.encode().hex().ljust(32, "0")[:32]
    several = {"metrics": [{"name": metric, "goal": goal} for metric, goal in goals]} if len(goals) > 1 else {}
    facts = SweepFacts(json.dumps({**several, **config}), "hash", *goals[0], seed=1, window=1)
    tracker.experiment("all")
    tracker.record([RunStarted(run_id, name, "all", 0, tags=tags or {}, sweep=facts)])
    for number, metrics in enumerate(trials):
        child = f"{run_id[:20]}{number + 1:012x}"
        value = metrics[goals[0][0]] if len(goals) == 1 else None
        begun = TrialFacts(number, {"x": number}, seed=number)
        ended = TrialFacts(number, {"x": number}, "COMPLETE", seed=number, value=value)
        points = [Point(metric, measured) for metric, measured in metrics.items()]
        tracker.record([RunStarted(child, f"trial-{number}", "all", 1000 * number, run_id, {"x": number}, trial=begun)])
        tracker.record([RunEnded(child, Status.FINISHED, 1000 * (number + 1), points, trial=ended)])
    return run_id


def losses(*values: float) -> list[Mapping[str, float]]:
    return [{"loss": value} for value in values]


def compared(tracker: MemoryTracker, *ids: str, metric: str | None = None) -> Comparison:
    return compare(tracker, [tracker.get(run_id) for run_id in ids], metric=metric)


def test_each_sweep_is_measured_against_the_best_of_the_others() -> None:
    tracker = MemoryTracker()
    ids = [sweep(tracker, "a", losses(5, 3, 1)), sweep(tracker, "b", losses(4, 2, 2)), sweep(tracker, "c", losses(9))]
    found = compared(tracker, *ids)
    a, b, c = found.sweeps
    assert [one.others_best for one in found.sweeps] == [2.0, 1.0, 1.0]
    assert a.course
    assert b.course
    assert (a.course.trials_to(a.others_best), a.course.seconds_to(a.others_best)) == (3, 3.0)
    assert b.course.trials_to(b.others_best) is None
    assert (b.best_run and b.best_run.trial and b.best_run.trial.number) == 1  # of equal ones the first
    assert c.counts == {"COMPLETE": 1}
    assert found.goals == {"loss": Goal.MINIMIZE}


def test_values_of_other_metrics_are_not_compared_but_the_rest_is_shown() -> None:
    tracker = MemoryTracker()
    ids = [sweep(tracker, "a", losses(1)), sweep(tracker, "b", [{"auc": 0.5}], goals=BOTH[1:])]
    found = compared(tracker, *ids)
    assert found.why_not == "a is searched by loss (minimize); b is searched by auc (maximize)"
    assert [one.others_best for one in found.sweeps] == [None, None]
    assert [one.course and one.course.best for one in found.sweeps] == [1.0, 0.5]
    with pytest.raises(ConfigError, match="nothing to draw together: a is searched by loss"):
        plot_comparison(found)


def test_the_same_metric_with_another_goal_is_another_one() -> None:
    tracker = MemoryTracker()
    ids = [sweep(tracker, "a", losses(1)), sweep(tracker, "b", losses(2), goals=[("loss", "maximize")])]
    assert compared(tracker, *ids).why_not
    assert not compared(tracker, *ids, metric="loss").why_not


def test_any_metric_of_the_trials_compares_sweeps_that_search_by_others() -> None:
    tracker = MemoryTracker()
    a = sweep(tracker, "a", [{"loss": 1, "rmse": 3}, {"loss": 2, "rmse": 2}])
    b = sweep(tracker, "b", [{"auc": 0.5, "rmse": 2.5}], goals=BOTH[1:])
    found = compared(tracker, a, b, metric="rmse")
    assert [one.course and one.course.best for one in found.sweeps] == [2.0, 2.5]
    assert found.goals == {"rmse": Goal.MINIMIZE}


def test_several_metrics_are_compared_by_hypervolume_from_one_corner() -> None:
    tracker = MemoryTracker()
    points = [[(4.0, 0.1), (2.0, 0.5)], [(3.0, 0.4), (1.0, 0.2)]]
    ids = [
        sweep(tracker, name, [{"loss": loss, "auc": auc} for loss, auc in of], goals=BOTH)
        for name, of in zip("ab", points, strict=True)
    ]
    found = compared(tracker, *ids)
    corner = tuple(found.reference.values())
    assert corner == pytest.approx((4.0 + 0.3, 0.1 - 0.04))
    ways = (Goal.MINIMIZE, Goal.MAXIMIZE)
    volumes = [one.course.best for one in found.sweeps if one.course]
    assert volumes == pytest.approx([hypervolume(of, ways, corner) for of in points])
    assert [one.front for one in found.sweeps] == [1, 2]
    assert [one.best_run for one in found.sweeps] == [None, None]


def test_a_corner_that_all_files_name_is_kept() -> None:
    tracker = MemoryTracker()
    trials = [{"loss": 1.0, "auc": 0.5}]
    ids = [sweep(tracker, name, trials, goals=BOTH, references={"loss": 10.0}) for name in "ab"]
    assert compared(tracker, *ids).reference["loss"] == 10.0


def test_only_settings_that_differ_are_told() -> None:
    tracker = MemoryTracker()
    ids = [
        sweep(tracker, name, losses(1), engine={"name": "optuna", "sampler": sampler}, duplicates="reuse")
        for name, sampler in (("a", "tpe"), ("b", "random"), ("c", "tpe"))
    ]
    assert compared(tracker, *ids).settings == {"engine.sampler": ["tpe", "random", "tpe"]}


def test_data_and_code_are_the_same_only_where_the_record_says_so() -> None:
    tracker = MemoryTracker()
    clean = {"mlflow.source.git.commit": "a" * 40, "hpo.git.dirty": "false"}
    ids = [
        sweep(tracker, "a", losses(1), tags={**clean, "hpo.data.train": "1"}),
        sweep(tracker, "b", losses(1), tags={**clean, "hpo.data.train": "1"}),
        sweep(tracker, "c", losses(1), tags={**clean, "mlflow.source.git.commit": "b" * 40, "hpo.data.train": "2"}),
        sweep(tracker, "d", losses(1)),
    ]
    same = [(found.same_data, found.same_code) for found in (compared(tracker, ids[0], other) for other in ids[1:])]
    assert same == [(True, True), (False, False), (None, None)]


def test_data_sets_on_record_are_compared_by_their_digests() -> None:
    tracker = MemoryTracker()
    a, b = sweep(tracker, "a", losses(1)), sweep(tracker, "b", losses(1))
    for run_id, digest in ((a, "1"), (b, "2")):
        tracker.record([RunEnded(run_id, Status.FINISHED, 9000, datasets=[Dataset("train", digest)])])
    assert compared(tracker, a, b).same_data is False
    assert compared(tracker, a, b).sweeps[1].data == {"train": "2"}


@pytest.mark.parametrize("kind", ["svg", pytest.param("png", marks=pytest.mark.slow)])
def test_the_picture_is_the_same_each_time_and_takes_any_name(tmp_path: Path, kind: str) -> None:
    tracker = MemoryTracker()
    names = ["_hidden", "$x^", "esc\x1b[31m", "漢字", "a" * 90]
    ids = [sweep(tracker, name, losses(1e305, 3 + at, 1 + at)) for at, name in enumerate(names)]
    found = compared(tracker, *ids)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("one", "two"):
            save_figure(plot_comparison(found), tmp_path / name, kind)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert b"\x1b" not in (tmp_path / "one").read_bytes() or kind == "png"


def test_the_picture_of_several_metrics_shows_their_fronts() -> None:
    tracker = MemoryTracker()
    trials = [{"loss": at % 5, "auc": at % 7} for at in range(30)]
    figure = plot_comparison(compared(tracker, *(sweep(tracker, name, trials, goals=BOTH) for name in "ab")))
    assert [axes.get_ylabel() for axes in figure.axes] == ["hypervolume so far"] * 2 + ["auc (maximize)"]
    legend = figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]


def test_values_far_off_do_not_squeeze_the_picture() -> None:
    tracker = MemoryTracker()
    values = losses(1e6, *(10 - at / 10 for at in range(60)))
    figure = plot_comparison(compared(tracker, *(sweep(tracker, name, values) for name in "ab")))
    assert figure.axes[0].get_ylim()[1] < 20
    assert figure.axes[2].get_xlim()[1] < 20


def test_sweeps_without_trials_make_an_empty_picture(tmp_path: Path) -> None:
    tracker = MemoryTracker()
    figure = plot_comparison(compared(tracker, sweep(tracker, "a", []), sweep(tracker, "b", losses(1))))
    save_figure(figure, tmp_path / "x.svg", "svg")
    assert (tmp_path / "x.svg").read_bytes().startswith(b"<?xml")


class CountingTracker(MemoryTracker):
    """Counts what it is asked."""

    asked = 0

    def find(self, query: Query) -> Sequence[Run]:
        self.asked += 1
        return super().find(query)

    def get(self, run_id: str) -> Run:
        self.asked += 1
        return super().get(run_id)


def test_a_store_is_asked_as_often_for_many_trials_as_for_few() -> None:
    asked = []
    for count in (2, 50):
        tracker = CountingTracker()
        ids = [sweep(tracker, name, losses(*range(count))) for name in "ab"]
        tracker.asked = 0
        compared(tracker, *ids)
        sides = [side_of(tracker, tracker.get(run_id), is_sweep=True) for run_id in ids]
        trial_diff(tracker, sides[0], sides[1])
        asked.append(tracker.asked)
    assert asked[0] == asked[1] < 20
