"""Trials per second with a trivial objective: ours, everything tracked, against what people glue together by hand.

5 parameters, 2 metrics, random sampling, one process unless said otherwise; every side writes to a fresh SQLite file in
a folder of its own. Sides take turns, --repeat times, in one run; the table shows medians and ratios.

Usage: python scripts/bench/overhead.py [--repeat 3] [--only NAME ...]
"""

import argparse
import logging
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
warnings.filterwarnings("ignore")

SWEEP = """
name: overhead
metric: {{name: loss}}
objective: {{python: "bench_objective:objective"}}
parameters:
  a: {{type: float, low: 0, high: 1}}
  b: {{type: float, low: 1e-5, high: 1, log: true}}
  c: {{type: int, low: 1, high: 100}}
  d: [x, y, z]
  e: [true, false]
engine: {{name: optuna, sampler: random, seed: 1}}
budget: {{n_trials: {trials}}}
parallel: {{n_jobs: {jobs}, backend: {backend}}}
tracker: {{uri: "sqlite:///{folder}/mlflow.db", artifacts: "{folder}/mlruns", log_models: none}}
"""
OBJECTIVE = """
def objective(params, trial):
    return {"loss": params["a"] + params["b"], "other": params["c"] * 2.0}
"""


def value(a: float, b: float) -> float:
    return a + b


def ours(trials: int, jobs: int, backend: str) -> Callable[[Path], float]:
    def run_in(folder: Path) -> float:
        from hpo import run

        (folder / "bench_objective.py").write_text(OBJECTIVE)
        file = folder / "sweep.yaml"
        file.write_text(SWEEP.format(trials=trials, jobs=jobs, backend=backend, folder=folder))
        clock = SteadyState(warm_up=trials // 10)
        run(file, watcher=clock)
        sys.modules.pop("bench_objective", None)
        return clock.rate()

    return run_in


class SteadyState:
    """Watches a sweep and gives the rate after the first trials: starting workers is not overhead of a trial."""

    def __init__(self, warm_up: int) -> None:
        self.warm_up = warm_up
        self.times: list[float] = []

    def started(self, progress: object) -> None:
        pass

    def waiting(self, progress: object) -> None:
        pass

    def trial_ended(self, trial: object, outcome: object, progress: object) -> None:
        self.times.append(time.perf_counter())

    def rate(self) -> float:
        times = self.times[self.warm_up :]
        return (len(times) - 1) / (times[-1] - times[0])


def bare_loop(trials: int) -> Callable[[Path], float]:
    def run_in(folder: Path) -> float:
        import random

        rng = random.Random(1)
        began = time.perf_counter()
        for _ in range(trials):
            value(rng.random(), 10 ** rng.uniform(-5, 0))
            rng.randint(1, 100), rng.choice("xyz"), rng.choice((True, False))
        return trials / (time.perf_counter() - began)

    return run_in


def suggest(trial: object) -> float:
    a = trial.suggest_float("a", 0, 1)
    b = trial.suggest_float("b", 1e-5, 1, log=True)
    trial.set_user_attr("other", trial.suggest_int("c", 1, 100) * 2.0)
    trial.suggest_categorical("d", ["x", "y", "z"])
    trial.suggest_categorical("e", [True, False])
    return value(a, b)


def timed_study(trials: int, storage: str | None, callback: object, objective: Callable[[object], float]) -> float:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1), storage=storage)
    callbacks = [callback] if callback else []
    study.optimize(objective, n_trials=max(trials // 10, 1), callbacks=callbacks)
    began = time.perf_counter()
    study.optimize(objective, n_trials=trials, callbacks=callbacks)
    return trials / (time.perf_counter() - began)


def optuna_sqlite(trials: int) -> Callable[[Path], float]:
    return lambda folder: timed_study(trials, f"sqlite:///{folder}/optuna.db", None, suggest)


def optuna_mlflow(trials: int) -> Callable[[Path], float]:
    def run_in(folder: Path) -> float:
        import mlflow
        from optuna_integration.mlflow import MLflowCallback

        uri = f"sqlite:///{folder}/mlflow.db"
        mlflow.set_tracking_uri(uri)
        mlflow.set_experiment(experiment_id=mlflow.create_experiment("overhead", f"{folder}/mlruns"))
        callback = MLflowCallback(
            tracking_uri=uri, metric_name="loss", create_experiment=False, mlflow_kwargs={"nested": True}
        )
        # `other` goes where a user of this callback puts a second number: a user attribute, kept as a tag
        return timed_study(trials, None, callback, suggest)

    return run_in


def hyperopt_mlflow(trials: int) -> Callable[[Path], float]:
    def run_in(folder: Path) -> float:
        import hyperopt
        import mlflow
        import numpy
        from hyperopt import hp

        logging.getLogger("hyperopt").setLevel(logging.ERROR)
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        mlflow.set_experiment(experiment_id=mlflow.create_experiment("overhead", f"{folder}/mlruns"))
        space = {
            "a": hp.uniform("a", 0, 1),
            "b": hp.loguniform("b", -11.5, 0),
            "c": hp.uniformint("c", 1, 100),
            "d": hp.choice("d", ["x", "y", "z"]),
            "e": hp.choice("e", [True, False]),
        }

        def objective(params: dict[str, float]) -> float:
            with mlflow.start_run(nested=True):
                mlflow.log_params(params)
                loss = value(params["a"], params["b"])
                mlflow.log_metric("loss", loss)
                mlflow.log_metric("other", params["c"] * 2.0)
            return loss

        def search(n: int) -> None:
            hyperopt.fmin(
                objective, space, algo=hyperopt.rand.suggest, max_evals=n,
                rstate=numpy.random.default_rng(1), show_progressbar=False, verbose=False,
            )  # fmt: skip

        with mlflow.start_run():
            search(max(trials // 10, 1))
            began = time.perf_counter()
            search(trials)
            return trials / (time.perf_counter() - began)

    return run_in


SIDES: dict[str, Callable[[Path], float]] = {
    "bare loop": bare_loop(20_000),
    "ours, serial": ours(3_000, 1, "serial"),
    "ours, 2 processes": ours(3_000, 2, "loky"),
    "optuna on SQLite": optuna_sqlite(200),
    "optuna + MLflowCallback": optuna_mlflow(100),
    "hyperopt + mlflow nested": hyperopt_mlflow(60),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="names, or parts of them, of the sides to run")
    options = parser.parse_args()
    sides = {name: side for name, side in SIDES.items() if not options.only or any(o in name for o in options.only)}
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(options.repeat):
        for name, side in sides.items():
            with tempfile.TemporaryDirectory() as folder:
                rates[name].append(side(Path(folder)))
    base = statistics.median(rates.get("ours, serial") or [float("nan")])
    print(f"{'trials per second':26} {'median':>9} {'min':>9} {'max':>9}   ours, serial / this")
    for name, values in rates.items():
        median = statistics.median(values)
        print(f"{name:26} {median:9.0f} {min(values):9.0f} {max(values):9.0f}   {base / median:8.1f}x")


if __name__ == "__main__":
    main()
