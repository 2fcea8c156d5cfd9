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
import sleeping
from asked import LETTERS, Request, answer, first_trial, on_disk, steady


def overhead(request: Request) -> dict[str, object]:
    from ray import tune

    def objective(config: dict[str, float]) -> None:
        if request["work"] == "first":
            os.chdir(request["folder"])
            first_trial()
        tune.report({"loss": config["a"] + config["b"], "other": config["c"] * 2.0, "at": time.perf_counter()})

    found = tuned(request, objective, space())
    times = [result.metrics["at"] for result in found]
    return {**steady(times), "bytes": on_disk(Path.cwd())}


def space() -> dict[str, object]:
    from ray import tune

    return {
        "a": tune.uniform(0, 1),
        "b": tune.loguniform(1e-5, 1),
        "c": tune.randint(1, 101),
        "d": tune.choice(LETTERS),
        "e": tune.choice([True, False]),
    }


def tuned(request: Request, trainable: object, space: dict[str, object]) -> object:
    """What Tune found, on a cluster of so many CPUs as jobs were asked for."""
    import ray
    from ray import tune
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    jobs, folder = request["jobs"], Path.cwd()
    ray.init("local", num_cpus=jobs, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    callbacks = []
    if request["side"] == "mlflow":
        callbacks = [MLflowLoggerCallback(tracking_uri=f"sqlite:///{folder}/mlflow.db", experiment_name="overhead")]
    tuner = tune.Tuner(
        trainable,
        param_space=space,
        tune_config=tune.TuneConfig(num_samples=request["trials"], reuse_actors=True, max_concurrent_trials=jobs),
        run_config=tune.RunConfig(storage_path=str(folder / "tune"), verbose=0, callbacks=callbacks),
    )
    try:
        return tuner.fit()
    finally:
        ray.shutdown()


def busy(request: Request) -> dict[str, object]:
    """Actors, one a worker, each a process; Ray is told of as many CPUs, for they sleep."""
    from ray import tune

    mean = request["mean"]

    class Sleeper(tune.Trainable):
        def setup(self, config: dict[str, object]) -> None:
            self.config = config

        def step(self) -> dict[str, object]:
            began = time.monotonic()
            time.sleep(sleeping.duration(self.config["number"], mean))
            return {
                "loss": self.config["a"] + self.config["b"], "other": self.config["c"] * 2.0, "done": True,
                "worker": str(os.getpid()), "began": began, "ended": time.monotonic(),
            }  # fmt: skip

        def reset_config(self, new_config: dict[str, object]) -> bool:
            self.config = new_config
            return True

    sleeping.start(request)
    counted = iter(range(request["trials"]))
    found = tuned(request, Sleeper, {**space(), "number": tune.sample_from(lambda _: next(counted))})
    told = [result.metrics for result in found]
    trials = [sleeping.Slept(str(one["worker"]), float(one["began"]), float(one["ended"])) for one in told]
    return sleeping.finished(request, trials)


if __name__ == "__main__":
    answer({"overhead": overhead, "busy": busy, "first": overhead})
