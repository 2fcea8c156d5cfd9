"""A small store as the driver and as MLflow would have written it."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hpo.cli.main import main
from trackers.opening import open_store
from trackers.records import (
    STATUS_OF_STATE,
    Artifact,
    Change,
    LoggedModel,
    NewVersion,
    Point,
    RunEnded,
    RunStarted,
    Status,
    SweepFacts,
    TrialFacts,
)
from trackers.tracker import Tracker

START = 1_760_000_000_000
SWEEP_ID = "5" * 4 + "a" * 28
EVIL = "\x1b[31mred\x9b\u202e"


def trial_id(number: int) -> str:
    return f"{number:04x}" + "b" * 28


def sweep_started(name: str = "iris", run_id: str = SWEEP_ID, *, started: int = START, n_trials: int = 6) -> RunStarted:
    config = json.dumps({"name": name, "engine": {"name": "optuna", "sampler": "tpe", "seed": 7}})
    facts = SweepFacts(config, "hash", "roc_auc", "maximize", seed=7, window=4, n_trials=n_trials)
    return RunStarted(run_id, name, name, started, tags={"hpo.best_value": "0.95", "hpo.best_trial": "1"}, sweep=facts)


def trial_changes(number: int, parent: RunStarted, facts: TrialFacts, metrics: dict[str, float]) -> list[Change]:
    run_id, started = trial_id(number), START + 1000 * number
    begun = RunStarted(
        run_id,
        f"trial-{number}",
        parent.experiment,
        started,
        parent.run_id,
        facts.params,
        trial=replace(facts, state="RUNNING", value=None, reason="", error="", traceback="", seconds=None),
    )
    if facts.state == "RUNNING":
        return [begun]
    points = [Point(name, value, 0, started + 500) for name, value in metrics.items()]
    models = [LoggedModel("m-" + run_id, "model", "model")] if facts.state == "COMPLETE" else []
    files = [Artifact("model/MLmodel", 12, "0" * 64)] if models else []
    status = STATUS_OF_STATE[facts.state]
    return [begun, RunEnded(run_id, status, started + 500, points, artifacts=files, models=models, trial=facts)]


def sample_changes() -> list[Change]:
    """Six trials: 1 is best, 0 and 3 tie, 2 failed, 4 is pruned, 5 runs."""
    parent = sweep_started()
    svc = {"clf": "svc", "C": 0.5, "fit": True}
    forest = {"clf": "forest", "depth": 3, "note": "=1+1"}
    complete = [(0, 0.9, svc), (1, 0.95, forest), (3, 0.9, {**svc, "C": 0.0001234567})]
    changes: list[Change] = [parent]
    for number, value, params in complete:
        facts = TrialFacts(number, params, "COMPLETE", seed=number, value=value, seconds=0.5)
        changes += trial_changes(number, parent, facts, {"roc_auc": value, "accuracy": 1 - value, "broken": math.nan})
    failed = TrialFacts(
        2,
        svc,
        "FAILED",
        reason="exception",
        error=f"ValueError: {EVIL}",
        traceback=f"Traceback:\n  {EVIL}",
        seconds=0.1,
    )
    pruned = TrialFacts(4, forest, "PRUNED", seconds=0.2)
    changes += trial_changes(2, parent, failed, {})
    changes += trial_changes(4, parent, pruned, {"roc_auc": 0.99})
    changes += trial_changes(5, parent, TrialFacts(5, svc), {})
    return changes


def write(tracker: Tracker, changes: Sequence[Change]) -> None:
    for change in changes:
        if isinstance(change, RunStarted):
            tracker.experiment(change.experiment)
    tracker.record(changes)


def foreign_changes() -> list[Change]:
    """What MLflow alone would have written: a parent run with three children and no facts of ours."""
    parent = RunStarted("f" * 32, "bold-cat", "Default", START + 10_000_000)
    changes: list[Change] = [parent]
    for number, (name, rmse) in enumerate([("shy-ant", 3.0), ("odd-bee", 1.0), ("old-cow", 2.0)]):
        run_id = f"{number}f" + "e" * 30
        changes.append(RunStarted(run_id, name, "Default", START + number, parent.run_id, {"depth": str(number)}))
        changes.append(RunEnded(run_id, Status.FINISHED, START + number + 7, [Point("rmse", rmse, 0, START)]))
    return [*changes, RunEnded(parent.run_id, Status.FINISHED, START + 10_000_100)]


@pytest.fixture(scope="session")
def store_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with the sweep `iris`, a later parent run `bold-cat` as of MLflow alone, and one registered model."""
    folder = tmp_path_factory.mktemp("store")
    uri = f"sqlite:///{folder}/mlflow.db"
    with open_store(uri, artifacts=str(folder / "mlruns")) as store:
        write(store.tracker, foreign_changes())
        write(store.tracker, sample_changes())
        run = store.tracker.get(trial_id(1))
        store.registry.register(
            NewVersion("flowers", run.models[0].uri, run.id, "k1", description="x", aliases=("champion",), who="me")
        )
    return uri


@pytest.fixture
def ask(store_uri: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Runs `hpo` with these arguments on that store, in an empty folder."""
    monkeypatch.setenv("HPO_TRACKER", store_uri)
    monkeypatch.chdir(tmp_path)
    return lambda *args: CliRunner().invoke(main, list(args))
