"""What every tracker promises, checked on each of them; a new kind is one more line in TRACKERS."""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from trackers.errors import FilterError, InvalidRecord, NotFound, Superseded
from trackers.opening import open_store
from trackers.records import (
    Artifact,
    Dataset,
    LoggedModel,
    Order,
    Point,
    Query,
    RunEnded,
    RunStarted,
    RunUpdated,
    Status,
    SweepFacts,
    TrialFacts,
)
from trackers.tracker import Tracker


@contextmanager
def _memory(folder: Path) -> Iterator[Tracker]:
    with open_store("memory://", artifacts=str(folder / "mlruns")) as store:
        yield store.tracker


@contextmanager
def _sqlite(folder: Path) -> Iterator[Tracker]:
    with open_store(f"sqlite:///{folder}/mlflow.db", artifacts=str(folder / "mlruns")) as store:
        yield store.tracker


@contextmanager
def _postgres(folder: Path, uri: str) -> Iterator[Tracker]:
    with open_store(uri, artifacts=str(folder / "mlruns")) as store:
        yield store.tracker


TRACKERS: dict[str, Callable[..., AbstractContextManager[Tracker]]] = {
    "memory": _memory,
    "sqlite": _sqlite,
    "postgres": _postgres,
}


@pytest.fixture(params=TRACKERS)
def tracker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tracker]:
    more = [request.getfixturevalue("postgres_uri")] if request.param == "postgres" else []
    with TRACKERS[request.param](tmp_path, *more) as opened:
        opened.experiment("iris")
        yield opened


SWEEP = "5" * 32


def sweep(run_id: str = SWEEP, **changed: object) -> RunStarted:
    facts = SweepFacts("version: 1", "c0ffee", "rmse", "minimize", 42, 4, 10)
    return replace(RunStarted(run_id, "my sweep", "iris", 1000, sweep=facts), **changed)  # type: ignore[arg-type]


def started(number: int, *, attempt: int = 1, **changed: object) -> RunStarted:
    params = {"lr": 0.5 / (number + 1), "depth": number, "kind": "rf", "deep": True, "none": None}
    facts = TrialFacts(number, params, attempt=attempt, seed=number + 7)
    start = RunStarted(_id(number), f"trial {number}", "iris", 2000 + number, SWEEP, params, trial=facts)
    return replace(start, **changed)  # type: ignore[arg-type]


def ended(number: int, value: float | None, *, attempt: int = 1, state: str = "COMPLETE", reason: str = "") -> RunEnded:
    facts = TrialFacts(number, {}, state, attempt, value=value, reason=reason, seconds=1.5)
    status = {"COMPLETE": Status.FINISHED, "FAILED": Status.FAILED, "PRUNED": Status.KILLED}[state]
    points = () if value is None else (Point("rmse", value, 0, 3000 + number),)
    return RunEnded(_id(number), status, 3000 + number, points, trial=facts)


def _id(number: int) -> str:
    return f"{number:032x}"


def numbers(tracker: Tracker, **query: object) -> list[int]:
    found = tracker.find(Query(parent=SWEEP, **query))  # type: ignore[arg-type]
    return [run.trial.number for run in found if run.trial]


def test_a_new_store_has_experiment_0_and_counts_up(tracker: Tracker) -> None:
    assert tracker.experiment("Default") == "0"
    assert tracker.experiment("iris") == "1"
    assert tracker.experiment("wine") == "2"
    assert tracker.experiment("iris") == "1"


def test_a_run_is_read_as_it_was_recorded(tracker: Tracker, tmp_path: Path) -> None:
    data = Dataset("iris", "abc", "local", "{}", '{"x": 1}', None, "training")
    tracker.record([sweep(tags={"team": "x", "mlflow.note.content": "näh 😀\nzwei"}, user="ada", datasets=[data])])
    run = tracker.get(SWEEP)
    assert (run.id, run.name, run.experiment, run.status) == (SWEEP, "my sweep", "iris", Status.RUNNING)
    assert (run.started, run.ended, run.parent_id, run.user) == (1000, None, None, "ada")
    assert run.artifact_uri == f"{tmp_path}/mlruns/1/{SWEEP}/artifacts"
    assert run.tags == {
        "mlflow.note.content": "näh 😀\nzwei", "mlflow.runName": "my sweep", "mlflow.user": "ada", "team": "x",
    }  # fmt: skip
    assert run.sweep == SweepFacts("version: 1", "c0ffee", "rmse", "minimize", 42, 4, 10)


