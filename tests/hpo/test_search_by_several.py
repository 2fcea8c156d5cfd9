"""Sweeps by several metrics from their file to the registered model, and what every command says of them."""

import json
import statistics
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from hpo.cli.main import main
from hpo.cli.trial_line import trial_line
from hpo.errors import ConfigError, EngineError, NothingFound
from hpo.left_behind import put_on_record
from hpo.ownership import claimed
from hpo.progress import PROGRESS_TAG, Progress, front_size
from hpo.result import SweepResult
from hpo.search import load, run
from hpo.trial import Outcome, State, Trial
from trackers.opening import open_store
from trackers.records import Query, RunUpdated

PYTHON = """\
name: both
metrics: [{name: gain, goal: maximize}, {name: cost, reference: 2}]
objective: {python: "trade:objective"}
parameters: {x: {type: float, low: 0, high: 1}, y: {type: float, low: 0, high: 1}}
engine: {sampler: nsga2, seed: 1, options: {population_size: 5}}
budget: {n_trials: 14}
parallel: {backend: serial}
"""
CODE = """\
from sklearn.dummy import DummyRegressor

def objective(params, trial):
    trial.log_model(constant(params["x"]))
    return {"gain": params["x"] ** 0.5, "cost": params["x"] + params["y"]}

def constant(x):
    return DummyRegressor(strategy="constant", constant=x).fit([[0.0], [1.0]], [0.0, 1.0])

def test(model):
    x = float(model.predict([[0.0]])[0])
    return {"gain": -x, "cost": x}
"""


def write(folder: Path, more: str = "", text: str = PYTHON) -> Path:
    (folder / "trade.py").write_text(CODE)
    path = folder / "sweep.yaml"
    path.write_text(text + more)
    return path


def search(folder: Path, more: str = "", *overrides: str) -> SweepResult:
    uri = f"sqlite:///{folder}/mlflow.db"
    return run(write(folder, more), tracker=uri, overrides=[f"tracker.artifacts={folder}/mlruns", *overrides])


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    return search(tmp_path_factory.mktemp("plain"))


def test_the_result_has_a_front_and_no_best(plain: SweepResult) -> None:
    front = plain.front()
    assert 1 < len(front.members) < 14
    assert front.reference is not None
    assert front.reference["cost"] == 2
    assert plain.best_runs(2) == front.members[:2]
    for ask in (lambda: plain.best_trial, lambda: plain.best_value, lambda: plain.best_params):
        with pytest.raises(NothingFound, match="gain, cost"):
            ask()
    assert "value" not in plain.best(3).columns
    assert list(plain.best(3)["metrics.gain"]) == [run.metrics["gain"] for run in front.members[:3]]


def test_the_front_can_be_drawn(plain: SweepResult, tmp_path: Path) -> None:
    plain.plot("front").savefig(tmp_path / "front.png")
    (axes,) = plain.plot("front").axes
    trials, front = axes.get_lines()
    assert np.size(trials.get_xdata()) == 14
    gains = sorted(run.metrics["gain"] for run in plain.front().members)
    assert np.asarray(front.get_xdata()).tolist() == gains


def test_a_loaded_sweep_is_the_same(plain: SweepResult) -> None:
    loaded = load("both", tracker=plain.uri)
    assert loaded.goals == plain.goals
    assert loaded.front() == plain.front()


def test_models_of_the_front_are_kept_and_no_others(plain: SweepResult) -> None:
    with open_store(plain.uri) as store:
        kept = {run.id for run in plain.trials() if store.tracker.get(run.id).models}
    assert kept == {run.id for run in plain.front().members}


def test_a_sweep_goes_on_where_it_stopped(plain: SweepResult, tmp_path: Path) -> None:
    search(tmp_path, "", "budget.n_trials=6", "tracker.log_models=none")
    again = search(tmp_path, "", "tracker.log_models=none")
    params = [[run.trial.params for run in result.trials() if run.trial] for result in (again, plain)]
    assert params[0] == params[1]
    assert [run.metrics for run in again.front().members] == [run.metrics for run in plain.front().members]


@pytest.mark.slow
def test_worker_processes_make_the_same_trials(plain: SweepResult, tmp_path: Path) -> None:
    wide = ["parallel.window=4", "tracker.log_models=none", "budget.n_trials=10"]
    alone, beside = tmp_path / "alone", tmp_path / "beside"
    alone.mkdir()
    beside.mkdir()
    one = search(alone, "", *wide)
    two = search(beside, "", *wide, "parallel.backend=loky", "parallel.n_jobs=2")
    params = [[run.trial.params for run in result.trials() if run.trial] for result in (one, two)]
    assert params[0] == params[1]
    assert [run.metrics for run in one.front().members] == [run.metrics for run in two.front().members]


