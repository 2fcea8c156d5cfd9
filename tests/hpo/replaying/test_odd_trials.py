"""Trials that are more than one call of a function: programs, replicates, those taken over, with secrets, by MLflow."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import Result

import hpo
from hpo.replaying.on_record import replay_run
from hpo.replaying.wishes import Wishes
from trackers.opening import open_store
from trackers.records import Query

Ask = Callable[..., Result]
Repository = Any
"""As conftest makes it."""
STORE = "sqlite:///../store/mlflow.db"

OBJECTIVE = """
import random

def objective(params, trial):
    value = params["x"] * random.Random(trial.seed).random()
    return {"loss": value, "size": 1 - value}
"""
SWEEP = """
version: 1
name: small
metric: {name: loss}
objective: {python: "MODULE:objective"}
parameters:
  x: {type: float, low: 0.0, high: 1.0}
engine: {sampler: random, seed: 3}
budget: {n_trials: 3}
parallel: {n_jobs: 1, backend: serial}
"""


@pytest.fixture
def small(repository: Repository) -> Repository:
    repository.write(f"{repository.module}.py", OBJECTIVE)
    repository.write("sweep.yaml", SWEEP)
    return repository


@pytest.mark.slow
def test_trials_of_replicates_by_several_metrics(small: Repository, ask: Ask) -> None:
    several = SWEEP.replace("metric: {name: loss}", "metrics: [{name: loss}, {name: size, goal: maximize}]")
    small.write("sweep.yaml", f"{several}replicates: {{seeds: 3, aggregate: median}}\n")
    small.run()
    result = ask("replay", "small", "-f", "json")
    assert result.exit_code == 0, result.output
    names = {metric["name"] for metric in json.loads(result.stdout)[0]["metrics"]}
    assert {"loss", "size", "loss (replicate 0)", "size (replicate 2)"} <= names
    shown = json.loads(ask("show", "small#1", "-f", "json").stdout)
    assert len(shown["replicates"]) == 3
    assert [again["verdict"] for again in shown["replays"]] == ["same"]


@pytest.mark.slow
def test_a_program_comes_from_the_rebuilt_code(small: Repository, ask: Ask) -> None:
    value = "float(sys.argv[1]) + int(os.environ['HPO_TRIAL_SEED']) / 7"
    small.write("train.py", f"import json, os, sys\nprint(json.dumps({{'loss': {value}}}))\n")
    small.write("sweep.yaml", SWEEP.replace('python: "MODULE:objective"', 'command: ["{python}", train.py, "{x}"]'))
    small.commit()
    small.run()
    small.write("train.py", "raise SystemExit(1)\n")
    result = ask("replay", "small")
    assert result.exit_code == 0, result.output
    assert ask("replay", "small#0", "--code", "current").exit_code == 1


@pytest.mark.slow
def test_a_trial_that_was_taken_over_is_replayed_where_it_was_run(small: Repository, ask: Ask) -> None:
    small.run()
    small.write("sweep.yaml", SWEEP.replace("high: 1.0", "high: 1.5"))
    hpo.run("sweep.yaml", fork=True)
    result = ask("replay", "small-2#1")
    assert result.exit_code == 0, result.output
    assert "small#1: identical" in result.stdout


@pytest.mark.slow
def test_a_secret_comes_from_the_sweep_file_or_is_asked_for(small: Repository, ask: Ask) -> None:
    small.write(
        f"{small.module}.py", "def objective(params, trial):\n    return len(params['api_key']) + params['x']\n"
    )
    small.write("sweep.yaml", SWEEP.replace("parameters:", "parameters:\n  api_key: hunter2hunter2"))
    small.run()
    result = ask("replay", "small#1")
    assert result.exit_code == 0, result.output
    (small.folder / "sweep.yaml").unlink()
    refused = ask("replay", "small#1")
    assert refused.exit_code == 2
    assert "parameters.api_key of sweep 'small' is a secret and not on record; put its file back" in refused.stderr


@pytest.mark.slow
def test_what_a_trial_logs_through_mlflow_is_compared_too(small: Repository, ask: Ask) -> None:
    logging = """
import mlflow

def objective(params, trial):
    with mlflow.start_run():
        for step in range(3):
            mlflow.log_metric("seen", params["x"] * step, step=step)
    return params["x"]