def test_params_come_back_typed_and_in_order(tracker: Tracker) -> None:
    tracker.record([sweep(), started(3)])
    params = tracker.get(_id(3)).params
    assert list(params.items()) == [("lr", 0.125), ("depth", 3), ("kind", "rf"), ("deep", True), ("none", None)]
    assert [type(value) for value in params.values()] == [float, int, str, bool, type(None)]


def test_params_of_a_run_that_is_no_trial_are_texts(tracker: Tracker) -> None:
    tracker.record([sweep(params={"n": 1, "flag": True})])
    assert tracker.get(SWEEP).params == {"n": "1", "flag": "True"}


def test_a_trial_ends_with_everything_at_once(tracker: Tracker) -> None:
    tracker.record([sweep(), started(0)])
    file = Artifact("plots/a.png", 12, "f" * 64)
    model = LoggedModel("m-" + "1" * 32, "model", "model", "sklearn")
    tracker.record([replace(ended(0, 0.5), artifacts=[file], models=[model], tags={"fold": "3"})])
    run = tracker.get(_id(0))
    assert (run.status, run.ended, run.metrics, run.tags["fold"]) == (Status.FINISHED, 3000, {"rmse": 0.5}, "3")
    assert run.trial is not None
    assert (run.trial.state, run.trial.value, run.trial.seconds, run.trial.seed) == ("COMPLETE", 0.5, 1.5, 7)
    assert tracker.artifacts(_id(0)) == [file]
    assert run.models == [replace(model, uri=run.artifact_uri + "/model")]


def test_the_same_end_again_is_harmless(tracker: Tracker) -> None:
    tracker.record([sweep(), started(0)])
    tracker.record([ended(0, 0.5)])
    before = tracker.get(_id(0))
    tracker.record([ended(0, 0.5)])
    assert tracker.get(_id(0)) == before
    assert len(tracker.history(_id(0))) == 1


def test_no_run_ends_before_it_started(tracker: Tracker) -> None:
    """F17: the clock was set back in between."""
    tracker.record([sweep(), started(0, started=7_200_000)])
    tracker.record([ended(0, 0.5), RunEnded(SWEEP, Status.FINISHED, 999)])
    assert [tracker.get(run_id).ended for run_id in (_id(0), SWEEP)] == [7_200_000, 1000]


def test_another_end_of_an_ended_trial_is_superseded(tracker: Tracker) -> None:
    tracker.record([sweep(), started(0)])
    tracker.record([ended(0, 0.5)])
    with pytest.raises(Superseded, match="COMPLETE in attempt 1"):
        tracker.record([ended(0, 0.4)])
    assert tracker.get(_id(0)).metrics == {"rmse": 0.5}


def test_the_end_of_an_older_attempt_is_superseded(tracker: Tracker) -> None:
    tracker.record([sweep(), started(0)])
    tracker.record([started(0, attempt=2, started=9000)])
    with pytest.raises(Superseded, match="attempt 1 was refused"):
        tracker.record([ended(0, 0.5)])
    tracker.record([ended(0, 0.25, attempt=2)])
    run = tracker.get(_id(0))
    assert (run.started, run.trial and run.trial.attempt, run.trial and run.trial.value) == (9000, 2, 0.25)


def test_a_run_begins_again_with_a_larger_attempt_only(tracker: Tracker) -> None:
    tracker.record([sweep(), started(0)])
    tracker.record([started(0)])  # the very same start again
    tracker.record([ended(0, None, state="FAILED", reason="exception")])
    with pytest.raises(Superseded, match="FAILED in attempt 1"):
        tracker.record([started(0)])
    tracker.record([started(0, attempt=2)])
    run = tracker.get(_id(0))
    assert (run.status, run.ended) == (Status.RUNNING, None)
    assert run.trial is not None
    assert (run.trial.state, run.trial.reason) == ("RUNNING", "")


