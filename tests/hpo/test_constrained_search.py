"""Sweeps under constraints: what is run, who is the best, what is ranked, registered, resumed and forked."""

import logging
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from hpo import ranking
from hpo.cli.main import main
from hpo.config.reading import read_sweep
from hpo.constraints import INFEASIBLE_TAG, VIOLATION
from hpo.errors import ConfigError, NothingFound
from hpo.feasibility import feasible_text
from hpo.left_behind import records_of
from hpo.result import SweepResult
from hpo.search import load, resume, run
from hpo.trial import Goal, Outcome, State, Trial
from trackers.opening import open_store
from trackers.records import Run, Status

SWEEP = """
name: bounded
metric: {name: loss}
objective: {python: "bounded:objective"}
parameters:
  x: {type: float, low: 0, high: 10}
  y: {type: float, low: 0, high: 10}
  kind: [plain, deep]
  depth: {type: int, low: 1, high: 5, when: {kind: deep}}
constraints: [x < y, "depth * 2 <= y"]
engine: {name: optuna, sampler: tpe, seed: 3}
budget: {n_trials: 16}
parallel: {backend: serial, window: 4}
"""
MEASURED = SWEEP.replace("[x < y,", "[x < y, metrics.latency <= 9,")
OBJECTIVE = """
def objective(params, trial):
    latency = params["x"] + params["y"]
    return {"loss": -latency, **({} if trial.number == 2 else {"latency": latency})}

def modelled(params, trial):
    from sklearn.linear_model import Ridge
    trial.log_model(Ridge().fit([[0.0], [1.0]], [0.0, params["x"]]), input_example=[[0.0]])
    return objective(params, trial)

def slow(params, trial):
    return {"loss": 0.0, "latency": 100 + params["x"]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HPO_TRACKER", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "bounded.py").write_text(OBJECTIVE)
    return tmp_path


def swept(folder: Path, text: str, *overrides: str, fork: bool = False) -> SweepResult:
    (folder / "sweep.yaml").write_text(text)
    return run("sweep.yaml", overrides=overrides, fork=fork)


def told(result: SweepResult) -> list[tuple[object, ...]]:
    return [
        (trial.trial.number, trial.trial.state, dict(trial.params), trial.metrics.get(VIOLATION))
        for trial in result.trials()
        if trial.trial
    ]


def number(trial: Run, name: str) -> float:
    return float(trial.params[name] or 0)


def is_allowed(trial: Run) -> bool:
    return number(trial, "x") < number(trial, "y") and (
        "depth" not in trial.params or number(trial, "depth") * 2 <= number(trial, "y")
    )


def test_no_trial_that_runs_breaks_a_constraint_on_params(folder: Path) -> None:
    trials = swept(folder, SWEEP).trials()
    assert len(trials) == 16
    assert all(map(is_allowed, trials))
    assert not any(VIOLATION in trial.metrics for trial in trials)


@pytest.mark.slow
@pytest.mark.parametrize("slots", [2, 4])
def test_the_trials_are_the_same_for_any_number_of_slots_and_after_a_stop(folder: Path, slots: int) -> None:
    whole = told(swept(folder, MEASURED))
    shutil.rmtree(folder / "mlruns", ignore_errors=True)
    for path in folder.glob("mlflow.db*"):
        path.unlink()
    swept(folder, MEASURED, "parallel.backend=threading", f"parallel.n_jobs={slots}", "budget.n_trials=7")
    assert told(resume(more=9)) == whole


def test_the_best_satisfies_what_is_measured_and_what_does_not_comes_last(folder: Path) -> None:
    result = swept(folder, MEASURED)
    trials = result.trials()
    far = {trial.trial.number: trial.metrics.get(VIOLATION) for trial in trials if trial.trial}
    assert far[2] is None
    for trial in trials:
        if "latency" in trial.metrics:
            over = max(trial.metrics["latency"] - 9, 0) / 9
            assert trial.metrics[VIOLATION] == pytest.approx(over)
            assert (INFEASIBLE_TAG in trial.tags) is (over > 0)
    assert trials[2].tags[INFEASIBLE_TAG] == "metrics.latency <= 9 (latency is missing)"
    feasible = [trial for trial in trials if trial.metrics.get(VIOLATION) == 0]
    assert 2 < len(feasible) < 14
    assert result.best_value == min(trial.metrics["loss"] for trial in feasible)
    assert result.best_value > min(trial.metrics["loss"] for trial in trials)
    assert {run.id for run in result.best_runs(100)} == {run.id for run in feasible}
    with open_store(result.uri, read_only=True) as store:
        ranked = ranking.best(store.tracker, result.run_id, "loss", Goal.MINIMIZE, limit=100, infeasible_too=True)
        parent = store.tracker.get(result.run_id)
    assert parent.tags["hpo.best_value"] == repr(result.best_value)
    assert parent.status is Status.FINISHED
    keys = [(run.metrics.get(VIOLATION, float("inf")), run.metrics["loss"]) for run in ranked]
    assert keys == sorted(keys)
    assert len(ranked) == 16


def test_where_no_trial_satisfies_what_is_measured_none_is_the_best(folder: Path) -> None:
    result = swept(folder, MEASURED.replace("bounded:objective", "bounded:slow"), "budget.n_trials=4")
    assert result.best_runs() == []
    with pytest.raises(NothingFound, match="no trial satisfies the constraints and has a finite loss"):
        _ = result.best_trial
    with open_store(result.uri, read_only=True) as store:
        assert store.tracker.get(result.run_id).status is Status.FAILED
        ranked = ranking.best(store.tracker, result.run_id, "loss", Goal.MINIMIZE, limit=1, infeasible_too=True)
    assert ranked[0].metrics["latency"] == min(trial.metrics["latency"] for trial in result.trials())


def test_a_target_and_patience_count_what_satisfies_the_constraints(folder: Path) -> None:
    assert swept(folder, MEASURED.replace("{name: loss}", "{name: loss, target: -9.5}")).stop == "n_trials"
    slow = MEASURED.replace("bounded:objective", "bounded:slow").replace("name: bounded", "name: patient")
    assert swept(folder, slow.replace("{n_trials: 16}", "{n_trials: 16, patience: 5}")).stop == "patience"
    assert len(load("patient").trials()) < 10


@pytest.mark.slow
def test_only_a_trial_that_satisfies_the_constraints_keeps_its_model_and_is_registered(folder: Path) -> None:
    text = MEASURED.replace("bounded:objective", "bounded:modelled") + "register: {name: m, top: 3}\n"
    result = swept(folder, text, "budget.n_trials=8")
    with open_store(result.uri, read_only=True) as store:
        kept = [trial for trial in map(store.tracker.get, (each.id for each in result.trials())) if trial.models]
    assert {trial.metrics.get(VIOLATION) for trial in kept} == {0.0}
    assert result.registered is not None
    assert result.registered.run_id == result.best_trial.id
    assert result.decision is not None
    assert "feasible" in [verdict.gate for verdict in result.decision.verdicts]


def test_a_sweep_whose_trials_all_violate_constraints_is_refused_with_the_reason(folder: Path) -> None:
    text = MEASURED.replace("bounded:objective", "bounded:slow") + "register: {name: m}\ntracker: {log_models: all}\n"
    result = swept(folder, text, "budget.n_trials=3")
    assert result.registered is None
    assert "gate feasible: trial " in result.not_registered
    assert "violates metrics.latency <= 9 (latency is 10" in result.not_registered


def test_that_no_point_satisfies_the_constraints_is_said_before_anything_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpo.feasibility.MOST_POINTS", 2000)
    with pytest.raises(
        ConfigError, match=r"sweep.yaml:\d+:22: error: constraints\[1\]: no point satisfies the"
    ) as caught:
        swept(folder, SWEEP.replace('"depth * 2 <= y"', "x > y + 1"))
    assert "this one excludes most" in str(caught.value)
    assert not (folder / "mlflow.db").exists()


def test_a_point_to_start_with_has_to_satisfy_them_too(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"start\[1\]: does not satisfy the constraint x < y"):
        swept(folder, SWEEP + "start: [{x: 1, y: 5}, {x: 5, y: 1}]\n")
    trials = swept(folder, SWEEP + "start: [{x: 7}]\n", "budget.n_trials=2").trials()
    assert trials[0].params["x"] == 7
    assert all(map(is_allowed, trials))


def test_a_grid_has_the_points_that_satisfy_them(folder: Path) -> None:
    text = SWEEP.replace("sampler: tpe", "sampler: grid").replace("type: float", "type: int")
    text = text.replace("high: 10", "high: 3").replace("  kind: [plain, deep]\n", "")
    text = text.replace("  depth: {type: int, low: 1, high: 5, when: {kind: deep}}\n", "").replace(
        ', "depth * 2 <= y"', ""
    )
    (folder / "sweep.yaml").write_text(text)
    assert feasible_text(read_sweep("sweep.yaml")) == "space has 16 points, 6 satisfy the constraints"
    result = swept(folder, text)
    assert result.stop == "exhausted"
    assert [(t.params["x"], t.params["y"]) for t in result.trials()] == [
        (x, y) for x in range(4) for y in range(4) if x < y
    ]


def test_a_fork_takes_over_what_satisfies_its_constraints_and_judges_it_anew(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = swept(folder, MEASURED)
    caplog.set_level(logging.INFO)
    changed = MEASURED.replace("[x < y,", "[x < y, x > 1,").replace("latency <= 9", "latency <= 10")
    after = swept(folder, changed, fork=True)
    taken = [trial for trial in after.trials() if "hpo.taken_from" in trial.tags]
    assert len(taken) == sum(number(trial, "x") > 1 for trial in before.trials())
    assert 3 < len(taken) < 16
    for trial in taken:
        if "latency" in trial.metrics:
            assert trial.metrics[VIOLATION] == pytest.approx(max(trial.metrics["latency"] - 10, 0) / 10)
        else:
            assert VIOLATION not in trial.metrics
        assert (INFEASIBLE_TAG in trial.tags) is (trial.metrics.get(VIOLATION) != 0)


def test_a_warm_start_leaves_out_what_does_not_satisfy_the_constraints(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    swept(folder, SWEEP)
    caplog.set_level(logging.INFO)
    later = MEASURED.replace("name: bounded", "name: later") + "warm_start: {from: bounded}\n"
    swept(folder, later, "budget.n_trials=1")
    assert "outside the constraints" in caplog.text


def test_other_constraints_are_another_sweep(folder: Path) -> None:
    swept(folder, SWEEP, "budget.n_trials=1")
    with pytest.raises(ConfigError, match="made from a different file"):
        swept(folder, SWEEP.replace("x < y", "x <= y"))


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_of_several_metrics_the_front_satisfies_what_is_measured(folder: Path, sampler: str) -> None:
    text = MEASURED.replace("metric: {name: loss}", "metrics: [{name: loss}, {name: latency, goal: maximize}]")
    options = ", options: {population_size: 4}" if sampler == "nsga2" else ""
    result = swept(folder, text.replace("sampler: tpe, seed: 3", f"sampler: {sampler}, seed: 3{options}"))
    trials = [trial for trial in result.trials() if VIOLATION in trial.metrics]
    feasible = [trial for trial in trials if trial.metrics[VIOLATION] == 0]
    assert 0 < len(feasible) < len(trials)
    assert {trial.metrics[VIOLATION] for trial in result.front().members} == {0.0}
    assert result.front().members[0].metrics["loss"] == min(trial.metrics["loss"] for trial in feasible)


def test_check_and_best_say_how_much_satisfies_the_constraints(folder: Path) -> None:
    def said(*words: str) -> str:
        return CliRunner().invoke(main, words).output

    swept(folder, MEASURED, "budget.n_trials=6")
    assert re.search(
        r"minimize loss, \d+ of 1,000 random points satisfy the constraints\n", said("check", "sweep.yaml")
    )
    assert re.search(
        r"bounded: best by loss \(minimize\); the last \d violate the constraints", said("best", "bounded")
    )
    slow = MEASURED.replace("bounded:objective", "bounded:slow").replace("name: bounded", "name: slow")
    (folder / "slow.yaml").write_text(slow)
    ran = CliRunner().invoke(main, ["run", "slow.yaml", "-n", "2"])
    assert ran.exit_code == 1
    assert "COMPLETE loss=0 infeasible " in ran.output
    assert "no trial satisfies the constraints and has a finite loss" in ran.output
    assert "next: hpo best slow" in ran.output
    assert "none satisfies the constraints, so the least violation comes first" in said("best", "slow")


def test_results_that_a_dead_driver_left_are_judged_too(folder: Path) -> None:
    result = swept(folder, MEASURED, "budget.n_trials=1")
    with open_store(result.uri, read_only=True) as store:
        records = records_of(store.tracker.get(result.run_id), "loss")
    trial = Trial(9, {"x": 1.0, "y": 5.0, "kind": "plain"}, seed=0, run_id="a" * 32)
    outcome = Outcome(9, 1, State.COMPLETE, {"loss": 0.0, "latency": 18.0, VIOLATION: 0.0})
    ended = records.ending(trial, outcome).outcome
    assert ended.metrics[VIOLATION] == 1.0
    assert ended.tags == {INFEASIBLE_TAG: "metrics.latency <= 9 (latency is 18)"}
    assert records.violation_of(State.COMPLETE, {"loss": 0.0}) == float("inf")
    assert records.ending(trial, Outcome(9, 1, State.PRUNED, {"latency": 18.0})).outcome.tags == {}
