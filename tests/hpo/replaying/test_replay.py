"""Trials of small sweeps run again in a process of their own, and compared with their record."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import hpo
from hpo.cli.main import main

OBJECTIVE = """
import random
from hpo import TrialPruned

def objective(params, trial):
    print("trial", trial.number)
    generator = random.Random(trial.seed)
    if params["kind"] == "fail":
        raise ValueError(f"no {params['kind']} in {trial.dir}")
    value = 0.0
    for step in range(4):
        value = step + generator.random() * params["x"]
        trial.report(step, value)
        trial.log_metric("loss", -value, step=step)
    return {"score": value, "half": value / 2}
"""
SWEEP = """
version: 1
name: small
metric: {name: score, goal: maximize}
objective: {python: "train:objective"}
parameters:
  x: {type: float, low: 0.0, high: 1.0}
  kind: [fit, fail]
start: [{x: 0.3, kind: fit}, {x: 0.9, kind: fit}, {x: 0.2, kind: fit}, {x: 0.5, kind: fail}]
engine: {name: optuna, sampler: random, seed: 3}
pruner: {name: median, options: {n_startup_trials: 1, n_warmup_steps: 1}}
budget: {n_trials: 4, max_failures: 4}
parallel: {n_jobs: 1, backend: serial}
"""


def ask(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(OBJECTIVE)
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    return tmp_path


def test_every_trial_of_a_sweep_gives_the_same_again_also_pruned_and_failed_ones(folder: Path) -> None:
    hpo.run("sweep.yaml", tracker="sqlite:///mlflow.db")
    states = [line.split()[1] for line in ask("trials", "small").stdout.splitlines()[1:]]
    assert states == ["COMPLETE", "COMPLETE", "PRUNED", "FAILED"]
    result = ask("replay", "small")
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("4 of 4 trials are identical\n")
    below = ask("show", "small#2").stdout
    assert "small-2-replay" in below
    assert "2 COMPLETE, 1 PRUNED, 1 FAILED" in ask("ls").stdout