def test_replicates_aggregate_every_metric(tmp_path: Path) -> None:
    (tmp_path / "noisy.py").write_text(
        "def objective(params, trial):\n"
        "    return {'gain': params['x'] + trial.seed % 7, 'cost': float(trial.seed % 5)}\n"
    )
    path = write(tmp_path, "replicates: {seeds: 3, aggregate: median}", PYTHON.replace("trade:", "noisy:"))
    overrides = [f"tracker.artifacts={tmp_path}/mlruns", "budget.n_trials=6"]
    result = run(path, tracker=f"sqlite:///{tmp_path}/mlflow.db", overrides=overrides)
    assert result.counts() == {"COMPLETE": 6}
    with open_store(result.uri) as store:
        for trial in result.trials():
            below = store.tracker.find(Query(parent=trial.id))
            for name in ("gain", "cost"):
                assert trial.metrics[name] == statistics.median(run.metrics[name] for run in below)


def said(plain: SweepResult, *words: str) -> str:
    done = CliRunner().invoke(main, [*words, "--tracker", plain.uri], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_programs_get_values_by_name(plain: SweepResult) -> None:
    for words in (("best", "-n", "3"), ("trials",)):
        trials = json.loads(CliRunner().invoke(main, [*words, "-f", "json", "-q", "--tracker", plain.uri]).stdout)
        assert all(trial["value"] is None for trial in trials)
        assert all(trial["values"] == {name: trial["metrics"][name] for name in ("gain", "cost")} for trial in trials)
    shown = json.loads(CliRunner().invoke(main, ["show", "both", "-f", "json", "--tracker", plain.uri]).stdout)
    assert shown["best"] is None
    assert shown["front"]["size"] == len(shown["front"]["trials"]) == len(plain.front().members)
    assert shown["front"]["hypervolume"] == plain.front().hypervolume
    (listed,) = json.loads(CliRunner().invoke(main, ["ls", "-f", "json", "--tracker", plain.uri]).stdout)
    assert (listed["front"], listed["best_value"]) == (shown["front"]["size"], None)
    assert listed["metrics"] == {"gain": "maximize", "cost": "minimize"}


def test_people_read_of_the_front(plain: SweepResult) -> None:
    size = len(plain.front().members)
    assert f"front of {size} trials by gain (maximize), cost (minimize), hypervolume" in said(plain, "show", "both")
    assert f"front of {size}" in said(plain, "ls")
    assert "the first 1" in said(plain, "best", "-n", "1")
    assert "best by cost (minimize)" in said(plain, "best", "--metric", "cost")
    assert "metrics.cost" in said(plain, "best").splitlines()[0] + said(plain, "best").splitlines()[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trials", "--sort", "value"], "sort by one of: gain, cost"),
        (["best", "--goal", "minimize"], "name one of the metrics too"),
        (["register", "both"], "pick: .."),
    ],
)
def test_what_asks_for_one_value_is_told_there_are_several(plain: SweepResult, words: list[str], message: str) -> None:
    done = CliRunner().invoke(main, [*words, "--tracker", plain.uri])
    assert done.exit_code != 0
    assert message in done.output


def test_the_rule_picks_the_one_that_is_registered(tmp_path: Path) -> None:
    result = search(
        tmp_path, "register: {name: m, pick: {lexicographic: [{metric: gain, tolerance: 0.5}, {metric: cost}]}}"
    )
    best = max(run.metrics["gain"] for run in result.front().members)
    within = [run for run in result.front().members if run.metrics["gain"] >= best - 0.5]
    meant = min(within, key=lambda run: run.metrics["cost"])
    assert result.registered is not None
    assert result.registered.run_id == meant.id == result.best_trial.id
    assert result.decision is not None
    assert result.decision.picked_by == "gain (within 0.5), then cost by validation"
    assert "searched by several metrics" in result.registered.description
    assert f"gain {meant.metrics['gain']:.6g}, cost {meant.metrics['cost']:.6g} by validation" in (
        result.registered.description
    )
    assert float(result.registered.tags["hpo.metric.cost"]) == meant.metrics["cost"]


