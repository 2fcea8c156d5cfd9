"""`trial.autolog()` and MLflow's own autologging: onto the run of the trial, for as long as it runs, and no longer."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from trackers.artifacts import ArtifactFolder
from trackers.opening import open_store
from trackers.records import Query, Run

pytestmark = pytest.mark.slow

SWEEP = """
name: logged
metric: {{name: loss}}
objective: {{python: "logged_objective:objective"}}
parameters: {{depth: {{type: int, low: 1, high: 4}}}}
engine: {{name: optuna, sampler: random}}
budget: {{n_trials: {trials}}}
parallel: {{backend: {backend}, n_jobs: {jobs}}}
tracker: {{uri: "sqlite:///{folder}/mlflow.db", artifacts: "{folder}/mlruns", log_models: all}}
"""
# scikit-learn stands for the libraries that MLflow logs: it is always there
STAND_IN = """
from hpo.autolog import mlflow_flavors
mlflow_flavors.FLAVORS = {"sklearn": ("sklearn",)}
import os
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier
X, y = load_iris(return_X_y=True)

def objective(params, trial):
    if trial.number != 1:
        trial.autolog()
    tree = DecisionTreeClassifier(max_depth=params["depth"], random_state=0).fit(X, y)
    if trial.number == 1:
        import mlflow
        from mlflow.utils.autologging_utils import autologging_is_disabled
        trial.set_tag("is_off", autologging_is_disabled("sklearn"))
    return 1 - tree.score(X, y)
"""
OWN = """
import mlflow
mlflow.sklearn.autolog(log_models=False, silent=True)
"""
XGBOOST = """
import xgboost
from sklearn.datasets import load_diabetes
X, y = load_diabetes(return_X_y=True, as_frame=True)

def objective(params, trial):
    if trial.number == 0:
        trial.autolog()
    rows, curve = xgboost.DMatrix(X, y), {}
    xgboost.train(
        {"max_depth": params["depth"], "eta": 0.3, "nthread": 1}, rows, 5,
        evals=[(rows, "train")], evals_result=curve, verbose_eval=False,
    )
    xgboost.XGBRegressor(n_estimators=3, n_jobs=1).fit(X, y)
    return curve["train"]["rmse"][-1]
"""
KERAS = """
import os
os.environ["KERAS_BACKEND"] = "jax"
import keras
from sklearn.datasets import load_iris
X, y = load_iris(return_X_y=True)

def objective(params, trial):
    if trial.number == 0:
        trial.autolog()
    keras.utils.set_random_seed(0)
    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    net.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return net.fit(X, y, epochs=3, verbose=0).history["loss"][-1]
"""
LIGHTNING = """
import logging, warnings
import lightning, torch
from sklearn.datasets import load_iris
X, y = load_iris(return_X_y=True)
rows = torch.utils.data.TensorDataset(torch.tensor(X, dtype=torch.float32), torch.tensor(y))