def test_a_later_attempt_takes_the_place_of_what_earlier_ones_recorded(tracker: Tracker, tmp_path: Path) -> None:
    tracker.record([sweep(), started(0)])
    model = LoggedModel("m-" + "1" * 32, "model", "model")
    point, both = Point("loss", 0.5, 3, 1000), [Point("loss", 0.4, 1, 900), Point("other", 1.0, 0, 900)]
    failed = replace(ended(0, None, state="FAILED", reason="exception"), points=[point, *both], models=[model])
    tracker.record([replace(failed, artifacts=[Artifact("model/MLmodel", 3, "a" * 64)], tags={"mine": "stays"})])
    tracker.record([started(0, attempt=2)])
    run = tracker.get(_id(0))
    assert (run.metrics, run.models, tracker.history(_id(0)), tracker.artifacts(_id(0))) == ({}, [], [], [])
    assert run.artifact_uri == f"{tmp_path}/mlruns/1/{_id(0)}/artifacts-2"
    assert run.tags["mine"] == "stays"
    good = replace(ended(0, 0.9, attempt=2), points=[Point("loss", 0.9, 0, 2000)], models=[model])
    tracker.record([replace(good, artifacts=[Artifact("model/MLmodel", 4, "b" * 64)])])
    tracker.record([replace(good, artifacts=[Artifact("model/MLmodel", 4, "b" * 64)])])
    run = tracker.get(_id(0))
    assert tracker.history(_id(0)) == [Point("loss", 0.9, 0, 2000)]
    assert run.metrics == {"loss": 0.9}
    assert run.models == [replace(model, uri=f"{run.artifact_uri}/model")]
    assert [artifact.size for artifact in tracker.artifacts(_id(0))] == [4]


def test_an_end_is_repeated_without_harm_together_with_the_start_that_follows_it(tracker: Tracker) -> None:
    tracker.record([sweep(), started(0)])
    failed = ended(0, None, state="FAILED", reason="exception")
    tracker.record([failed])
    tracker.record([failed, started(0, attempt=2)])
    tracker.record([ended(0, 0.5, attempt=2)])
    assert [(run.trial.state, run.trial.attempt) for run in tracker.find(Query(parent=SWEEP)) if run.trial] == [
        ("COMPLETE", 2)
    ]


def test_an_attempt_that_is_refused_takes_nothing_away(tracker: Tracker) -> None:
    tracker.record([sweep(), started(0, attempt=2)])
    tracker.record([replace(ended(0, 0.5, attempt=2), points=[Point("loss", 0.5)])])
    for attempt in (1, 2):
        with pytest.raises(Superseded):
            tracker.record([started(0, attempt=attempt)])
    with pytest.raises(NotFound):
        tracker.record([started(0, attempt=3), RunUpdated("f" * 32, tags={"a": "b"})])
    assert tracker.history(_id(0)) == [Point("loss", 0.5)]
    assert tracker.get(_id(0)).artifact_uri.endswith("/artifacts-2")


def test_an_interrupted_trial_waits_and_runs_again(tracker: Tracker) -> None:
    tracker.record([sweep(), started(0)])
    tracker.record([RunEnded(_id(0), Status.SCHEDULED, 2500, trial=TrialFacts(0, {}, "WAITING"))])
    assert tracker.get(_id(0)).status is Status.SCHEDULED
    tracker.record([started(0, attempt=2)])
    assert tracker.get(_id(0)).status is Status.RUNNING


def test_a_number_belongs_to_one_run_of_its_sweep(tracker: Tracker) -> None:
    tracker.record([sweep(), started(0)])
    with pytest.raises(Superseded, match="trial 0"):
        tracker.record([started(0, run_id="a" * 32)])
    with pytest.raises(NotFound):
        tracker.get("a" * 32)


