"""`hpo run` and `hpo register` as a person meets them: what they print, and their exit codes."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hpo import run
from hpo.cli.main import main
from hpo.cli.run_summary import summary_text
from hpo.interruption import Interruption

SWEEP = """
name: parabola
metric: {name: loss}
objective: {python: "parabola_cli:objective"}
parameters:
  x: {type: float, low: -1, high: 1}
  k: {type: int, low: 1, high: 4}
engine: {name: optuna, sampler: random, seed: 3}
budget: {n_trials: 5}
parallel: {backend: serial}
"""
OBJECTIVE = """
import os, time

def objective(params, trial):
    return params["x"] ** 2

def raises(params, trial):
    raise ValueError("no luck")

def says_text(params, trial):
    return "0.5"

def modelled(params, trial):
    from sklearn.dummy import DummyRegressor
    trial.log_model(DummyRegressor().fit([[0.0]], [params["x"]]))
    return params["x"] ** 2

def waits(params, trial):
    open("waiting", "w").close()
    while True:
        time.sleep(0.05)
"""
Hpo = Callable[..., Result]


@pytest.fixture
def hpo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hpo:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HPO_TRACKER", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    Path("parabola_cli.py").write_text(OBJECTIVE)
    Path("sweep.yaml").write_text(SWEEP)
    return lambda *words: CliRunner().invoke(main, list(words))


def test_a_run_prints_a_line_a_trial_and_then_the_winner(hpo: Hpo) -> None:
    done = hpo("run", "sweep.yaml")
    assert done.exit_code == 0, done.output
    lines = done.stderr.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("trial 0 COMPLETE loss=0.")
    assert " best=0." in lines[0]
    assert " x=" in lines[0]
    assert "sweep parabola: 5 trials (5 COMPLETE)" in done.stdout
    assert "best loss 0." in done.stdout
    assert "nothing registered: the sweep file has no register:" in done.stdout
    assert "next: hpo best parabola" in done.stdout


def test_a_run_again_says_that_it_is_complete(hpo: Hpo) -> None:
    hpo("run", "sweep.yaml")
    again = hpo("run", "sweep.yaml")
    assert (again.exit_code, again.stderr) == (0, "")
    assert "is complete, nothing was run: 5 trials" in again.stdout


def test_options_change_the_file(hpo: Hpo) -> None:
    done = hpo(
        "run", "sweep.yaml", "-n", "3", "--seed", "9", "-S", "engine.sampler=tpe", "--tracker", "sqlite:///x.db",
        "-f", "json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert summary["trials"] == {"COMPLETE": 3}
    assert Path("x.db").exists()
    assert not Path("mlflow.db").exists()


def test_a_dry_run_checks_all_and_runs_nothing(hpo: Hpo) -> None:
    done = hpo("run", "sweep.yaml", "--dry-run")
    assert done.exit_code == 0, done.output
    assert "would run 5 trials" in done.stdout
    assert "trial 0 would be x=" in done.stdout
    assert not Path("mlflow.db").exists()


def test_the_first_trial_of_a_dry_run_is_the_first_of_the_run(hpo: Hpo) -> None:
    planned = hpo("run", "sweep.yaml", "--dry-run").stdout.splitlines()[1].partition("would be ")[2]
    assert planned in hpo("run", "sweep.yaml").stderr.splitlines()[0]


def test_failures_are_shown_with_their_reason_and_end_with_exit_3(hpo: Hpo) -> None:
    done = hpo("run", "sweep.yaml", "-S", "objective.python=parabola_cli:raises", "-S", "budget.max_failures=2")
    assert done.exit_code == 3
    assert "trial 0 FAILED exception: ValueError: no luck" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("stopped: 2 trials failed; see: hpo trials parabola")


def test_a_sweep_without_a_number_ends_with_exit_1(hpo: Hpo) -> None:
    done = hpo("run", "sweep.yaml", "-S", "objective.python=parabola_cli:says_text")
    assert done.exit_code == 1
    assert "trial 0 FAILED invalid_result" in done.stderr
    assert "no trial has a finite loss" in done.stdout
    assert "next: hpo trials parabola --state failed; hpo logs parabola#NUMBER" in done.stdout


def test_a_sweep_that_was_stopped_before_any_trial_ended_blames_no_trial(hpo: Hpo) -> None:
    stopped = Interruption()
    stopped.ask(grace=0)
    said = summary_text(run("sweep.yaml", interruption=stopped)).splitlines()
    assert said[0] == "sweep parabola: no trial was run; interrupted"
    assert [line.split()[:2] for line in said[1:]] == [["mlflow", "server"]]


def test_a_registered_winner_is_named_and_registering_it_again_by_hand_gives_the_same_version(hpo: Hpo) -> None:
    settings = ("-S", "objective.python=parabola_cli:modelled", "--register", "parabola-model")
    assert "registered parabola-model version 1, alias champion" in hpo("run", "sweep.yaml", *settings).stdout
    by_hand = hpo("register", "parabola", "--name", "parabola-model", "--alias", "prod", "--why", "asked for")
    assert by_hand.exit_code == 0, by_hand.output
    assert "registered parabola-model version 1" in by_hand.stdout
    (listed,) = json.loads(hpo("models", "-f", "json").stdout)
    assert (listed["version"], sorted(listed["aliases"])) == (1, ["champion", "prod"])


def with_setting(*settings: str) -> Callable[[Hpo], Result]:
    words = [word for setting in settings for word in ("-S", setting)]
    return lambda hpo: hpo("run", "sweep.yaml", *words)


def with_tracker(uri: str) -> Callable[[Hpo], Result]:
    return lambda hpo: hpo("run", "sweep.yaml", "--tracker", uri)


def asking(*words: str) -> Callable[[Hpo], Result]:
    return lambda hpo: after_a_run(hpo, *words)


BAD_INPUT: dict[str, tuple[Callable[[Hpo], Result], int, str]] = {
    "no file": (lambda hpo: hpo("run", "swep.yaml"), 2, "sweep.yaml"),
    "broken YAML": (lambda hpo: written(hpo, "name: [1\n"), 2, r"sweep.yaml:"),
    "unknown key": (with_setting("budget.trials=3"), 2, "n_trials"),
    "low above high": (with_setting("parameters.x.low=7"), 2, "low"),
    "no such module": (with_setting("objective.python=parabola_cl:objective"), 2, "parabola_cli"),
    "no such function": (with_setting("objective.python=parabola_cli:objectiv"), 2, "objective"),
    "gp without torch": (with_setting("engine.sampler=gp"), 2, r"tracked-hpo\[gp\]"),
    "grid over a continuous range": (with_setting("engine.sampler=grid"), 2, "step"),
    "unknown sampler option": (with_setting("engine.sampler=tpe", "engine.options.x=1"), 2, "n_startup_trials"),
    "a folder that is not there": (with_tracker("sqlite:///nowhere/x.db"), 75, "nowhere"),
    "a database that is not ours": (lambda hpo: foreign(hpo), 75, "invoices"),
    "a file that is no database": (lambda hpo: rubbish(hpo), 75, "rubbish.db"),
    "an unknown store": (with_tracker("mysql://x/y"), 75, "mysql"),
    "an unknown sweep": (asking("best", "parabla"), 1, "did you mean 'parabola'"),
    "a metric nobody reported": (asking("best", "--metric", "los"), 1, "loss"),
    "a filter that is wrong": (asking("trials", "parabola", "--where", "param.x < 1"), 2, "params.x"),
    "register without a model": (asking("register", "parabola"), 1, "keeps no model"),
    "register without a finished trial": (lambda hpo: failed_run(hpo, "register", "parabola"), 1, "no finished trial"),
    "rank an empty sweep": (lambda hpo: failed_run(hpo, "best", "parabola"), 1, "FAILED"),
    "no store to read": (lambda hpo: hpo("ls"), 1, "no store at"),
    "no store to register from": (lambda hpo: hpo("register", "parabola"), 1, "no store at"),
}


def written(hpo: Hpo, text: str) -> Result:
    Path("sweep.yaml").write_text(text)
    return hpo("run", "sweep.yaml")


def foreign(hpo: Hpo) -> Result:
    with sqlite3.connect("foreign.db") as connection:
        connection.execute("CREATE TABLE invoices (id INTEGER)")
    connection.close()
    return hpo("run", "sweep.yaml", "--tracker", "sqlite:///foreign.db")


def rubbish(hpo: Hpo) -> Result:
    Path("rubbish.db").write_text("not a database, but somebody's notes" * 100)
    return hpo("run", "sweep.yaml", "--tracker", "sqlite:///rubbish.db")


def after_a_run(hpo: Hpo, *words: str) -> Result:
    assert hpo("run", "sweep.yaml", "-n", "2").exit_code == 0
    return hpo(*words)


def failed_run(hpo: Hpo, *words: str) -> Result:
    hpo("run", "sweep.yaml", "-n", "2", "-S", "objective.python=parabola_cli:raises")
    return hpo(*words)


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_answered_with_its_exit_code_and_a_way_out(hpo: Hpo, case: str) -> None:
    act, code, message = BAD_INPUT[case]
    done = act(hpo)
    assert done.exit_code == code, done.output
    assert re.search(message, done.stderr), done.stderr
    assert "Traceback" not in done.output


def test_what_is_refused_is_left_as_it_was(hpo: Hpo) -> None:
    foreign(hpo)
    before = Path("foreign.db").read_bytes()
    assert with_tracker("sqlite:///foreign.db")(hpo).exit_code == 75
    assert Path("foreign.db").read_bytes() == before


@pytest.mark.everyday(count=1)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_run_that_can_go_on(hpo: Hpo, tmp_path: Path, number: int, code: int) -> None:
    words = ["run", "sweep.yaml", "-S", "objective.python=parabola_cli:waits", "-S", "parallel.backend=loky"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from hpo.cli.main import main; main()", *words], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "waiting").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, number)
    assert until_line(process, "once more")
    os.kill(process.pid, number)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == code, rest
    trials = json.loads(hpo("trials", "parabola", "-f", "json").stdout)
    assert [trial["state"] for trial in trials] == ["WAITING"]
    assert "go on with: hpo resume parabola" in rest


def until_line(process: subprocess.Popen[str], text: str) -> bool:
    assert process.stderr is not None
    return any(text in line for line in iter(process.stderr.readline, ""))
