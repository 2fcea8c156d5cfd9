"""A job runs its trials as the sweep did: stopped where they were stopped, with secrets, replicates, moved data."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hpo.replaying.job import Job, Report, Task, read_job, read_report, write
from hpo.replaying.work import run_job, with_search_path
from hpo.trial import State

OBJECTIVE = """
def objective(params, trial):
    for step in range(5):
        trial.report(step, step + trial.seed / 8)
    return {"score": len(params.get("token", "")) + trial.seed, "cost": 1.5}
"""
SWEEP = """
version: 1
name: small
metrics: [{name: score, goal: maximize}, {name: cost}]
objective: {python: "worked:objective"}
parameters:
  x: {type: float, low: 0.0, high: 1.0}
  token: "***"
engine: {name: optuna, sampler: random, seed: 3}
budget: {n_trials: 4}
parallel: {n_jobs: 1, backend: serial}
"""


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "worked", raising=False)
    (tmp_path / "worked.py").write_text(OBJECTIVE)
    return Job(SWEEP, [str(tmp_path)], str(tmp_path), [Task(4, {"x": 0.5, "token": "***"}, 8, "a" * 32)])


def test_trials_get_the_real_secrets_which_do_not_stand_in_the_job(job: Job) -> None:
    report = run_job(job, {"token": "hunter2"})
    assert report.kind == "", report.error
    assert report.outcomes[0].metrics == {"score": 7 + 8, "cost": 1.5}
    assert "hunter2" not in str(job)


def test_a_secret_that_nobody_gives_is_an_error_of_the_report(job: Job) -> None:
    report = run_job(job, {})
    assert (report.kind, report.outcomes) == ("ConfigError", ())
    assert "token is a secret and not on record" in report.error


def test_a_pruned_trial_is_stopped_after_as_many_reports_as_it_made(job: Job) -> None:
    one = SWEEP.replace(
        "metrics: [{name: score, goal: maximize}, {name: cost}]", "metric: {name: score, goal: maximize}"
    )
    pruned = replace(job, config=f"{one}pruner: {{name: median}}\n", tasks=[replace(job.tasks[0], stop_after=3)])
    [outcome] = run_job(pruned, {"token": "abc"}).outcomes
    assert outcome.state is State.PRUNED
    assert [report.step for report in outcome.reports] == [0, 1, 2]


def test_replicates_run_with_the_seeds_that_they_had(job: Job) -> None:
    several = replace(job, config=f"{SWEEP}replicates: {{seeds: 2, aggregate: mean}}\n")
    [outcome] = run_job(several, {"token": ""}).outcomes
    [again] = run_job(several, {"token": ""}).outcomes
    assert [part.metrics for part in outcome.replicates] == [part.metrics for part in again.replicates]
    assert len(outcome.replicates) == 2


def test_what_is_handed_over_is_read_as_it_was_written(job: Job, tmp_path: Path) -> None:
    report = run_job(job, {"token": "abc"})
    write(tmp_path / "job.json", job)
    write(tmp_path / "report.json", report)
    assert read_job(tmp_path / "job.json") == job
    assert read_report(tmp_path / "report.json") == replace(report, datasets=[], outcomes=list(report.outcomes))
    assert (tmp_path / "job.json").stat().st_mode & 0o077 == 0
    assert read_report(tmp_path / "report.json").kind == Report().kind


def test_folders_of_the_search_path_are_looked_for_in_the_rebuilt_code(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("then/lib", "then/src", "now/lib", "now/src"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path / "then" / "lib"))
    moved = with_search_path(replace(job, original=str(tmp_path / "then"), rebuilt=str(tmp_path / "now")))
    assert moved.folders == [str(tmp_path), str(tmp_path / "now" / "lib"), str(tmp_path / "now" / "src")]


def test_a_module_that_comes_from_where_the_code_lay_is_named(job: Job, tmp_path: Path) -> None:
    (tmp_path / "now").mkdir()
    (tmp_path / "now" / "worked.py").write_text(OBJECTIVE)
    report = run_job(replace(job, original=str(tmp_path), rebuilt=str(tmp_path / "now")), {"token": "abc"})
    assert report.strays == {"worked": str(tmp_path / "worked.py")}


@pytest.mark.slow
def test_data_that_lay_outside_of_the_code_are_read_from_where_they_are_now(job: Job, tmp_path: Path) -> None:
    lines = ["a,b,y", *(f"{n},{n % 3},{n / 2}" for n in range(30))]
    (tmp_path / "found.csv").write_text("\n".join(lines))
    file = """
version: 1
name: table
metric: {name: rmse}
objective:
  sklearn: {data: {path: /gone/train.csv, target: y}, estimator: sklearn.linear_model.Ridge, cv: {folds: 3}}
parameters: {alpha: {type: float, low: 0.1, high: 1.0}}
parallel: {n_jobs: 1, backend: serial}
"""
    tasks = [Task(0, {"alpha": 0.5}, 1, "a" * 32)]
    report = run_job(replace(job, config=file, tasks=tasks, moved={"/gone/train.csv": str(tmp_path / "found.csv")}), {})
    assert report.kind == "", report.error
    assert report.outcomes[0].state is State.COMPLETE
    assert report.datasets[0].name == "found"
