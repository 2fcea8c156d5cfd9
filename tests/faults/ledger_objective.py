"""The objective of the fault tests and its sweep file: it writes a ledger that knows what ran without the store.

It writes `start|finish number params pid` into `ledger.txt` with O_APPEND. It does what the files beside it say:
`hold-3` (for every trial: `hold`) makes the trial wait at a barrier, after writing `held-3`, until that file is
removed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

OBJECTIVE = """
import json
import os
import pathlib
import time

HERE = pathlib.Path(__file__).parent


def ledger(word, trial, params):
    line = f"{word}\\t{trial.number}\\t{json.dumps(params, sort_keys=True)}\\t{os.getpid()}\\n"
    descriptor = os.open(HERE / "ledger.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def hold(trial):
    barriers = (HERE / f"hold-{trial.number}", HERE / "hold")
    if any(barrier.exists() for barrier in barriers):
        (HERE / f"held-{trial.number}").touch()
    while any(barrier.exists() for barrier in barriers):
        time.sleep(0.005)


def objective(params, trial):
    ledger("start", trial, params)
    hold(trial)
    value = (params["x"] - 0.3) ** 2 + params["y"] / 100
    ledger("finish", trial, params)
    return {"loss": value}


def with_model(params, trial):
    from sklearn.dummy import DummyRegressor

    result = objective(params, trial)
    trial.log_model(DummyRegressor().fit([[0.0]], [params["x"]]))
    return result
"""

SWEEP: Mapping[str, object] = {
    "name": "faults",
    "metric": {"name": "loss"},
    "objective": {"python": "fault_objective:objective"},
    "parameters": {"x": {"type": "float", "low": 0.0, "high": 1.0}, "y": {"type": "int", "low": 1, "high": 9}},
    "engine": {"name": "optuna", "sampler": "random", "seed": 3},
    "budget": {"n_trials": 6},
    "parallel": {"n_jobs": 1, "backend": "serial"},
    "tracker": {"uri": "sqlite:///mlflow.db", "artifacts": "mlruns", "log_models": "none"},
}


@dataclass(frozen=True)
class Entry:
    """One line of the ledger."""

    word: str
    number: int
    params: Mapping[str, float]
    pid: int


def ledger_of(folder: Path) -> list[Entry]:
    """What the objective wrote there, whole lines only."""
    path = folder / "ledger.txt"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    fields = [line.split("\t") for line in lines]
    return [Entry(word, int(number), json.loads(params), int(pid)) for word, number, params, pid in fields]
