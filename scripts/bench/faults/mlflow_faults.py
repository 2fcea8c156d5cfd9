"""What mlflow does when things go wrong."""

import logging
import signal
from collections import Counter
from pathlib import Path

import common

logging.getLogger("mlflow").setLevel(logging.CRITICAL)
logging.getLogger("alembic").setLevel(logging.CRITICAL)
SWEEP = """
import mlflow, pathlib, time
mlflow.set_tracking_uri("sqlite:///m.db")
mlflow.set_experiment("e")
with mlflow.start_run(run_name="sweep"):
    for number in range(6):
        with mlflow.start_run(run_name=f"trial-{number}", nested=True):
            if number == 2:
                pathlib.Path("held").touch()
                time.sleep(600)
            mlflow.log_metric("loss", number)
"""
FRESH = """
import mlflow, pathlib, time, sys
pathlib.Path(f"ready-{sys.argv[1]}").touch()
while len(list(pathlib.Path().glob("ready-*"))) < 4:
    time.sleep(0.01)
mlflow.set_tracking_uri("sqlite:///m.db")
with mlflow.start_run():
    mlflow.log_metric("loss", 1.0)
"""


def ended(folder: Path, number: signal.Signals) -> str:
    import mlflow

    place = folder / number.name
    place.mkdir()
    common.killed_at(SWEEP, place, "held", number)
    client = mlflow.MlflowClient(f"sqlite:///{place}/m.db")
    [experiment] = [found for found in client.search_experiments() if found.name == "e"]
    states = Counter(run.info.status for run in client.search_runs([experiment.experiment_id]))
    return f"{number.name}: " + ", ".join(f"{count} {state}" for state, count in states.items())


def fresh_store(folder: Path) -> str:
    writers = [common.child(FRESH, folder, str(number)) for number in range(4)]
    codes = [writer.wait() for writer in writers]
    return f"4 processes begin on a fresh SQLite store: {codes.count(0)} of 4 succeed"


def registered(folder: Path) -> str:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder}/m.db")
    client = mlflow.MlflowClient(f"sqlite:///{folder}/m.db")
    run = client.create_run(client.create_experiment("e"))
    client.create_registered_model("model")
    for _ in range(12):
        client.create_model_version("model", f"runs:/{run.info.run_id}/nothing-there", run.info.run_id)
    versions = client.search_model_versions("name='model'")
    return f"one run registered 12 times: {len(versions)} versions, of an artifact that does not exist"


if __name__ == "__main__":
    common.run(
        {
            "kill -9 of the driver": lambda folder: ended(folder, signal.SIGKILL),
            "SIGTERM": lambda folder: ended(folder, signal.SIGTERM),
            "several drivers on one sweep": fresh_store,
            "registering twice": registered,
        }
    )
