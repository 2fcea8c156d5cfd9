"""`hpo resume`, `hpo stop` and `hpo run --fork` as a person meets them."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import hpo as library
from hpo.cli.main import main
from hpo.driver import Driver
from trackers.opening import open_store
from trackers.records import Query, RunStarted, Status

SWEEP = """
name: parabola
metric: {name: loss}
objective: {python: "resume_cli:objective"}
parameters:
  x: {type: float, low: -1, high: 1}
  k: {type: int, low: 1, high: 4}
engine: {name: optuna, sampler: random, seed: 3}
budget: {n_trials: 5, max_failures: null}
parallel: {backend: serial}
"""
OBJECTIVE = """
from pathlib import Path

def objective(params, trial):
    with Path("ran.txt").open("a") as file:
        file.write(f"{trial.number} {params}\\n")
    if Path("broken").exists() and params["k"] > 1:
        raise ValueError("broken")
    return {"loss": params["x"] ** 2 + params["k"], "other": 1.0}

def another(params, trial):
    return objective(params, trial)
"""
Hpo = Callable[..., Result]


@pytest.fixture
def hpo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hpo:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HPO_TRACKER", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    Path("resume_cli.py").write_text(OBJECTIVE)
    Path("sweep.yaml").write_text(SWEEP)
    return lambda *words: CliRunner().invoke(main, list(words))


def listed(hpo: Hpo, sweep: str = "parabola") -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(hpo("trials", sweep, "-f", "json").stdout)
    return found


def points(hpo: Hpo, sweep: str = "parabola") -> list[tuple[object, ...]]:
    return [(trial["number"], trial["state"], trial["params"], trial["value"]) for trial in listed(hpo, sweep)]


def ran() -> list[str]:
    return Path("ran.txt").read_text().splitlines()


def test_a_sweep_goes_on_from_another_folder_without_its_file(
    hpo: Hpo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hpo("run", "sweep.yaml", "-S", "engine.sampler=tpe", "-n", "4")
    Path("sweep.yaml").unlink()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("HPO_TRACKER", f"sqlite:///{tmp_path}/mlflow.db")
    done = hpo("resume", "parabola", "-n", "3")
    assert done.exit_code == 0, done.output
    assert "sweep parabola goes on: 4 of 7 trials ended" in done.stderr
    Path("sweep.yaml").write_text(SWEEP)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    hpo("run", "sweep.yaml", "-n", "7", "-S", "engine.sampler=tpe", "-S", "name=at-once")
    assert points(hpo) == points(hpo, "at-once")


def test_the_latest_sweep_is_resumed_where_none_is_named(hpo: Hpo) -> None:
    hpo("run", "sweep.yaml", "-n", "2")
    assert hpo("resume", "-n", "1").exit_code == 0
    assert len(points(hpo)) == 3


def test_a_complete_sweep_has_nothing_to_resume(hpo: Hpo) -> None:
    hpo("run", "sweep.yaml")
    done = hpo("resume", "parabola")
    assert done.exit_code == 0
    assert "sweep parabola is complete, nothing was run: 5 trials" in done.stdout
    assert len(ran()) == 5


def test_code_that_is_gone_is_named_with_where_it_was(hpo: Hpo, tmp_path: Path) -> None:
    Path("resume_gone.py").write_text(OBJECTIVE)
    hpo("run", "sweep.yaml", "-S", "objective.python=resume_gone:objective")
    Path("resume_gone.py").unlink()
    del sys.modules["resume_gone"]
    from hpo.objectives.python_objective import _resolved

    _resolved.cache_clear()
    done = hpo("resume", "parabola", "-n", "1")
    assert done.exit_code == 2
    assert "sweep 'parabola' cannot go on: resume_gone: there is no module 'resume_gone'" in done.stderr
    assert f"it was started from sweep.yaml in {tmp_path}" in done.stderr
    assert len(points(hpo)) == 5


def test_failed_trials_are_run_again_under_their_number_and_params(hpo: Hpo) -> None:
    Path("broken").touch()
    assert hpo("run", "sweep.yaml").exit_code in (0, 1)
    before = listed(hpo)
    failed = [trial["number"] for trial in before if trial["state"] == "FAILED"]
    assert failed
    Path("broken").unlink()
    assert hpo("resume", "parabola", "--retry-failed").exit_code == 0
    after = listed(hpo)
    assert [trial["params"] for trial in after] == [trial["params"] for trial in before]
    assert {trial["state"] for trial in after} == {"COMPLETE"}
    assert [trial["attempt"] for trial in after] == [1 + (trial["number"] in failed) for trial in after]
    assert len(ran()) == len(before) + len(failed)
    assert "nothing was run" in hpo("resume", "parabola", "--retry-failed").stdout


@pytest.mark.slow
def test_a_retried_trial_that_fails_again_is_not_retried_by_the_next_resume(hpo: Hpo) -> None:
    Path("broken").touch()
    hpo("run", "sweep.yaml")
    count = len(ran())
    failed = sum(trial["state"] == "FAILED" for trial in listed(hpo))
    hpo("resume", "parabola", "--retry-failed")
    assert len(ran()) == count + failed
    assert "nothing was run" in hpo("resume", "parabola").stdout
    hpo("run", "sweep.yaml", "-n", "6")
    assert len(ran()) == count + failed + 1


@pytest.mark.slow
def test_new_trials_know_the_newest_result_of_a_retried_one(hpo: Hpo) -> None:
    settings = ("-S", "engine.sampler=tpe", "-S", "engine.options.n_startup_trials=2")
    Path("broken").touch()
    hpo("run", "sweep.yaml", *settings)
    Path("broken").unlink()
    hpo("resume", "parabola", "--retry-failed")
    copied = points(hpo)
    hpo("resume", "parabola", "-n", "4")
    assert points(hpo)[:5] == copied
    assert {state for _, state, _, _ in points(hpo)} == {"COMPLETE"}


def test_a_sweep_that_failures_stopped_says_so_again_and_goes_on_once_they_are_mended(hpo: Hpo) -> None:
    Path("broken").touch()
    limit = ("-S", "budget.max_failures=2", "--register", "parabola")
    assert hpo("run", "sweep.yaml", *limit).exit_code == 3
    again = hpo("run", "sweep.yaml", *limit)
    assert again.exit_code == 3
    assert "nothing registered: the sweep was stopped by max_failures" in again.stdout
    assert "run them again with: hpo resume parabola --retry-failed" in again.stderr
    assert "hpo resume parabola --retry-failed" in hpo("show", "parabola").stdout
    Path("broken").unlink()
    assert hpo("resume", "parabola", "--retry-failed").exit_code == 0
    assert [state for _, state, _, _ in points(hpo)] == ["COMPLETE"] * 5


def test_what_a_changed_file_changes_is_shown_key_by_key(hpo: Hpo) -> None:
    hpo("run", "sweep.yaml")
    record = points(hpo)
    Path("sweep.yaml").write_text(SWEEP.replace("high: 4", "high: 5").replace("sampler: random", "sampler: tpe"))
    done = hpo("run", "sweep.yaml")
    assert done.exit_code == 2
    lines = done.stderr.splitlines()
    assert lines[0] == "Error: the sweep 'parabola' in the store was made from a different file:"
    assert lines[1:7] == [
        "  - on record",
        "  + in this file",
        "  - engine.sampler: random",
        "  + engine.sampler: tpe",
        "  - parameters.k.high: 4",
        "  + parameters.k.high: 5",
    ]
    assert "--fork" in lines[7]
    assert points(hpo) == record


def test_a_fork_reuses_the_trials_that_fit_the_changed_file(hpo: Hpo) -> None:
    hpo("run", "sweep.yaml", "-n", "8")
    old = [point for point in points(hpo) if point[2]["k"] <= 2]  # type: ignore[index]
    assert 0 < len(old) < 8
    Path("sweep.yaml").write_text(SWEEP.replace("high: 4", "high: 2"))
    done = hpo("run", "sweep.yaml", "--fork", "-n", "8")
    assert done.exit_code == 0, done.output
    assert f"reused {len(old)} trials of sweep parabola, they are not run again; left out: #" in done.stderr
    new = points(hpo, "parabola-2")
    assert [point[1:] for point in new[: len(old)]] == [point[1:] for point in old]
    assert [point[0] for point in new] == list(range(8))
    assert len(ran()) == 8 + 8 - len(old)
    taken = listed(hpo, "parabola-2")[0]
    assert taken["metrics"] == {"loss": taken["value"], "other": 1.0}
    origin = json.loads(hpo("show", "parabola-2#0", "-f", "json").stdout)["tags"]["hpo.taken_from"]
    assert origin == next(t["run_id"] for t in listed(hpo) if t["number"] == old[0][0])


@pytest.mark.slow
def test_a_fork_goes_on_instead_of_forking_again(hpo: Hpo) -> None:
    hpo("run", "sweep.yaml")
    Path("sweep.yaml").write_text(SWEEP.replace("high: 1}", "high: 2}"))
    hpo("run", "sweep.yaml", "--fork", "-n", "6")
    again = hpo("run", "sweep.yaml", "--fork", "-n", "6")
    assert "sweep parabola-2 is complete, nothing was run" in again.stdout
    assert hpo("run", "sweep.yaml", "--fork", "-n", "7").exit_code == 0
    assert (len(points(hpo)), len(points(hpo, "parabola-2"))) == (5, 7)
    assert len(ran()) == 5 + 1 + 1


def test_a_fork_with_another_objective_reuses_nothing_and_says_why(hpo: Hpo) -> None:
    hpo("run", "sweep.yaml")
    done = hpo("run", "sweep.yaml", "--fork", "-S", "objective.python=resume_cli:another")
    assert "nothing of sweep parabola is reused: the objective is another one" in done.stderr
    assert len(ran()) == 10


def test_a_forked_grid_has_each_of_its_points_once(hpo: Hpo) -> None:
    grid = SWEEP.replace("low: -1, high: 1", "low: -1, high: 1, step: 1").replace("random", "grid")
    Path("sweep.yaml").write_text(grid)
    hpo("run", "sweep.yaml", "-n", "7")
    Path("sweep.yaml").write_text(grid.replace("low: -1, high: 1,", "low: -2, high: 1,").replace("high: 4", "high: 3"))
    assert hpo("run", "sweep.yaml", "--fork", "-n", "50").exit_code == 0
    found = points(hpo, "parabola-2")
    assert len({json.dumps(params, sort_keys=True) for _, _, params, _ in found}) == len(found) == 12
    assert {state for _, state, _, _ in found} == {"COMPLETE"}
    assert len(ran()) == 7 + 12 - 6  # of the seven old points one, k=4, is no point of the new grid


@pytest.mark.slow
def test_fork_without_a_change_or_a_sweep_is_a_plain_run(hpo: Hpo) -> None:
    assert hpo("run", "sweep.yaml", "--fork").exit_code == 0
    assert "nothing was run" in hpo("run", "sweep.yaml", "--fork").stdout
    assert hpo("run", "sweep.yaml", "--fork", "--new").exit_code == 2


def left_by_a_dead_driver(uri: str = "sqlite:///mlflow.db") -> None:
    """As a driver leaves it that was killed while trial 2 ran."""
    with open_store(uri) as store:
        [parent] = store.tracker.find(Query(sweeps=True))
        dead = replace(Driver.here(), boot="another").text
        fence = store.ownership.claim(parent.id, dead, taking_from=None)
        run = store.tracker.find(Query(parent=parent.id))[2]
        assert run.trial is not None
        trial = replace(
            run.trial, state="RUNNING", attempt=run.trial.attempt + 1, value=None, reason="", error="", traceback=""
        )
        running = RunStarted(run.id, run.name, run.experiment, 1, parent.id, trial=trial)
        store.tracker.record([RunStarted(parent.id, parent.name, parent.experiment, 1), running], fence)


def test_a_trial_that_a_dead_driver_left_open_is_reclaimed(hpo: Hpo) -> None:
    hpo("run", "sweep.yaml")
    record = points(hpo)
    left_by_a_dead_driver()
    shown = hpo("show", "parabola").stdout
    assert "which is dead" in shown
    assert "hpo resume parabola" in shown
    done = hpo("resume", "parabola")
    assert "reclaimed 1 trial of dead driver pid " in done.stderr
    assert points(hpo) == record
    assert listed(hpo)[2]["attempt"] == 3


def test_a_trial_whose_driver_died_four_times_is_lost_and_no_failure_of_the_params(hpo: Hpo) -> None:
    hpo("run", "sweep.yaml")
    for _ in range(4):
        left_by_a_dead_driver()
        assert hpo("stop", "parabola").exit_code == 1
    trial = listed(hpo)[2]
    assert (trial["state"], trial["reason"], trial["attempt"]) == ("FAILED", "lost", 5)
    done = hpo("run", "sweep.yaml", "-n", "6", "-S", "budget.max_failures=1")
    assert done.exit_code == 0
    assert len(points(hpo)) == 6
    assert hpo("resume", "parabola", "--retry-failed").exit_code == 0
    assert {state for _, state, _, _ in points(hpo)} == {"COMPLETE"}


def test_stop_puts_what_a_dead_driver_left_open_to_waiting(hpo: Hpo) -> None:
    hpo("run", "sweep.yaml")
    left_by_a_dead_driver()
    done = hpo("stop", "parabola")
    assert done.exit_code == 1
    assert "is dead; 1 trial it left open will run again; go on with: hpo resume parabola" in done.stderr
    assert [trial["state"] for trial in listed(hpo)][2] == "WAITING"
    with open_store("sqlite:///mlflow.db", read_only=True) as store:
        assert store.tracker.find(Query(sweeps=True))[0].status is Status.KILLED


def test_stop_says_that_nobody_drives_the_sweep(hpo: Hpo) -> None:
    hpo("run", "sweep.yaml")
    done = hpo("stop", "parabola")
    assert done.exit_code == 1
    assert done.stderr == "nobody drives sweep parabola; nothing to stop\n"


def test_resume_and_stop_make_no_store(hpo: Hpo) -> None:
    for verb in ("resume", "stop"):
        assert hpo(verb, "parabola").exit_code == 1
    assert not Path("mlflow.db").exists()


def test_python_resumes_retries_and_forks_too(hpo: Hpo) -> None:
    Path("broken").touch()
    library.run("sweep.yaml")
    Path("broken").unlink()
    result = library.resume("parabola", more=2, retry_failed=True)
    assert dict(result.counts()) == {"COMPLETE": 7}
    forked = library.run("sweep.yaml", fork=True, overrides=["parameters.x.high=2", "budget.n_trials=8"])
    assert (forked.name, dict(forked.counts())) == ("parabola-2", {"COMPLETE": 8})