def test_runs_are_found_with_all_points_of_one_metric(tracker: Tracker) -> None:
    tracker.record([sweep(), started(0), started(1), started(2)])
    mine = [Point("loss", 0.5, 3, 1000), Point("loss", math.nan, 1, 900), Point("loss", 0.4, 1, 800)]
    tracker.record([replace(ended(0, None, state="PRUNED"), points=[*mine, Point("acc", 1.0, 2, 900)])])
    tracker.record([replace(ended(1, 0.9), points=[Point("loss", 0.9, 0, 2000)])])
    found = tracker.find(Query(parent=SWEEP, points_of="loss"))
    assert [(p.step, p.timestamp, str(p.value)) for p in found[0].points] == [
        (1, 800, "0.4"), (1, 900, "nan"), (3, 1000, "0.5"),
    ]  # fmt: skip
    assert [list(run.points) for run in found[1:]] == [[Point("loss", 0.9, 0, 2000)], []]
    assert [list(run.points) for run in tracker.find(Query(parent=SWEEP))] == [[], [], []]


def test_all_changes_are_written_or_none(tracker: Tracker) -> None:
    tracker.record([sweep(), started(0)])
    with pytest.raises(NotFound):
        tracker.record([ended(0, 0.5), RunUpdated("b" * 32, [Point("x", 1.0)])])
    assert tracker.get(_id(0)).status is Status.RUNNING
    assert tracker.history(_id(0)) == []
    with pytest.raises(NotFound, match="nowhere"):
        tracker.record([started(1), started(2, experiment="nowhere")])
    assert numbers(tracker) == [0]


def test_metrics_keep_their_history_and_their_latest_value(tracker: Tracker) -> None:
    tracker.record([sweep()])
    points = [Point("loss", 3.0, 2, 5), Point("loss", 9.0, 1, 7), Point("loss", 1.0, 2, 6), Point("loss", 1.0, 2, 6)]
    tracker.record([RunUpdated(SWEEP, points)])
    tracker.record([RunUpdated(SWEEP, [Point("loss", 8.0, 0, 99), Point("acc", 1.0, 0, 1)])])
    assert tracker.get(SWEEP).metrics == {"acc": 1.0, "loss": 1.0}
    history = tracker.history(SWEEP, "loss")
    assert [(point.step, point.timestamp, point.value) for point in history] == [
        (0, 99, 8.0), (1, 7, 9.0), (2, 5, 3.0), (2, 6, 1.0),
    ]  # fmt: skip
    assert {point.metric for point in tracker.history(SWEEP)} == {"acc", "loss"}


def test_nan_and_infinity_are_kept_as_mlflow_keeps_them(tracker: Tracker) -> None:
    tracker.record([sweep()])
    points = [Point("nan", math.nan), Point("up", math.inf), Point("down", -math.inf)]
    tracker.record([RunUpdated(SWEEP, [*points, *points])])
    metrics = tracker.get(SWEEP).metrics
    assert math.isnan(metrics["nan"])
    assert (metrics["up"], metrics["down"]) == (1.7976931348623157e308, -1.7976931348623157e308)
    assert len(tracker.history(SWEEP)) == 3


def test_the_best_runs_leave_out_what_is_not_finite(tracker: Tracker) -> None:
    tracker.record([sweep(), *(started(number) for number in range(6))])
    values = [3.0, math.nan, 1.0, -math.inf, 2.0]
    tracker.record([RunUpdated(_id(number), [Point("rmse", value)]) for number, value in enumerate(values)])
    by_rmse = (Order("metrics.rmse"),)
    assert numbers(tracker, order=by_rmse, finite="rmse") == [2, 4, 0]
    assert numbers(tracker, order=by_rmse, finite="rmse", limit=2) == [2, 4]
    assert numbers(tracker, order=by_rmse, finite="rmse", limit=2, offset=2) == [0]
    assert numbers(tracker, order=by_rmse) == [3, 2, 4, 0, 1, 5]
    assert numbers(tracker, order=by_rmse, limit=5) == [3, 2, 4, 0, 1]
    assert numbers(tracker, order=(Order("metrics.rmse", descending=True),)) == [0, 4, 2, 3, 1, 5]
    assert numbers(tracker, order=(Order("metrics.rmse", descending=True),), limit=6) == [0, 4, 2, 3, 1, 5]