def test_gates_judge_by_the_metric_that_the_rule_puts_first(tmp_path: Path) -> None:
    more = 'register: {name: m, top: 3, pick: {metric: cost}, test: "trade:test", better_than: champion}'
    result = search(tmp_path, more)
    assert result.registered is not None
    judged = [run for run in result.trials() if "test_cost" in run.metrics]
    assert len(judged) == 3
    cheapest = sorted(result.front().members, key=lambda run: run.metrics["cost"])[:3]
    assert {run.id for run in judged} == {run.id for run in cheapest}
    assert result.registered.run_id == min(judged, key=lambda run: run.metrics["test_cost"]).id
    assert [verdict.gate for verdict in result.decision.verdicts] == ["test", "better_than"]  # type: ignore[union-attr]


def test_what_a_dead_driver_left_says_how_large_the_front_is(tmp_path: Path) -> None:
    result = search(tmp_path, "", "budget.n_trials=5", "tracker.log_models=none")
    with open_store(result.uri) as store, claimed(store.ownership, result.run_id, "both") as claim:
        parent = store.tracker.get(result.run_id)
        store.tracker.record([RunUpdated(parent.id, tags={PROGRESS_TAG: "{}"})], claim.fence)
        assert parent.sweep is not None
        put_on_record(store, parent, parent.sweep, claim.fence, died=True)
        tags = store.tracker.get(parent.id).tags
    assert front_size(tags) == len(result.front().members) > 0
    assert "hpo.best_trial" not in tags


def test_a_line_has_every_metric_and_the_size_of_the_front() -> None:
    progress = Progress(dict.fromkeys(State, 1), 40, None, None, 1.0, front=5)
    outcome = Outcome(17, 1, State.COMPLETE, metrics={"gain": 0.5, "cost": 2.0, "beside": 1.0}, seconds=0.44)
    line = trial_line(Trial(17, {"x": 3}, 0), outcome, progress, "gain", ["cost"])
    assert line == "trial 17 COMPLETE gain=0.5 cost=2 front 5 0.4s x=3"


@pytest.mark.parametrize(
    "engine", ["{sampler: cmaes}", "{sampler: gp}", "hyperopt", "{name: hyperopt, sampler: anneal}"]
)
def test_an_engine_that_cannot_is_refused_before_anything_is_written(tmp_path: Path, engine: str) -> None:
    text = PYTHON.replace("engine: {sampler: nsga2, seed: 1, options: {population_size: 5}}", f"engine: {engine}")
    path = write(tmp_path, text=text)
    with pytest.raises(ConfigError, match="searches by one metric"):
        run(path, tracker=f"sqlite:///{tmp_path}/mlflow.db")
    done = CliRunner().invoke(main, ["run", str(path), "--tracker", f"sqlite:///{tmp_path}/mlflow.db"])
    assert done.exit_code == 2
    assert not (tmp_path / "mlflow.db").exists()


@pytest.mark.slow
def test_auto_searches_by_several_metrics_as_optunas_tpe_does(tmp_path: Path) -> None:
    found = {}
    for engine in ("{seed: 1}", "{name: optuna, seed: 1}"):
        folder = tmp_path / str(len(found))
        folder.mkdir()
        text = PYTHON.replace("engine: {sampler: nsga2, seed: 1, options: {population_size: 5}}", f"engine: {engine}")
        path = write(folder, text=text)
        result = run(path, tracker=f"sqlite:///{folder}/mlflow.db", overrides=[f"tracker.artifacts={folder}/mlruns"])
        with open_store(f"sqlite:///{folder}/mlflow.db", read_only=True) as store:
            found[engine] = [run.params for run in store.tracker.find(Query(parent=result.run_id))]
            said = store.tracker.get(result.run_id).tags.get("hpo.auto")
            assert said == (None if "optuna" in engine else "TPE, by all metrics")
    assert found["{seed: 1}"] == found["{name: optuna, seed: 1}"]


def test_a_sweep_by_one_metric_has_no_front(tmp_path: Path) -> None:
    one = PYTHON.replace("metrics: [{name: gain, goal: maximize}, {name: cost, reference: 2}]", "metric: {name: cost}")
    path = write(tmp_path, text=one)
    overrides = [f"tracker.artifacts={tmp_path}/mlruns", "budget.n_trials=1", "tracker.log_models=none"]
    result = run(path, tracker=f"sqlite:///{tmp_path}/mlflow.db", overrides=overrides)
    with pytest.raises(EngineError, match="searched by one metric, cost"):
        result.front()
    with pytest.raises(ConfigError, match="different file"):
        run(write(tmp_path), tracker=result.uri)
