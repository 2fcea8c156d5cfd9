"""The four scripts, one after the other, and what they say of wrong input."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner, Result

CONFIG = str(Path(__file__).resolve().parents[3] / "configs" / "taxi.yaml")
Script = Callable[[str], ModuleType]
Run = Callable[..., Result]


@pytest.fixture
def run(script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a script in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("HPO_TRACKER", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return lambda name, *arguments: CliRunner().invoke(script(name).main, list(arguments))


def test_the_scripts_make_a_champion_out_of_raw_months(run: Run, raw: Path) -> None:
    prepared = run("preprocess", "--raw-data-path", str(raw), "--rows", "300")
    assert prepared.exit_code == 0
    assert "train: 300 of 600 trips kept (" in prepared.stdout
    assert "prepared data/taxi: " in prepared.stdout
    trained = run("train", "--param", "n_estimators=3", "--param", "max_depth=null")
    assert trained.exit_code == 0
    assert "minutes on validation" in trained.stdout
    quick = ["-S", "parallel.backend=serial", "-S", "parallel.window=4"]
    searched = run("search", CONFIG, "-n", "2", "-j", "1", *quick)
    assert searched.exit_code == 0
    assert "sweep taxi: 2 trials (2 COMPLETE)" in searched.stdout
    assert "python scripts/register.py taxi" in searched.stdout
    assert searched.stderr.count("COMPLETE rmse=") == 2
    again = run("search", CONFIG, "-n", "2", "-j", "1", *quick)
    assert again.exit_code == 0
    assert "sweep taxi is complete" in again.stdout
    registered = run("register")
    assert registered.exit_code == 0
    assert "registered green-taxi-duration version 1, alias champion" in registered.stdout
    assert registered.stdout.count("<- registered") == 1
    unknown = run("register", "taxy")
    assert unknown.exit_code == 1
    assert "Error: no sweep 'taxy' in the store - did you mean 'taxi'?" in unknown.stderr


def test_a_search_of_which_every_trial_fails_exits_with_3(run: Run, raw: Path) -> None:
    run("preprocess", "--raw-data-path", str(raw), "--rows", "100")
    failing = ["-S", "parallel.backend=serial", "-S", "parameters.max_depth=-1", "-S", "budget.max_failures=2"]
    done = run("search", CONFIG, "-j", "1", *failing)
    assert done.exit_code == 3
    assert "no trial has a finite rmse" in done.stdout


def test_a_missing_month_is_a_usage_error(run: Run) -> None:
    done = run("preprocess")
    assert done.exit_code == 2
    assert done.stderr.startswith(
        "Error: no file data/green/green_tripdata_2023-01.parquet; there are no Parquet files"
    )


@pytest.mark.parametrize("name", ["train", "search"])
def test_missing_data_is_a_usage_error(run: Run, name: str) -> None:
    done = run(name, *([CONFIG] if name == "search" else []))
    assert done.exit_code == 2
    assert done.stderr == "Error: no prepared data in data/taxi; make it with: python scripts/preprocess.py\n"


def test_a_param_that_is_no_pair_is_a_usage_error(run: Run) -> None:
    done = run("train", "--param", "max_depth:3")
    assert done.exit_code == 2
    assert "write it as key=value, such as max_depth=5; got 'max_depth:3'" in done.stderr
