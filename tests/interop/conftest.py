"""The real MLflow, imported once, silent and without network, and a database that is all ours."""

import importlib
import json
import logging
import sqlite3
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from trackers.artifacts import ArtifactFolder
from trackers.mirroring import Mirroring, Sent, standing
from trackers.mlflow_asking import ENVIRONMENT
from trackers.opening import Store, open_store
from trackers.records import (
    STATUS_OF_STATE,
    Dataset,
    NewVersion,
    Point,
    RunEnded,
    RunStarted,
    RunUpdated,
    Status,
    SweepFacts,
    TrialFacts,
)

PARENT = "f" * 32
TRIALS = 6
BEST = 3
STARTED = 1_760_000_000_000


@dataclass(frozen=True)
class World:
    """A database with one sweep, made by us alone, and what is to be found in it."""

    folder: Path
    model_id: str
    rows: np.ndarray
    predictions: np.ndarray
    server: str = ""

    @property
    def uri(self) -> str:
        """Where the database is."""
        return self.server or f"sqlite:///{self.folder}/mlflow.db"

    def child(self, number: int) -> str:
        """The run id of a trial."""
        return f"{number:032x}"


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The mlflow package; what it keeps by default lies in a folder of the session."""
    home = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("GIT_PYTHON_REFRESH", "quiet")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home}/default.db")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's own imports warn
            found = importlib.import_module("mlflow")
            for part in ("mlflow.sklearn", "mlflow.pyfunc", "mlflow.models"):
                importlib.import_module(part)
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        logging.getLogger("alembic").setLevel(logging.ERROR)
        yield found


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The world as we left it, at the revision we write; MLflow never opened it."""
    return make_world(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="session")
