"""Sweep files with a pruner, run to their end in a real store."""

from pathlib import Path

import pytest

from hpo import run
from hpo.cli.trial_line import trial_line
from hpo.progress import Progress
from hpo.trial import Outcome, Report, State, Trial
from trackers.opening import open_store
from trackers.records import Query

FOREST = """
name: forest
metric: {{name: roc_auc, goal: maximize}}
objective:
  sklearn:
    data: {{loader: sklearn.datasets.load_breast_cancer}}
    estimator: {estimator}
    cv: {{folds: 3}}
    {resource}
parameters:
  max_depth: {{type: int, low: 1, high: 9}}
  max_features: {{type: float, low: 0.05, high: 1}}
engine: {{name: {engine}, sampler: tpe, seed: 4}}
pruner: {pruner}
budget: {{n_trials: 12}}
parallel: {{{parallel}, window: 3}}
tracker: {{log_models: none}}
"""
BY_TREES = "resource: {param: n_estimators, min: 2, max: 18}"
BY_ROWS = "resource: {rows: true, min: 0.05}"
TREES = "sklearn.ensemble.ExtraTreesClassifier"
SERIAL = "n_jobs: 1, backend: serial"
THREADS = "n_jobs: 2, backend: threading"
PROCESSES = "n_jobs: 2"
Trials = list[tuple[int, str, dict[str, object], list[tuple[int, float]]]]


def trials_of(folder: Path, **settings: str) -> Trials:
    folder.mkdir()
    file = folder / "sweep.yaml"
    given = {"engine": "optuna", "pruner": "asha", "resource": BY_TREES, "parallel": SERIAL}
    given["estimator"] = "sklearn.tree.DecisionTreeClassifier"
    file.write_text(FOREST.format(**(given | settings)))
    uri = f"sqlite:///{folder}/mlflow.db"
    result = run(file, tracker=uri, overrides=[f"tracker.artifacts={folder}/mlruns"])
    best = {run.trial.number for run in result.best_runs(99) if run.trial}
    with open_store(uri, read_only=True) as store:
        runs = store.tracker.find(Query(parent=result.run_id, points_of="roc_auc"))
        assert store.tracker.get(result.run_id).params["pruner"] == settings.get("pruner", "asha")
    trials = [
        (t.number, t.state, dict(t.params), [(p.step, p.value) for p in r.points]) for r in runs if (t := r.trial)
    ]
    assert best == {number for number, state, _, _ in trials if state == "COMPLETE"}
    assert {r.status for r in runs if r.trial and r.trial.state == "PRUNED"} == {"KILLED"}
    return trials


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "parallel"),
    [({"resource": BY_TREES, "estimator": TREES}, THREADS), ({"resource": BY_ROWS, "engine": "hyperopt"}, PROCESSES)],
    ids=["trees", "rows"],
)
def test_trials_are_stopped_at_the_same_share_of_the_resource_by_two_workers(
    tmp_path: Path, settings: dict[str, str], parallel: str
) -> None:
    golden = trials_of(tmp_path / "golden", **settings)
    assert trials_of(tmp_path / "again", **settings, parallel=parallel) == golden
    steps = {tuple(step for step, _ in points) for _, state, _, points in golden if state == "PRUNED"}
    assert steps
    assert all(found in ((2,), (2, 6), (5,), (5, 15), (5, 15, 45)) for found in steps)


def test_trials_are_stopped_after_a_fold(tmp_path: Path) -> None:
    trials = trials_of(tmp_path / "folds", pruner="median", resource="")
    assert {len(points) for _, state, _, points in trials if state == "PRUNED"} <= {1, 2}
    assert "PRUNED" in {state for _, state, _, _ in trials}


def test_a_pruned_trial_is_shown_with_its_last_step() -> None:
    counts = {**dict.fromkeys(State, 0), State.PRUNED: 1}
    reports = [Report("roc_auc", 0.71, 3, 5), Report("other", 9.0, 8, 5), Report("roc_auc", 0.6, 1, 4)]
    outcome = Outcome(17, 1, State.PRUNED, reports=reports, seconds=0.4)
    progress = Progress(counts, 20, 0.9958, 4, 1.0)
    assert trial_line(Trial(17, {"c": 3.1}, 0), outcome, progress, "roc_auc") == (
        "trial 17 PRUNED step 3 roc_auc=0.71 best=0.9958(#4) 0.4s c=3.1"
    )
    silent = Outcome(17, 1, State.PRUNED, seconds=0.4)
    assert trial_line(Trial(17, {}, 0), silent, progress, "roc_auc").startswith("trial 17 PRUNED best=0.9958(#4)")