def test_runs_sort_by_the_value_of_their_trial_and_ties_by_number(tracker: Tracker) -> None:
    tracker.record([sweep(), *(started(number) for number in (4, 2, 0, 3, 1))])
    tracker.record([ended(4, 0.5), ended(2, 0.5), ended(0, 0.75), ended(3, None, state="FAILED", reason="oom")])
    assert numbers(tracker, order=(Order("value"),)) == [2, 4, 0, 1, 3]
    assert numbers(tracker, order=(Order("value"),), limit=2) == [2, 4]
    assert numbers(tracker, order=(Order("value"),), limit=4) == [2, 4, 0, 1]
    assert numbers(tracker, order=(Order("value", descending=True),), limit=3) == [0, 2, 4]
    assert numbers(tracker, order=(Order("metrics.rmse"), Order("number", descending=True))) == [4, 2, 0, 3, 1]


def test_params_sort_as_numbers_before_texts(tracker: Tracker) -> None:
    texts = ["10", "9", "b", "1e-3", "a"]
    trials = [
        started(number, params={"x": text}, trial=TrialFacts(number, {"x": text})) for number, text in enumerate(texts)
    ]
    tracker.record([sweep(), *trials, started(5)])
    assert numbers(tracker, order=(Order("params.x"),)) == [3, 1, 0, 4, 2, 5]
    assert numbers(tracker, order=(Order("params.x", descending=True),), limit=3) == [2, 4, 0]


def test_without_an_order_runs_come_by_number(tracker: Tracker) -> None:
    tracker.record([sweep(), *(started(number) for number in (3, 1, 0, 2))])
    assert numbers(tracker) == [0, 1, 2, 3]
    assert numbers(tracker, offset=2) == [2, 3]
    assert numbers(tracker, limit=0) == []


@pytest.mark.everyday(without="postgres")
@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("", [0, 1, 2, 3]),
        ("metrics.rmse < 2", [0]),
        ("metrics.rmse != 1", [1]),
        ("not metrics.rmse = 1", [1, 2, 3]),
        ("metrics.rmse is null", [2, 3]),
        ("metrics.rmse is not null and params.depth >= 1", [1]),
        ("params.depth < 10 and params.depth > 1", [2, 3]),
        ("params.kind = 'rf' and params.deep = true and params.`none` = 'None'", [0, 1, 2, 3]),
        ("params.lr < .2 or number = 0", [0, 2, 3]),
        ("params.kind < 5", []),
        ("status = 'FINISHED' and state = 'complete'", [0, 1]),
        ("state in ('FAILED', 'RUNNING')", [2, 3]),
        ("reason = 'oom'", [2]),
        ("name like 'trial _' and name not like '%3'", [0, 1, 2]),
        ("name ilike 'TRIAL%' and name like 'TRIAL%'", []),
        ("tags.mlflow.runName = 'trial 1' or tags.`mlflow.runName` = 'trial 3'", [1, 3]),
        ("seconds = 1.5 and attempt = 1 and value <= 2", [0, 1]),
        ("number in (1, 3) and number not in (3)", [1]),
        ("started >= 2002 and not (ended is null)", [2]),
        ("run_id = '00000000000000000000000000000001'", [1]),
    ],
)
def test_filters_mean_the_same_everywhere(tracker: Tracker, where: str, expected: list[int]) -> None:
    tracker.record([sweep(), *(started(number) for number in range(4))])
    tracker.record([ended(0, 1.0), ended(1, 2.0), ended(2, None, state="FAILED", reason="oom")])
    tracker.record([RunUpdated(_id(3), [Point("rmse", math.nan)])])
    assert numbers(tracker, where=where) == expected


def test_a_filter_that_cannot_be_read_is_refused(tracker: Tracker) -> None:
    with pytest.raises(FilterError, match=r"did you mean 'metrics\.rmse'"):
        tracker.find(Query(where="metric.rmse < 6"))
    with pytest.raises(FilterError, match="did you mean 'value'"):
        tracker.find(Query(order=(Order("values"),)))


