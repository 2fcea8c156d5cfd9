"""The finalists of a sweep are scored once on test data that no trial saw, and the best there is registered."""

import pytest

from hpo import run
from hpo.result import SweepResult
from trackers.records import Run

SWEEP = """
name: neighbours
metric: {name: rmse}
objective:
  sklearn:
    data: {loader: sklearn.datasets.load_diabetes, test: 0.3}
    estimator: sklearn.neighbors.KNeighborsRegressor
    cv: {folds: 3}
    scoring: [rmse, mae]
parameters:
  n_neighbors: {type: int, low: 1, high: 40}
  weights: [uniform, distance]
engine: {name: optuna, sampler: random, seed: 2}
budget: {n_trials: 10}
parallel: {backend: serial}
register: {name: neighbours, top: 4}
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    folder = tmp_path_factory.mktemp("winner")
    (folder / "sweep.yaml").write_text(SWEEP)
    uri = f"sqlite:///{folder}/mlflow.db"
    return run(folder / "sweep.yaml", tracker=uri, overrides=[f"tracker.artifacts={folder}/mlruns"])


def number(run: Run) -> int:
    assert run.trial is not None
    return run.trial.number


def test_the_finalist_that_is_best_on_the_test_part_is_registered(result: SweepResult) -> None:
    finalists = result.best_runs(4)
    by_test = sorted(finalists, key=lambda run: run.metrics["test_rmse"])
    assert result.registered is not None
    assert result.registered.run_id == by_test[0].id
    assert by_test[0].id != finalists[0].id  # here the order by validation is another one


def test_only_finalists_are_scored_and_each_once(result: SweepResult) -> None:
    scored = {number(run) for run in result.trials() if "test_rmse" in run.metrics}
    assert scored == {number(run) for run in result.best_runs(4)}
    assert all("test_mae" in run.metrics for run in result.best_runs(4))


def test_the_version_says_how_good_it_is_on_the_test_part(result: SweepResult) -> None:
    assert result.registered is not None
    assert "Held-out test data: test_mae" in result.registered.description
    assert result.registered.tags["hpo.data.test"] != result.registered.tags["hpo.data.train"]
