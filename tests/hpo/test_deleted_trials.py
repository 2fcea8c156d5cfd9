"""A sweep whose trials were deleted by hand goes on as if they were there: they were asked for, and are known."""

from dataclasses import replace
from pathlib import Path

import pytest

from hpo.deletion import delete
from hpo.errors import HpoError
from hpo.result import SweepResult
from hpo.search import run
from trackers.opening import open_store
from trackers.records import Query, RunStarted

SWEEP = """
name: t
metric: {name: loss}
objective: {python: "deleted_objective:objective"}
parameters: {x: {type: float, low: 0, high: 1}}
engine: {name: optuna, sampler: tpe, seed: 3, options: {n_startup_trials: 2}}
budget: {n_trials: 6, max_failures: null}
parallel: {backend: serial}
"""
OBJECTIVE = """
def objective(params, trial):
    if trial.number == 2:
        raise ValueError("no")
    return params["x"] ** 2
"""


@pytest.fixture
def uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "t.yaml").write_text(SWEEP)
    (tmp_path / "deleted_objective.py").write_text(OBJECTIVE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return f"sqlite:///{tmp_path}/mlflow.db"


def search(uri: str, *overrides: str, retry_failed: bool = False) -> SweepResult:
    return run("t.yaml", tracker=uri, overrides=overrides, retry_failed=retry_failed)


def trials(uri: str, sweep: str, *, deleted: bool | None = None) -> dict[int, object]:
    with open_store(uri) as store:
        found = store.tracker.find(Query(parent=sweep, deleted=deleted))
        return {run.trial.number: dict(run.trial.params)["x"] for run in found if run.trial}


def delete_trials(uri: str, sweep: str, *numbers: int) -> None:
    with open_store(uri) as store:
        found = store.tracker.find(Query(parent=sweep))
        delete(store, [run for run in found if run.trial and run.trial.number in numbers], now=1, keep_registered=False)


def test_a_larger_budget_runs_the_trials_that_an_untouched_sweep_would_run(uri: str) -> None:
    sweep = search(uri).run_id
    delete_trials(uri, sweep, 2, 5)
    assert sorted(trials(uri, sweep, deleted=False)) == [0, 1, 3, 4]
    assert search(uri, "budget.n_trials=9").run_id == sweep
    untouched = run("t.yaml", tracker=uri, overrides=["budget.n_trials=9"], new=True).run_id
    assert trials(uri, sweep) == trials(uri, untouched)
    assert sorted(trials(uri, sweep, deleted=False)) == [0, 1, 3, 4, 6, 7, 8]


def test_a_complete_sweep_is_not_run_again_for_what_was_deleted(uri: str) -> None:
    sweep = search(uri).run_id
    delete_trials(uri, sweep, 1)
    assert search(uri).stop is None
    assert sorted(trials(uri, sweep, deleted=False)) == [0, 2, 3, 4, 5]


def test_a_deleted_failure_is_not_retried(uri: str) -> None:
    sweep = search(uri).run_id
    delete_trials(uri, sweep, 2)
    assert search(uri, retry_failed=True).stop is None


def test_a_trial_that_has_not_ended_is_not_deleted_by_itself(uri: str) -> None:
    sweep = search(uri).run_id
    with open_store(uri) as store:
        [failed] = [run for run in store.tracker.find(Query(parent=sweep)) if run.trial and run.trial.number == 2]
        assert failed.trial is not None
        again = replace(failed.trial, attempt=2, state="RUNNING", reason="")
        store.tracker.record([RunStarted(failed.id, failed.name, failed.experiment, 1, sweep, trial=again)])
    with pytest.raises(HpoError, match="trial-2 of sweep t is RUNNING, it runs when the sweep goes on"):
        delete_trials(uri, sweep, 2)
