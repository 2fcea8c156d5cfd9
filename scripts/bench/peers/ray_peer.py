"""Ray Tune with the settings its scalability page recommends: actors used again, no files of its own loggers.

A cluster of this machine's own, made and closed here; with `mlflow`, its MLflow logger as well.
"""

import logging
import os
import time
from pathlib import Path

os.environ.update(
    RAY_AIR_NEW_OUTPUT="0",
    RAY_USAGE_STATS_ENABLED="0",
    TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1",
    TUNE_GLOBAL_CHECKPOINT_S="1000000",
)
from asked import LETTERS, Request, answer, first_trial, on_disk, steady


def overhead(request: Request) -> dict[str, object]:
    import ray
    from ray import tune
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    def objective(config: dict[str, float]) -> None:
        if request["work"] == "first":
            os.chdir(request["folder"])
            first_trial()
        tune.report({"loss": config["a"] + config["b"], "other": config["c"] * 2.0, "at": time.perf_counter()})

    jobs, folder = request["jobs"], Path.cwd()
    ray.init("local", num_cpus=jobs, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    callbacks = []
    if request["side"] == "mlflow":
        callbacks = [MLflowLoggerCallback(tracking_uri=f"sqlite:///{folder}/mlflow.db", experiment_name="overhead")]
    space = {
        "a": tune.uniform(0, 1),
        "b": tune.loguniform(1e-5, 1),
        "c": tune.randint(1, 101),
        "d": tune.choice(LETTERS),
        "e": tune.choice([True, False]),
    }
    tuner = tune.Tuner(
        objective,
        param_space=space,
        tune_config=tune.TuneConfig(num_samples=request["trials"], reuse_actors=True, max_concurrent_trials=jobs),
        run_config=tune.RunConfig(storage_path=str(folder / "tune"), verbose=0, callbacks=callbacks),
    )
    found = tuner.fit()
    ray.shutdown()
    times = [result.metrics["at"] for result in found]
    return {**steady(times), "bytes": on_disk(folder)}


if __name__ == "__main__":
    answer({"overhead": overhead, "first": overhead})