class Net(lightning.LightningModule):
    def __init__(self, width):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, width), torch.nn.ReLU(), torch.nn.Linear(width, 3))

    def training_step(self, batch, number):
        loss = torch.nn.functional.cross_entropy(self.layers(batch[0]), batch[1])
        self.log("train_loss", loss, on_epoch=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

def objective(params, trial):
    if trial.number == 0:
        trial.autolog()
    lightning.seed_everything(0, verbose=False)
    trainer = lightning.Trainer(
        max_epochs=3, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=str(trial.dir),
    )
    trainer.fit(Net(params["depth"] * 4), torch.utils.data.DataLoader(rows, batch_size=50))
    return float(trainer.callback_metrics["train_loss"])
"""
LIGHTGBM = """
import lightgbm
from sklearn.datasets import load_diabetes
X, y = load_diabetes(return_X_y=True, as_frame=True)

def objective(params, trial):
    if trial.number == 0:
        trial.autolog()
    curve, rows = {}, lightgbm.Dataset(X, y)
    settings = {"max_depth": params["depth"], "num_leaves": 4, "verbose": -1, "num_threads": 1, "metric": "rmse"}
    lightgbm.train(settings, rows, 5, valid_sets=[rows], callbacks=[lightgbm.record_evaluation(curve)])
    lightgbm.LGBMRegressor(n_estimators=3, n_jobs=1, verbose=-1).fit(X, y)
    return curve["training"]["rmse"][-1]
"""


def swept(folder: Path, code: str, *, backend: str = "serial", jobs: int = 1, trials: int = 2) -> tuple[list[Run], str]:
    """The trials in their order, and what the command said."""
    (folder / "logged_objective.py").write_text(code)
    file = folder / "sweep.yaml"
    file.write_text(SWEEP.format(folder=folder, backend=backend, jobs=jobs, trials=trials))
    names = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "HPO_TRACKER", "PYTHONWARNINGS")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    words = (sys.executable, "-c", "from hpo.cli.main import main; main()", "run", str(file))
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with open_store(f"sqlite:///{folder}/mlflow.db", read_only=True) as store:
        return [run for run in store.tracker.find(Query()) if run.trial], done.stderr


def files(run: Run) -> set[str]:
    return set(ArtifactFolder().names(run.artifact_uri))


def test_mlflow_logs_while_a_trial_asked_for_it_and_is_off_afterwards(tmp_path: Path) -> None:
    first, second, third = swept(tmp_path, STAND_IN, trials=3)[0]
    for logged in (first, third):
        assert logged.tags["mlflow.autologging"] == "sklearn"
        assert logged.params["criterion"] == "gini"
        assert {"autolog/0/estimator.json", "training_confusion_matrix.png", "model/MLmodel"} <= files(logged)
        scored = [name for name in logged.metrics if "unknown_dataset" in name]
        assert scored == ["DecisionTreeClassifier_score_unknown_dataset"]  # by the objective, and not by us
    assert second.tags["is_off"] == "True"
    assert "mlflow.autologging" not in second.tags
    assert "criterion" not in second.params
    assert not files(second)


def test_autologging_that_the_code_has_switched_on_itself_stays_on(tmp_path: Path) -> None:
    _, second = swept(tmp_path, OWN + STAND_IN)[0]
    assert second.tags["is_off"] == "False"
    assert second.params["criterion"] == "gini"


@pytest.mark.parametrize(("library", "code"), [("xgboost", XGBOOST), ("lightgbm", LIGHTGBM)])
@pytest.mark.parametrize(("backend", "jobs"), [("serial", 1), ("loky", 2)])
def test_boosters_are_logged_onto_the_run_of_their_trial(
    tmp_path: Path, library: str, code: str, backend: str, jobs: int
) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed")
    first, second = swept(tmp_path, code, backend=backend, jobs=jobs)[0]
    assert first.tags["mlflow.autologging"] == library
    assert first.params["num_boost_round"] == "5"
    assert {"autolog/0/estimator.json", "autolog/0/residuals.svg"} <= files(first)
    assert [name for name in files(first) if name.startswith("feature_importance_")]
    with ArtifactFolder().open(first.artifact_uri, "model/MLmodel") as file:
        assert library in json.load(file)["flavors"]
    assert "mlflow.autologging" not in second.tags
    assert not {name for name in files(second) if not name.startswith("logs/")}


def test_networks_of_keras_are_logged_onto_the_run_of_their_trial(tmp_path: Path) -> None:
    if not all(importlib.util.find_spec(library) for library in ("keras", "jax")):
        pytest.skip("keras and jax are not installed")
    first, second = swept(tmp_path, KERAS)[0]
    assert first.params["epochs"] == "3"
    assert 0 <= first.metrics["accuracy"] <= 1
    assert "model_summary.txt" in files(first)
    assert "mlflow.autologging" not in second.tags
    assert "accuracy" not in second.metrics


def test_networks_of_lightning_are_logged_onto_the_run_of_their_trial(tmp_path: Path) -> None:
    if not all(importlib.util.find_spec(library) for library in ("lightning", "torch")):
        pytest.skip("lightning and torch are not installed")
    first, second = swept(tmp_path, LIGHTNING)[0]
    assert first.tags["mlflow.autologging"] == "pytorch"
    assert first.params["epochs"] == "3"
    assert first.params["optimizer_name"] == "SGD"
    assert first.metrics["train_loss"] == pytest.approx(first.metrics["loss"])
    assert "model_summary.txt" in files(first)
    assert "mlflow.autologging" not in second.tags
    assert not {name for name in files(second) if not name.startswith("logs/")}


@pytest.mark.filterwarnings("ignore")  # MLflow warns of its own types
def test_a_kept_booster_predicts_when_mlflow_loads_it(tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost", reason="xgboost is not installed")
    mlflow = pytest.importorskip("mlflow")
    first, _ = swept(tmp_path, XGBOOST)[0]
    from sklearn.datasets import load_diabetes

    rows, progress = load_diabetes(return_X_y=True, as_frame=True)
    model = mlflow.pyfunc.load_model(f"{first.artifact_uri}/model")
    again = xgboost.XGBRegressor(n_estimators=3, n_jobs=1).fit(rows, progress)
    assert model.predict(rows).tolist() == again.predict(rows).tolist()


def test_without_mlflow_it_says_what_is_missing_once(tmp_path: Path) -> None:
    code = STAND_IN.replace(
        "import os\n",
        "import importlib.util\nfind = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'mlflow' else find(name, *more)\n",
    ).replace("        import mlflow\n", "        return 1.0\n")
    trials, said = swept(tmp_path, code, trials=3)
    assert said.count('which needs: pip install "tracked-hpo[mlflow]"') == 1
    assert "autolog/0/estimator.json" in files(trials[0])
    assert "mlflow.autologging" not in trials[0].tags
