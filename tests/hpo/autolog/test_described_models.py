"""The models that a scikit-learn sweep keeps are described beside, and what is let go takes its description along."""

import json
from pathlib import Path

import pytest

from hpo import run
from trackers.artifacts import ArtifactFolder
from trackers.opening import open_store

SWEEP = """
name: flowers
metric: {{name: accuracy, goal: maximize}}
objective:
  sklearn:
    data: {{loader: sklearn.datasets.load_iris}}
    estimator: sklearn.tree.DecisionTreeClassifier
    cv: {{folds: 2}}
    scoring: [accuracy, log_loss]
parameters: {{max_depth: {{type: int, low: 1, high: 8}}}}
engine: {{name: optuna, sampler: grid}}
budget: {{n_trials: 3}}
parallel: {{backend: serial}}
tracker: {{uri: "sqlite:///{folder}/mlflow.db", artifacts: "{folder}/mlruns"{more}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def swept(folder: Path, more: str = "") -> list[tuple[dict[str, float], set[str], str]]:
    """Of each trial the metrics, the files, and where they are."""
    (folder / "flowers.yaml").write_text(SWEEP.format(folder=folder, more=more))
    result = run(folder / "flowers.yaml")
    with open_store(f"sqlite:///{folder}/mlflow.db") as store:
        return [
            (dict(trial.metrics), {file.path for file in store.tracker.artifacts(trial.id)}, trial.artifact_uri)
            for trial in result.trials()
        ]


def test_the_kept_model_alone_is_described(folder: Path) -> None:
    trials = swept(folder)
    [(metrics, files, place)] = [trial for trial in trials if trial[1]]
    assert {"model/autolog/estimator.json", "model/autolog/confusion_matrix.svg"} < files
    assert files == set(ArtifactFolder().names(place))
    with ArtifactFolder().open(place, "model/autolog/estimator.json") as file:
        said = json.load(file)
    assert said["metrics"] == {name: metrics[name] for name in ("training_accuracy", "training_log_loss")}
    assert said["params"]["random_state"] is not None
    assert len([metrics for metrics, _, _ in trials if "training_accuracy" in metrics]) >= 1


def test_without_autolog_models_are_kept_as_they_are(folder: Path) -> None:
    trials = swept(folder, ", autolog: false, log_models: all")
    assert all(not name.startswith("model/autolog") for _, files, _ in trials for name in files)
    assert all("model/MLmodel" in files for _, files, _ in trials)
    assert all("training_accuracy" not in metrics for metrics, _, _ in trials)
