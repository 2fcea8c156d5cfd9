"""`engine: auto` as a person meets it: said at the start, on record, and the same after more trials were asked for."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from hpo.cli.main import main
from hpo.config.reading import read_sweep_text
from hpo.errors import ConfigError
from trackers.opening import open_store
from trackers.records import Query

SWEEP = """
name: parabola
metric: {name: loss}
objective: {python: "auto_cli:objective"}
parameters:
  x: {type: float, low: -1, high: 1}
  k: {type: int, low: 1, high: 4}
engine: auto
budget: {n_trials: 5}
parallel: {backend: serial}
"""


def test_what_auto_chose_is_said_and_recorded_and_more_trials_change_no_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HPO_TRACKER", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    Path("auto_cli.py").write_text("def objective(params, trial):\n    return params['x'] ** 2 + params['k']\n")
    Path("sweep.yaml").write_text(SWEEP)
    chosen = "scrambled Sobol points, from trial 4 a Gaussian process, from trial 200 TPE"
    first = CliRunner().invoke(main, ["run", "sweep.yaml"])
    assert first.exit_code == 0, first.output
    assert f"engine auto: {chosen}" in first.stderr
    assert CliRunner().invoke(main, ["resume", "parabola", "-n", "2"]).exit_code == 0
    assert CliRunner().invoke(main, ["run", "sweep.yaml", "-n", "7", "-S", "name=at-once"]).exit_code == 0
    with open_store("sqlite:///mlflow.db", read_only=True) as store:
        parents = {run.name: run for run in store.tracker.find(Query(sweeps=True, roots=True))}
        params = [[run.params for run in store.tracker.find(Query(parent=parents[name].id))] for name in parents]
    assert {parent.tags["hpo.auto"] for parent in parents.values()} == {chosen}
    assert len(params[0]) == 7
    assert params[0] == params[1]


@pytest.mark.parametrize(
    ("engine", "meant"),
    [
        ("engine: {seed: 3}", ("auto", "auto")),
        ("", ("auto", "auto")),
        ("engine: {sampler: qmc}", ("optuna", "qmc")),
        ("engine: {options: {n_startup_trials: 3}}", ("optuna", "tpe")),
        ("engine: hyperopt", ("hyperopt", "tpe")),
    ],
)
def test_auto_searches_where_no_other_is_asked_for(engine: str, meant: tuple[str, str]) -> None:
    config = read_sweep_text(SWEEP.replace("engine: auto", engine), "f")
    assert (config.engine.name, config.engine.sampler) == meant


def test_auto_is_the_one_sampler_of_its_engine() -> None:
    assert read_sweep_text(SWEEP, "f").engine.sampler == "auto"
    with pytest.raises(ConfigError, match="auto has no sampler 'tpe'; it has auto"):
        read_sweep_text(SWEEP.replace("engine: auto", "engine: {name: auto, sampler: tpe}"), "f")