"""
    small.write(f"{small.module}.py", logging)
    small.write(
        "sweep.yaml", SWEEP.replace("serial", "loky")
    )  # mlflow warns where it is imported, here that is an error
    small.run()
    result = ask("replay", "small#1", "-f", "json")
    assert result.exit_code == 0, result.output
    points = {metric["name"]: metric["points"] for metric in json.loads(result.stdout)["metrics"]}
    assert points["seen"] == 3
    assert sorted(path.name for path in small.folder.iterdir() if path.suffix == ".db") == []


@pytest.mark.slow
def test_a_module_that_is_installed_from_the_repository_is_taken_from_the_rebuilt_code(
    small: Repository, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(small.folder / "lib"))
    monkeypatch.syspath_prepend(str(small.folder / "lib"))
    small.code.unlink()
    small.write(f"lib/{small.module}.py", OBJECTIVE)
    small.commit()
    small.run()
    small.write(f"lib/{small.module}.py", OBJECTIVE.replace("random()", "random() + 1"))
    result = ask("replay", "small#1")
    assert result.exit_code == 0, result.output


@pytest.mark.slow
def test_a_replay_is_one_more_run_below_the_trial_and_changes_nothing_else(small: Repository, ask: Ask) -> None:
    small.run()
    before = [ask(*words).stdout for words in (("ls",), ("trials", "small"), ("best", "small"))]
    for _ in range(2):
        assert ask("replay", "small#1").exit_code == 0
    assert ask("replay", "small#1", "--no-record").exit_code == 0
    assert ask("replay", "small#1", "--seed", "1").exit_code == 1
    assert [ask(*words).stdout for words in (("ls",), ("trials", "small"), ("best", "small"))] == before
    with open_store(STORE, read_only=True) as store:
        [trial] = store.tracker.find(Query(name="trial-1"))
        below = store.tracker.find(Query(parent=trial.id))
        assert [run.tags["hpo.replay"] for run in below] == ["same", "same", "differs"]
        assert all(run.tags["hpo.replay_of"] == trial.id for run in below)
        assert [file.path for file in store.tracker.artifacts(below[0].id)] == ["replay.json"]
        assert below[0].metrics == trial.metrics
    again = ask("replay", below[0].id)
    assert again.exit_code == 0, again.output
    assert "small#1: identical" in again.stdout


@pytest.mark.slow
def test_a_verdict_that_cannot_be_recorded_is_given_all_the_same(
    small: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    small.run()
    with open_store(STORE, read_only=True) as store:
        [trial] = store.tracker.find(Query(name="trial-1"))
        with caplog.at_level("WARNING"):
            [done] = replay_run(store.tracker, trial, Wishes(), records=True)
    assert done.verdict.is_same
    assert "the replay is not put on record" in caplog.text


@pytest.mark.slow
def test_each_trial_is_replayed_with_the_code_that_it_ran_with(small: Repository, ask: Ask) -> None:
    small.write("sweep.yaml", SWEEP.replace("serial", "loky"))  # whose workers import the module anew
    small.commit()
    small.run()
    # of another size: Python runs what it has compiled if size and second are those of the source
    small.write(f"{small.module}.py", OBJECTIVE.replace("1 - value", "20 - value"))
    small.forget()
    hpo.resume("small", more=2)
    small.code.unlink()
    result = ask("replay", "small")
    assert result.exit_code == 0, result.output
    assert "5 of 5 trials are identical" in result.stdout
    assert "replaying 3 trials" in result.stderr
    assert "replaying 2 trials" in result.stderr


@pytest.mark.slow
def test_a_sweep_file_in_a_folder_of_its_own_started_from_the_top(small: Repository, ask: Ask) -> None:
    (small.folder / "sweep.yaml").unlink()
    small.write("sweeps/here/small.yaml", SWEEP)
    small.write("table.txt", "7")
    small.write(
        f"{small.module}.py",
        "from pathlib import Path\n"
        "def objective(params, trial):\n"
        "    return params['x'] * float(Path('table.txt').read_text())\n",
    )
    small.commit()
    hpo.run("sweeps/here/small.yaml")
    small.write("table.txt", "8")
    result = ask("replay", "small")
    assert result.exit_code == 0, result.output


@pytest.mark.slow
def test_files_that_a_sweep_or_a_trial_reads_are_put_where_they_are_looked_for(small: Repository, ask: Ask) -> None:
    reading = """