def test_roots_sweeps_and_children_are_told_apart(tracker: Tracker) -> None:
    plain, parent, child = "a" * 32, "b" * 32, "c" * 32
    tracker.record(
        [
            sweep(),
            started(0),
            RunStarted(plain, "plain", "iris", 1),
            RunStarted(parent, "parent", "Default", 2),
            RunStarted(child, "child", "Default", 3, parent_id=parent),
        ]
    )
    assert [run.id for run in tracker.find(Query(roots=True))] == [plain, parent, SWEEP]
    assert [run.id for run in tracker.find(Query(sweeps=True))] == [parent, SWEEP]
    assert [run.id for run in tracker.find(Query(parent=parent))] == [child]
    assert [run.id for run in tracker.find(Query(experiment="Default", roots=True))] == [parent]
    assert [run.id for run in tracker.find(Query(name="plain"))] == [plain]
    assert [run.id for run in tracker.find(Query(id_prefix="bb"))] == [parent]
    assert [run.id for run in tracker.find(Query(id_prefix=parent))] == [parent]
    for none in ("ba", "bc", "b\ud7ff", "\U0010ffff", "b\U0010ffff"):
        assert [run.id for run in tracker.find(Query(id_prefix=none))] == [], none
    assert [run.id for run in tracker.find(Query(experiment="unknown"))] == []


def test_a_trial_that_is_run_again_below_itself_is_no_sweep_and_counts_once(tracker: Tracker) -> None:
    again = RunStarted("e" * 32, "trial-0-seed-0", "iris", 3, parent_id=_id(0), trial=TrialFacts(0, {"x": 1}))
    tracker.record([sweep(), started(0), again])
    assert [run.id for run in tracker.find(Query(sweeps=True))] == [SWEEP]
    assert [run.id for run in tracker.find(Query(sweeps=True, order=[Order("started")], limit=1))] == [SWEEP]
    assert [run.id for run in tracker.find(Query(parent=SWEEP))] == [_id(0)]
    assert [run.id for run in tracker.find(Query(parent=_id(0)))] == ["e" * 32]
    assert sum(tracker.counts([SWEEP])[SWEEP].values()) == 1


def test_children_are_counted_by_state(tracker: Tracker) -> None:
    tracker.record([sweep(), *(started(number) for number in range(4))])
    tracker.record([ended(0, 1.0), ended(1, 2.0), ended(2, None, state="PRUNED")])
    tracker.record([RunStarted("a" * 32, "autolog", "iris", 1, parent_id=SWEEP)])
    tracker.record([RunEnded("a" * 32, Status.KILLED, 2)])
    assert tracker.counts([SWEEP, "f" * 32]) == {SWEEP: {"COMPLETE": 2, "PRUNED": 2, "RUNNING": 1}, "f" * 32: {}}


def test_an_update_adds_and_sets(tracker: Tracker) -> None:
    tracker.record([sweep(tags={"a": "1"}, params={"p": 1})])
    tracker.record([RunUpdated(SWEEP, tags={"a": "2", "mlflow.runName": "renamed"}, params={"p": 2, "q": "x"})])
    run = tracker.get(SWEEP)
    assert (run.name, run.tags["a"], run.params) == ("renamed", "2", {"p": "2", "q": "x"})


def test_kept_files_and_models_can_be_removed(tracker: Tracker) -> None:
    tracker.record([sweep(), started(0)])
    paths = ["model/MLmodel", "model/a/b", "model2/x", "plot.png"]
    models = [LoggedModel(f"m-{letter * 32}", letter, f"models/{letter}") for letter in "ab"]
    tracker.record([replace(ended(0, 1.0), artifacts=[Artifact(path, 1, "0") for path in paths], models=models)])
    tracker.record([RunUpdated(_id(0), removed_artifacts=["model/", "plot.png"], removed_models=[models[0].model_id])])
    assert [artifact.path for artifact in tracker.artifacts(_id(0))] == ["model2/x"]
    assert [model.name for model in tracker.get(_id(0)).models] == ["b"]


