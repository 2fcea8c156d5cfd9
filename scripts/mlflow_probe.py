"""What an MLflow of any version does with a database, run by a Python that has that MLflow and nothing of ours.

Usage: python mlflow_probe.py create|upgrade|read URI [NAMES]; prints one line of JSON. `create` makes a database with a
run in it, `upgrade` is MLflow's own upgrade, `read` says what the client sees.
"""

import json
import logging
import sys
import warnings
from collections.abc import Callable
from typing import Any


def create(uri: str) -> dict[str, Any]:
    """A new database of this MLflow's, with one run and a registered model name."""
    from mlflow import MlflowClient

    client = MlflowClient(uri, uri)
    run = client.create_run("0", run_name="theirs")
    client.log_param(run.info.run_id, "depth", "3")
    client.log_metric(run.info.run_id, "rmse", 0.25, step=1)
    client.set_terminated(run.info.run_id)
    client.create_registered_model("theirs")
    return {"version": version(), "run": run.info.run_id}


def upgrade(uri: str) -> dict[str, Any]:
    """What `mlflow db upgrade` does."""
    import mlflow.store.db.utils

    databases: Any = mlflow.store.db.utils
    engine = databases.create_sqlalchemy_engine(uri)
    databases._upgrade_db(engine)
    engine.dispose()
    return {"version": version()}


def read(uri: str, experiment: str, model: str) -> dict[str, Any]:
    """What the client sees of the runs of an experiment and of a registered model; how the champion predicts."""
    from mlflow import MlflowClient, set_registry_uri, set_tracking_uri

    set_tracking_uri(uri)
    set_registry_uri(uri)
    client: Any = MlflowClient(uri, uri)
    number = client.get_experiment_by_name(experiment).experiment_id
    runs = client.search_runs([number], order_by=["metrics.score DESC"])
    found = client.get_model_version_by_alias(model, "champion")
    return {
        "version": version(),
        "ranked": [run.info.run_name for run in runs if "mlflow.parentRunId" in run.data.tags],
        "filtered": [run.info.run_name for run in client.search_runs([number], "params.kind = 'b'")],
        "runs": {run.info.run_name: seen(client, run) for run in runs},
        "champion": [str(found.version), found.run_id, found.current_stage, dict(found.tags)],
        "place": client.get_model_version_download_uri(model, str(found.version)),
        "predictions": predictions(model),
    }


def seen(client: Any, run: Any) -> dict[str, Any]:
    """One run."""
    return {
        "status": run.info.status,
        "times": [run.info.start_time, run.info.end_time],
        "params": dict(run.data.params),
        "metrics": {name: repr(value) for name, value in sorted(run.data.metrics.items())},
        "history": [[point.value, point.step] for point in client.get_metric_history(run.info.run_id, "score")],
        "parent": run.data.tags.get("mlflow.parentRunId"),
        "note": run.data.tags.get("note"),
        "data": [used.dataset.name for used in run.inputs.dataset_inputs] if run.inputs else [],
    }


def predictions(model: str) -> list[float] | str:
    """What the registered model predicts for four rows, or why it cannot be loaded."""
    import mlflow

    try:
        loaded = mlflow.pyfunc.load_model(f"models:/{model}@champion")
        return [float(value) for value in loaded.predict([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])]
    except Exception as error:  # said to whoever asks
        return str(error).splitlines()[0]


def version() -> str:
    """The version of this MLflow."""
    import mlflow

    return mlflow.__version__


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    verbs: dict[str, Callable[..., dict[str, Any]]] = {"create": create, "upgrade": upgrade, "read": read}
    print(json.dumps(verbs[sys.argv[1]](*sys.argv[2:])))
