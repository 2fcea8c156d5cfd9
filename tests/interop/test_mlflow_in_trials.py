"""What an objective logs by MLflow goes onto its trial's run, beside our own values, whatever becomes of the trial."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from trackers.garbage import find_garbage
from trackers.opening import Store, open_store
from trackers.records import Query, Run

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow warns of its own deprecations

SWEEP = """
version: 1
name: logged
metric: {{name: score, goal: maximize}}
objective: {{python: "{module}:objective"{limits}}}
parameters: {{c: {{type: float, low: 0.1, high: 1.0}}}}
engine: {{name: optuna, sampler: random, seed: 1}}
budget: {{n_trials: {trials}}}
parallel: {{n_jobs: {jobs}, backend: {backend}}}
"""

AUTOLOG = """
import mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

ROWS, TARGETS = load_iris(return_X_y=True)
mlflow.sklearn.autolog(log_models=False, log_datasets=False, silent=True)

def objective(params, trial):
    model = LogisticRegression(C=params["c"], max_iter=500)
    score = cross_val_score(model, ROWS, TARGETS, cv=2).mean()
    model.fit(ROWS, TARGETS)
    mlflow.log_metric("score", 0.125, step=7)
    trial.set_tag("mine", "yes")
    if trial.number != 1:
        return {"score": score, "other": 1.0}
"""
RETURNS = """
    return {"score": score, "other": 1.0}