@pytest.mark.everyday(without="postgres")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (sweep(name="x" * 251), "name may have 250 characters, got 251"),
        (sweep(name=""), "may not be empty"),
        (sweep(tags={"k" * 251: "v"}), "key may have 250 characters, got 251"),
        (sweep(tags={"note": "v" * 8001}), "tag 'note' may have 8000 characters, got 8001"),
        (sweep(tags={"note": "a\0b"}), "tag 'note' holds a NUL character at position 1"),
        (sweep(tags={"note": "\ud800"}), "tag 'note' holds half a character"),
        (sweep(params={"long": "v" * 6001}), "param 'long' may have 6000 characters, got 6001"),
        (sweep(params={"list": [1]}), "param 'list' must be a text, number, bool or None, got list"),
        (sweep(datasets=[Dataset("d", "x" * 37)]), "digest of data set 'd' may have 36 characters, got 37"),
        (sweep(run_id="no spaces"), "a run id has 1 to 32"),
        (sweep(user="u" * 257), "user may have 256 characters"),
        (RunUpdated(SWEEP, [Point("m" * 251, 1.0)]), "metric's key may have 250"),
        (RunUpdated(SWEEP, [Point("m", "1")]), "metric 'm' must be a number, got str"),  # type: ignore[arg-type]
        (RunUpdated(SWEEP, [Point("m", 1.0, step=2**63)]), "64 bits"),
        (started(0, parent_id=None), "trial 0 needs a parent_id"),
        (replace(ended(0, 1.0), status=Status.FAILED), "trial 0 is COMPLETE, so its run is FINISHED"),
        (replace(ended(0, None, state="FAILED"), trial=TrialFacts(0, {}, "FAILED", value=1.0)), "only a COMPLETE one"),
        (RunEnded(_id(0), Status.FINISHED, 1), "ends with its trial's facts only"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else None,
)
def test_what_cannot_be_kept_is_refused_by_name_and_limit(tracker: Tracker, change: RunStarted, message: str) -> None:
    tracker.record([sweep(), started(0)])
    before = tracker.find(Query())
    with pytest.raises(InvalidRecord, match=message):
        tracker.record([change])
    assert tracker.find(Query()) == before


def test_texts_of_the_greatest_length_come_back_whole(tracker: Tracker) -> None:
    longest = {"note": "ä" * 8000, "k" * 250: "😀" * 10, "lines": "a\r\n\tb\u2028"}
    tracker.record([sweep(name="n" * 250, tags=longest, params={"p": "v" * 6000})])
    run = tracker.get(SWEEP)
    assert {key: run.tags[key] for key in longest} == longest
    assert (run.name, run.params) == ("n" * 250, {"p": "v" * 6000})


def test_a_huge_typed_param_stays_with_the_trial(tracker: Tracker) -> None:
    params = {"big": "x" * 100_000, "i": 1}
    tracker.record([sweep(), started(0, params={"i": 1}, trial=TrialFacts(0, params))])
    assert tracker.get(_id(0)).params == params
    assert numbers(tracker, where="params.big is null") == [0]


def test_a_traceback_with_odd_characters_is_kept_visible(tracker: Tracker) -> None:
    tracker.record([sweep(), started(0)])
    facts = TrialFacts(0, {}, "FAILED", reason="exception", error="a\0b", traceback="\udc80 ü")
    end = RunEnded(_id(0), Status.FAILED, 1, trial=facts)
    tracker.record([end])
    tracker.record([end])
    trial = tracker.get(_id(0)).trial
    assert trial is not None
    assert (trial.error, trial.traceback) == ("a\\x00b", "\\udc80 ü")


def test_what_is_not_there_is_named(tracker: Tracker) -> None:
    for ask in (tracker.get, tracker.history, tracker.artifacts):
        with pytest.raises(NotFound, match="no run 'nothing'"):
            ask("nothing")
    with pytest.raises(NotFound, match="no run 'nothing'"):
        tracker.record([RunEnded("nothing", Status.FINISHED, 1)])
    tracker.record([sweep()])
    with pytest.raises(NotFound, match="is no trial"):
        tracker.record([replace(ended(0, 1.0), run_id=SWEEP)])


@pytest.mark.parametrize("count", [1100, pytest.param(6000, marks=pytest.mark.slow)])  # more than one statement takes
def test_thousands_of_runs_come_back_whole(tracker: Tracker, count: int) -> None:
    tracker.record([sweep(), *(started(number) for number in range(count))])
    runs = tracker.find(Query(parent=SWEEP))
    assert [run.trial.number for run in runs if run.trial] == list(range(count))
    assert all(len(run.params) == 5 for run in runs)
