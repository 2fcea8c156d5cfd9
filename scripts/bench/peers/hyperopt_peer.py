"""hyperopt's fmin, bare (all in memory) and with a nested MLflow run for each trial, as its users write it.

Its ways to run trials in parallel need Spark or MongoDB, so there is no side with two workers.
"""

import logging
import math
import time
from pathlib import Path

from asked import LETTERS, Growth, Request, answer, first_trial, on_disk, steady

SQLITE = "sqlite:///mlflow.db"


def space() -> dict[str, object]:
    from hyperopt import hp

    return {
        "a": hp.uniform("a", 0, 1),
        "b": hp.loguniform("b", math.log(1e-5), 0),
        "c": hp.uniformint("c", 1, 100),
        "d": hp.choice("d", LETTERS),
        "e": hp.choice("e", [True, False]),
    }


def search(objective: object, spaces: object, sampler: str, trials: int, seed: int, limit: float | None = None) -> None:
    import hyperopt
    import numpy

    logging.getLogger("hyperopt").setLevel(logging.ERROR)
    hyperopt.fmin(
        objective, spaces, algo=hyperopt.tpe.suggest if sampler == "tpe" else hyperopt.rand.suggest, max_evals=trials,
        timeout=limit, rstate=numpy.random.default_rng(seed), show_progressbar=False, verbose=False,
    )  # fmt: skip


def start_mlflow(request: Request) -> None:
    import mlflow

    mlflow.set_tracking_uri(request.get("uri", SQLITE))
    known = mlflow.get_experiment_by_name("overhead")
    made = known.experiment_id if known else mlflow.create_experiment("overhead", f"{Path.cwd()}/mlruns")
    mlflow.set_experiment(experiment_id=made)


def overhead(request: Request) -> dict[str, object]:
    times: list[float] = []

    def objective(params: dict[str, float]) -> float:
        times.append(time.perf_counter())
        return params["a"] + params["b"]

    if request["side"] == "bare":
        search(objective, space(), "random", request["trials"], request["seed"])
        return steady(times)
    import mlflow

    def tracked(params: dict[str, float]) -> float:
        with mlflow.start_run(nested=True):
            mlflow.log_params(params)
            loss = objective(params)
            mlflow.log_metrics({"loss": loss, "other": params["c"] * 2.0})
        return loss

    start_mlflow(request)
    with mlflow.start_run():
        search(tracked, space(), "random", request["trials"], request["seed"])
    return {**steady(times), "bytes": on_disk(Path())}


def client(request: Request) -> dict[str, object]:
    """The least that can be asked of MLflow's client: three calls a trial, all its values in one of them."""
    import random

    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    tracker = MlflowClient(request.get("uri", SQLITE))
    experiment = tracker.create_experiment("overhead", f"{Path.cwd()}/mlruns")
    parent = tracker.create_run(experiment).info.run_id
    rng = random.Random(request["seed"])
    times: list[float] = []
    for _ in range(request["trials"]):
        a, b, c = rng.random(), 10 ** rng.uniform(-5, 0), rng.randint(1, 100)
        params = {"a": a, "b": b, "c": c, "d": rng.choice(LETTERS), "e": rng.choice((True, False))}
        run = tracker.create_run(experiment, tags={"mlflow.parentRunId": parent}).info.run_id
        now = int(time.time() * 1000)
        metrics = [Metric("loss", a + b, now, 0), Metric("other", c * 2.0, now, 0)]
        tracker.log_batch(run, metrics=metrics, params=[Param(key, str(of)) for key, of in params.items()])
        tracker.set_terminated(run)
        times.append(time.perf_counter())
    return {**steady(times), "bytes": on_disk(Path())}


def growth(request: Request) -> dict[str, object]:
    from hyperopt import hp

    noted = Growth(request["trials"])

    def value(at: dict[str, object]) -> float:
        noted.tick()
        waves = math.sin(3 * at["x"]) + (math.log10(at["rate"]) + 3) ** 2
        return waves + (at["x"] - 1) ** 2 / 5 + {"a": 0, "b": 0.5, "c": 1}[at["kind"]] + at["depth"] / 32

    spaces = {
        "x": hp.uniform("x", -5, 5),
        "rate": hp.loguniform("rate", math.log(1e-5), 0),
        "kind": hp.choice("kind", ["a", "b", "c"]),
        "depth": hp.uniformint("depth", 1, 32),
    }
    search(value, spaces, request["sampler"], request["trials"], request["seed"], request["limit"])
    return noted.answer()


def ask(request: Request) -> dict[str, object]:
    """Questions to a database that everybody with MLflow can ask, through its client."""
    import mlflow
    from asked import timed

    opened = time.perf_counter()
    tracker = mlflow.MlflowClient(tracking_uri=f"sqlite:///{request['database']}")
    experiment = tracker.get_experiment_by_name("bench").experiment_id
    of_sweep = f"tags.mlflow.parentRunId = '{request['sweep']}'"

    def best() -> list[float]:
        found = tracker.search_runs(
            [experiment], f"{of_sweep} and status = 'FINISHED'", order_by=["metrics.loss ASC"], max_results=10
        )
        return [run.data.metrics["loss"] for run in found]

    def latest() -> int:
        return len(tracker.search_runs([experiment], of_sweep, order_by=["start_time DESC"], max_results=100))

    def filtered() -> int:
        wanted = f"{of_sweep} and params.depth = '9' and metrics.loss < 0.5"  # params are texts here: no >=
        return len(tracker.search_runs([experiment], wanted, max_results=100))

    question = {"best": best, "list": latest, "filter": filtered}[request["question"]]
    return timed(question, opened=opened, repeat=request["repeat"], limit=request["limit"])


def first(request: Request) -> dict[str, object]:
    def objective(params: dict[str, float]) -> float:
        first_trial()
        return params["a"]

    if request["side"] == "bare":
        search(objective, space(), "tpe", 2, 1)
        return {}
    import mlflow

    def tracked(params: dict[str, float]) -> float:
        with mlflow.start_run(nested=True):
            mlflow.log_params(params)
            return objective(params)

    start_mlflow(request)
    with mlflow.start_run():
        search(tracked, space(), "tpe", 2, 1)
    return {}


if __name__ == "__main__":
    answer({"overhead": overhead, "client": client, "growth": growth, "ask": ask, "first": first})