"""


class Swept:
    """A sweep that was run by the command, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uri = f"sqlite:///{folder}/mlflow.db"

    def run(
        self,
        code: str,
        *,
        trials: int = 2,
        jobs: int = 2,
        backend: str = "loky",
        limits: str = "",
        killed: bool = False,
    ) -> str:
        (self.folder / "logged_objective.py").write_text(textwrap.dedent(code))
        file = self.folder / "sweep.yaml"
        file.write_text(
            SWEEP.format(module="logged_objective", trials=trials, jobs=jobs, backend=backend, limits=limits)
        )
        return self.command("run", str(file), killed=killed)

    def best(self) -> dict[str, Any]:
        [found] = json.loads(self.command("best", "-n", "1", "-f", "json"))
        return found  # type: ignore[no-any-return]

    def command(self, *words: str, killed: bool = False) -> str:
        names = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "HPO_TRACKER", "PYTHONWARNINGS")
        environment = {name: value for name, value in os.environ.items() if name not in names}
        environment["HPO_TRACKER"] = self.uri
        words = (sys.executable, "-c", "from hpo.cli.main import main; main()", *words)
        done = subprocess.run(words, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == (-9 if killed else 0), done.stdout + done.stderr
        return done.stdout

    def store(self) -> Store:
        return open_store(self.uri, read_only=True)

    def trials(self) -> list[Run]:
        with self.store() as store:
            return [run for run in store.tracker.find(Query()) if run.trial]

    def others(self) -> list[Run]:
        with self.store() as store:
            return [run for run in store.tracker.find(Query()) if not run.trial and not run.sweep]


@pytest.fixture
def swept(tmp_path: Path) -> Swept:
    """In an empty folder: the first trial that uses MLflow upgrades the database."""
    return Swept(tmp_path)


@pytest.fixture(scope="module")
def upgraded(mlflow: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mlflow.store.db.utils import _upgrade_db, create_sqlalchemy_engine

    folder = tmp_path_factory.mktemp("upgraded")
    open_store(f"sqlite:///{folder}/mlflow.db", artifacts=str(folder / "mlruns")).close()
    engine = create_sqlalchemy_engine(f"sqlite:///{folder}/mlflow.db")
    _upgrade_db(engine)
    engine.dispose()
    return folder / "mlflow.db"


@pytest.fixture
def ready(tmp_path: Path, upgraded: Path) -> Swept:
    """Beside a database that MLflow takes as it is."""
    (tmp_path / "mlflow.db").write_bytes(upgraded.read_bytes())
    return Swept(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("database", ["ready", pytest.param("swept", marks=pytest.mark.slow)])
def test_autolog_of_two_workers_goes_onto_the_runs_of_their_trials(
    request: pytest.FixtureRequest, mlflow: Any, database: str
) -> None:
    swept: Swept = request.getfixturevalue(database)
    swept.run(AUTOLOG + RETURNS)

    runs = swept.trials()
    assert [run.status for run in runs] == ["FINISHED"] * 2
    assert swept.others() == []
    for run in runs:
        assert run.trial is not None
        assert list(run.trial.params) == ["c"]
        assert run.params["C"] == str(run.trial.params["c"])
        assert run.metrics["score"] == run.trial.value
        assert (run.metrics["other"], run.tags["mine"], run.name) == (1.0, "yes", f"trial-{run.trial.number}")
        assert run.tags["hpo.mlflow"] == mlflow.__version__
    client = mlflow.MlflowClient(swept.uri)
    for run in runs:
        seen = client.get_run(run.id)
        assert seen.data.metrics["training_accuracy_score"] > 0.9
        assert seen.data.metrics["score"] == run.metrics["score"]
        assert (seen.info.status, seen.data.tags["estimator_name"]) == ("FINISHED", "LogisticRegression")
        assert "estimator.html" in {file.path for file in client.list_artifacts(run.id)}
    with swept.store() as store:
        for run in runs:
            manifest = {artifact.path for artifact in store.tracker.artifacts(run.id)}
            assert {"estimator.html", "training_confusion_matrix.png"} <= manifest
        assert find_garbage(store.tracker, store.registry) == []
    assert len(list(swept.folder.glob("mlflow.db.*.bak"))) == (1 if database == "swept" else 0)
    assert swept.best()["params"]["c"] == max(runs, key=lambda run: run.metrics["score"]).params["c"]


KILLS_ITS_DRIVER = """
    if trial.number == 1:
        import os, pathlib, time
        try:
            pathlib.Path("killed").touch(exist_ok=False)
        except FileExistsError:
            return score
        os.kill(os.getppid(), 9)
        time.sleep(600)
    return score
"""


@pytest.mark.slow
def test_a_sweep_whose_driver_was_killed_goes_on_with_the_same_runs(ready: Swept, mlflow: Any) -> None:
    ready.run(AUTOLOG + KILLS_ITS_DRIVER, trials=3, jobs=1, killed=True)
    ready.command("resume", "logged")

    runs = ready.trials()
    assert [run.status for run in runs] == ["FINISHED"] * 3
    assert max(run.trial.attempt for run in runs if run.trial) == 2
    assert ready.others() == []
    client = mlflow.MlflowClient(ready.uri)
    for run in runs:
        assert run.trial is not None
        assert run.metrics["score"] == client.get_run(run.id).data.metrics["score"] == run.trial.value
        assert client.get_run(run.id).data.metrics["training_accuracy_score"] > 0.9


@pytest.mark.slow
def test_a_database_on_a_server_is_used_as_a_file_is(swept: Swept, postgres_uri: str, mlflow: Any) -> None:
    swept.uri = postgres_uri
    swept.run(AUTOLOG + RETURNS)

    runs = swept.trials()
    assert [(run.status, run.metrics["score"] == (run.trial and run.trial.value)) for run in runs] == [
        ("FINISHED", True)
    ] * 2
    client = mlflow.MlflowClient(postgres_uri)
    assert all(client.get_run(run.id).data.metrics["training_accuracy_score"] > 0.9 for run in runs)
    assert swept.others() == []


IN_PLACE = """
import mlflow

def objective(params, trial):
    with mlflow.start_run(run_name="mine") as first:
        mlflow.log_param("kind", "first")
    with mlflow.start_run(nested=True) as second, mlflow.start_run(nested=True) as child:
        mlflow.log_metric("inner", trial.number)
    mlflow.log_metric("left_open", 1.0)
    trial.set_tag("same", first.info.run_id == second.info.run_id != child.info.run_id)
    trial.set_tag("child", child.data.tags["mlflow.parentRunId"] == second.info.run_id)
    if trial.number == 1:
        raise ValueError("on purpose")
    return params["c"]
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["serial", "threading"])
def test_runs_that_an_objective_starts_are_its_trials_run_in_threads_too(ready: Swept, backend: str) -> None:
    ready.run(IN_PLACE, trials=4, jobs=1 if backend == "serial" else 2, backend=backend)

    runs = ready.trials()
    assert [run.status for run in runs] == ["FINISHED", "FAILED", "FINISHED", "FINISHED"]
    assert [(run.tags["same"], run.tags["child"]) for run in runs] == [("True", "True")] * 4
    assert [(run.params["kind"], run.metrics["left_open"]) for run in runs] == [("first", 1.0)] * 4
    assert [run.name for run in runs] == [f"trial-{number}" for number in range(4)]
    children = ready.others()
    assert sorted(run.metrics["inner"] for run in children) == [0, 1, 2, 3]
    assert {run.parent_id for run in children} == {run.id for run in runs}
    with ready.store() as store:
        assert [run.name for run in store.tracker.find(Query(sweeps=True))] == ["logged"]


ELSEWHERE = """
import mlflow

def objective(params, trial):
    if trial.number == 0:
        mlflow.set_tracking_uri("sqlite:///elsewhere.db")
        mlflow.set_experiment("theirs")
        with mlflow.start_run():
            mlflow.log_metric("there", 1.0)
        mlflow.set_tracking_uri(None)
        return 0.5
    mlflow.set_experiment("another")
    with mlflow.start_run():
        mlflow.log_metric("here", 1.0)
    return 0.75
"""


@pytest.mark.slow
def test_code_that_chose_another_server_or_experiment_is_left_alone(ready: Swept) -> None:
    ready.run(ELSEWHERE, jobs=1)

    assert [set(run.metrics) for run in ready.trials()] == [{"score"}, {"score"}]
    assert [(run.experiment, set(run.metrics)) for run in ready.others()] == [("another", {"here"})]
    with open_store(f"sqlite:///{ready.folder}/elsewhere.db", read_only=True) as store:
        assert [set(run.metrics) for run in store.tracker.find(Query())] == [{"there"}]


KILLED = """
import os, signal, time
import mlflow

def objective(params, trial):
    mlflow.log_metric("score", 99.0, step=3)
    mlflow.log_text("half", "notes.txt")
    if trial.number == 0:
        os.kill(os.getpid(), signal.SIGSEGV)
    if trial.number == 1:
        time.sleep(600)
    return params["c"]
"""


@pytest.mark.slow
def test_a_trial_that_is_killed_stays_failed_and_its_files_are_no_garbage(ready: Swept) -> None:
    ready.run(KILLED, trials=3, limits=", timeout: 40s")

    runs = ready.trials()
    assert [(run.status, run.trial and run.trial.reason) for run in runs] == [
        ("FAILED", "signal:11"),
        ("FAILED", "timeout"),
        ("FINISHED", ""),
    ]
    assert [run.trial and run.trial.value for run in runs] == [None, None, runs[2].metrics["score"]]
    assert all(Path(run.artifact_uri, "notes.txt").exists() for run in runs)
    with ready.store() as store:
        assert find_garbage(store.tracker, store.registry) == []
        assert [store.ownership.holder(run.id) for run in store.tracker.find(Query(sweeps=True))] == [None]
    assert ready.best()["value"] < 1


def test_what_does_not_import_mlflow_knows_nothing_of_it(swept: Swept) -> None:
    code = """
    import os, sys
    def objective(params, trial):
        trial.set_tag("modules", str("mlflow" in sys.modules))
        return params["c"]
    """
    swept.run(code)
    assert [run.tags["modules"] for run in swept.trials()] == ["False", "False"]
    assert not list(swept.folder.glob("*.bak"))