from pathlib import Path

def objective(params, trial):
    trial.log_input("data/extra.txt")
    return params["x"] * float(Path("data/main.txt").read_text()) + float(Path("data/extra.txt").read_text())
"""
    small.write(".gitignore", "data/\n")
    small.write("data/main.txt", "3")
    small.write("data/extra.txt", "4")
    small.write(f"{small.module}.py", reading)
    small.write("sweep.yaml", f"{SWEEP}capture: {{inputs: [data/main.txt]}}\n")
    small.commit()
    small.run()
    assert ask("replay", "small").exit_code == 0
    small.write("data/extra.txt", "5")
    result = ask("replay", "small#1", "-f", "json")
    assert result.exit_code == 1, result.output
    first = json.loads(result.stdout)["first_difference"]
    assert (first["what"], first["name"]) == ("data", "extra.txt")


@pytest.mark.slow
def test_a_copy_of_all_that_a_replay_made_is_kept_where_that_is_asked_for(small: Repository, ask: Ask) -> None:
    small.commit()
    small.run()
    kept = small.folder.parent / "kept"
    assert ask("replay", "small#1", "--keep", kept).exit_code == 0
    assert sorted(path.name for path in kept.iterdir()) == ["code", "output.log"]
    assert (kept / "code" / small.code.name).read_text() == OBJECTIVE


def test_a_sweep_of_which_no_code_is_on_record_says_so(ask: Ask, small: Repository) -> None:
    small.write("sweep.yaml", f"{SWEEP}capture: {{code: false}}\n")
    small.run()
    result = ask("replay", "small#1")
    assert result.exit_code == 2
    assert "--code current" in result.stderr
    assert "git worktree" not in result.stderr


@pytest.mark.slow
def test_a_sweep_of_a_time_when_no_code_was_kept_is_replayed_with_its_commit(
    small: Repository, ask: Ask, tmp_path: Path
) -> None:
    """Such a run has no capture, but MLflow's tags of a commit."""
    small.commit()
    small.write("sweep.yaml", f"{SWEEP}capture: {{diff: false, environment: false}}\n")
    small.run()
    commit = small.git("rev-parse", "HEAD").strip()
    with closing(sqlite3.connect(tmp_path / "store" / "mlflow.db")) as database, database:
        database.execute("DELETE FROM tags WHERE key = 'hpo.capture'")
    small.write(f"{small.module}.py", "def objective(params, trial):\n    return 7\n")
    refused = ask("replay", "small#1")
    assert refused.exit_code == 2
    assert f"git worktree add DIR {commit[:10]}, then --code current --repository DIR" in refused.stderr
    assert ask("replay", "small#1", "--code", "current").exit_code == 1
    small.git("worktree", "add", "-q", str(tmp_path / "then"), commit[:10])
    result = ask("replay", "small", "--code", "current", "--repository", tmp_path / "then")
    assert result.exit_code == 0, result.output


def test_what_has_not_ended_or_is_not_there_is_refused(ask: Ask, small: Repository, tmp_path: Path) -> None:
    assert ask("replay", "small").exit_code == 1
    small.run()
    missing = ask("replay", "small#9")
    assert (missing.exit_code, missing.stdout) == (1, "")  # a difference is written to stdout
    assert "no trial '9' in sweep 'small', which has 0 to 2" in missing.stderr


@pytest.mark.slow
def test_a_replay_that_is_ended_leaves_nothing_behind(small: Repository, tmp_path: Path) -> None:
    began = tmp_path / "began"
    waiting = f"""
import os, time
from pathlib import Path

def objective(params, trial):
    if "WAIT" in os.environ:
        Path({str(began)!r}).touch()
        time.sleep(600)
    return params["x"]
"""
    small.write(f"{small.module}.py", waiting)
    small.commit()
    small.run()
    environment = {**os.environ, "WAIT": "1", "TMPDIR": str(tmp_path / "cache")}
    command = [str(Path(sys.executable).with_name("hpo")), "replay", "small#1"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    while not began.exists() and process.poll() is None:
        time.sleep(0.05)
    process.terminate()
    process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert small.git("worktree", "list").count("\n") == 1
    assert [path.name for path in (tmp_path / "cache").iterdir() if path.name.startswith("hpo-scratch")] == []
    assert not [
        each for each in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(each.info["cmdline"] or [])
    ]