def made_on_postgres(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The same world on a PostgreSQL server."""
    return make_world(tmp_path_factory.mktemp("made-on-postgres"), postgres.uri(postgres.create()))


@pytest.fixture(scope="session")
def world(made: World, mlflow: Any, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A copy of that world which MLflow opened, and so upgraded."""
    opened = copy(made, tmp_path_factory.mktemp("world"))
    mlflow.set_tracking_uri(opened.uri)
    mlflow.set_registry_uri(opened.uri)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.MlflowClient(opened.uri).search_experiments()
    return opened


@pytest.fixture(scope="session")
def copied() -> Callable[[World, Path], World]:
    """Copies a world's database into a new folder, for a test to change; the artifacts stay where they are."""
    return copy


@dataclass
class Mirrored:
    """A store with a sweep, and a server that is to be sent it. `client` is MLflow's own, `remote` asks by REST."""

    store: Store
    name: str
    remote: Any
    client: Any
    uri: str = ""
    sweep_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def tracker(self) -> Any:
        return self.store.tracker

    def start(self, **more: Any) -> None:
        """The parent run, RUNNING."""
        facts = SweepFacts('{"a": 1}', "0" * 64, "acc", "maximize", 42, 1, 3)
        self.tracker.experiment(self.name)
        self.tracker.record([RunStarted(self.sweep_id, self.name, self.name, STARTED, user="ada", sweep=facts, **more)])

    def trial(self, number: int, params: dict[str, Any], **more: Any) -> str:
        """A trial, RUNNING; its run id."""
        run_id = uuid.uuid4().hex
        facts = TrialFacts(number, params, seed=number)
        begun = RunStarted(run_id, f"trial-{number}", self.name, STARTED + number, self.sweep_id, params, trial=facts)
        self.tracker.record([replace(begun, **more)])
        return run_id

    def end(self, run_id: str, state: str = "COMPLETE", **more: Any) -> None:
        """It ends; `facts` change what the trial says of itself."""
        facts = replace(self.tracker.get(run_id).trial, state=state, seconds=0.25, **more.pop("facts", {}))
        self.tracker.record([RunEnded(run_id, STATUS_OF_STATE[state], STARTED + 5000, trial=facts, **more)])

    def end_sweep(self) -> None:
        """The parent is FINISHED."""
        self.tracker.record([RunEnded(self.sweep_id, Status.FINISHED, STARTED + 90_000)])

    def mirroring(self, uri: str = "", **more: Any) -> Mirroring:
        """A session of sending."""
        from trackers.mlflow_mirror import MlflowServer

        server = MlflowServer(uri or self.uri)
        return Mirroring(self.store.outbox, self.store.registry, server, self.sweep_id, **more)

    def send(self, uri: str = "") -> Sent:
        """Sends all that is pending, in a session of its own."""
        mirroring = self.mirroring(uri)
        try:
            mirroring.send_all()
        finally:
            mirroring.flush()
        return mirroring.sent

    def pending(self, uri: str = "") -> int:
        """What the server lacks, as far as the store knows."""
        return standing(self.store.outbox, self.store.registry, uri or self.uri, self.sweep_id).pending

    def runs(self) -> dict[str, Any]:
        """The remote runs by name; no two may have one."""
        found = self.remote.runs(self.name)
        assert len({run["info"]["run_name"] for run in found}) == len(found)
        return {run["info"]["run_name"]: run for run in found}


@pytest.fixture
def mirrored(
    mlflow: Any, mlflow_server: Any, fresh_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Mirrored]:
    """A store without a sweep yet, and a server that is there."""
    for variable, text in ENVIRONMENT.items():
        monkeypatch.setenv(variable, text)
    with open_store(f"sqlite:///{tmp_path}/mlflow.db", artifacts=str(tmp_path / "mlruns")) as store:
        client = mlflow.MlflowClient(mlflow_server.uri, registry_uri=mlflow_server.uri)
        yield Mirrored(store, fresh_name, mlflow_server, client, mlflow_server.uri)


def copy(world: World, folder: Path) -> World:
    folder.mkdir(exist_ok=True)
    with (
        closing(sqlite3.connect(world.folder / "mlflow.db")) as old,
        closing(sqlite3.connect(folder / "mlflow.db")) as new,
    ):
        old.backup(new)
    return replace(world, folder=folder)


def make_world(folder: Path, server: str = "") -> World:
    """A sweep of six trials, the best with a model, which is registered."""
    rows, targets = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(rows, targets)
    store = open_store(server or f"sqlite:///{folder}/mlflow.db", artifacts=str(folder / "mlruns"))
    tracker = store.tracker
    tracker.experiment("hpo")
    tracker.record([start_sweep(), *(start_trial(number) for number in range(TRIALS))])
    place = tracker.get(f"{BEST:032x}").artifact_uri
    artifacts = ArtifactFolder()
    logged, files = artifacts.save_model(place, model, name="model", run_id=f"{BEST:032x}", input_example=rows)
    note = folder / "note.txt"
    note.write_text("kept")
    files += artifacts.save_file(place, note, "notes/note.txt")
    for number in range(TRIALS):
        kept = {"artifacts": files, "models": [logged]} if number == BEST else {}
        tracker.record([end_trial(number, **kept)])
    tracker.record([RunUpdated(PARENT, points=[Point("acc", 0.9, 0, STARTED)])])
    tracker.record([RunEnded(PARENT, Status.FINISHED, STARTED + 90_000)])
    store.registry.register(
        NewVersion(
            name="clf",
            source=tracker.get(f"{BEST:032x}").models[0].uri,
            run_id=f"{BEST:032x}",
            key="clf:1",
            model_id=logged.model_id,
            description="trial 3",
            tags={"hpo.trial": "3"},
            aliases=("champion",),
            stage="Production",
            who="ada",
        )
    )
    store.close()
    return World(folder, logged.model_id, rows, model.predict(rows), server)


def start_sweep() -> RunStarted:
    """The parent run."""
    return RunStarted(
        PARENT,
        "iris-sweep",
        "hpo",
        STARTED,
        tags={"mlflow.note.content": "a sweep", "mlflow.source.git.commit": "c" * 40, "team": "x"},
        user="ada",
        datasets=[Dataset("iris", "d1", source=json.dumps({"uri": "/data/iris.csv"}))],
        sweep=SweepFacts("{}", "0" * 64, "acc", "maximize", 42, 1, TRIALS),
    )


def start_trial(number: int) -> RunStarted:
    """A child run."""
    params = {"C": 0.1 * number, "penalty": ["l1", "l2"][number % 2], "depth": number}
    return RunStarted(
        f"{number:032x}",
        f"trial-{number}",
        "hpo",
        STARTED + number * 1000,
        parent_id=PARENT,
        params=params,
        user="ada",
        trial=TrialFacts(number, params, seed=number),
    )


def end_trial(number: int, **kept: Any) -> RunEnded:
    """Trial 4 fails, trial 5 makes a NaN, the others are better the nearer to the best."""
    value = 0.9 - abs(number - BEST) / 10
    points = [Point("acc", value - 0.1 * (2 - step), step, STARTED + number * 1000 + step) for step in range(3)]
    params = start_trial(number).params
    failed = number == 4
    trial = TrialFacts(
        number,
        params,
        state="FAILED" if failed else "COMPLETE",
        seed=number,
        value=None if failed else value,
        reason="exception" if failed else "",
        seconds=0.5,
    )
    if number == 5:
        points.append(Point("odd", float("nan"), 0, STARTED))
    if failed:
        points = []
    status = Status.FAILED if failed else Status.FINISHED
    return RunEnded(f"{number:032x}", status, STARTED + number * 1000 + 500, points=points, trial=trial, **kept)
