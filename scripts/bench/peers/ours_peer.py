"""Ours, in the project's own environment: the same works as the peers' files, through the public functions."""

import itertools
import sys
import time
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[3]))
sys.path.append(str(Path(__file__).resolve().parents[1]))
import sleeping
from asked import Growth, Request, answer, on_disk, steady, timed
from sweep_text import sweep_text

SLEEPING_OBJECTIVE = """
import sleeping

def objective(params, trial):
    sleeping.slept(trial.number)
    return {"loss": params["a"] + params["b"], "other": params["c"] * 2.0}
"""
OVERHEAD_OBJECTIVE = """
def objective(params, trial):
    return {"loss": params["a"] + params["b"], "other": params["c"] * 2.0}
"""
GROWTH = """
name: growth
metric: {{name: loss}}
objective: {{python: "bench_objective:objective"}}
parameters:
  x: {{type: float, low: -5, high: 5}}
  rate: {{type: float, low: 1e-5, high: 1, log: true}}
  kind: [a, b, c]
  depth: {{type: int, low: 1, high: 32}}
engine: {{name: {engine}, sampler: {sampler}, seed: {seed}}}
budget: {{n_trials: {trials}, timeout: {limit:.0f}s}}
parallel: {{n_jobs: 1, backend: serial}}
tracker: {{uri: "{uri}", artifacts: mlruns, log_models: none}}
"""
GROWTH_OBJECTIVE = """
import math

def objective(params, trial):
    waves = math.sin(3 * params["x"]) + (math.log10(params["rate"]) + 3) ** 2
    return waves + (params["x"] - 1) ** 2 / 5 + {"a": 0, "b": 0.5, "c": 1}[params["kind"]] + params["depth"] / 32
"""


class Watching:
    """A watcher of a sweep that calls a function after every trial."""

    def __init__(self, ended: object) -> None:
        self.ended = ended

    def started(self, progress: object) -> None:
        pass

    def waiting(self, progress: object) -> None:
        pass

    def trial_ended(self, trial: object, outcome: object, progress: object) -> None:
        self.ended()


def run_sweep(text: str, objective: str, ended: object) -> None:
    from hpo import run

    Path("bench_objective.py").write_text(objective)
    Path("sweep.yaml").write_text(text)
    run(Path("sweep.yaml"), watcher=Watching(ended))


def uri_of(request: Request) -> str:
    """Of the store: the one that is named, or one that nobody has used."""
    return request.get("uri") or ("memory://" if request.get("side") == "memory" else "sqlite:///tracking.db")


def overhead(request: Request) -> dict[str, object]:
    times: list[float] = []
    jobs = request["jobs"]
    text = sweep_text(
        "overhead", sampler="random", trials=request["trials"], jobs=jobs, backend="loky" if jobs > 1 else "serial",
        uri=uri_of(request),
    )  # fmt: skip
    run_sweep(text, OVERHEAD_OBJECTIVE, lambda: times.append(time.perf_counter()))
    return {**steady(times), "bytes": on_disk(Path())}


def busy(request: Request) -> dict[str, object]:
    """Threads; the window is a multiple of the workers, or "free", or the default where none is named."""
    sleeping.start(request)
    jobs, window = request["jobs"], request.get("window")
    text = sweep_text(
        "busy", engine=request["engine"], sampler=request["sampler"], trials=request["trials"], jobs=jobs,
        backend="threading", uri=uri_of(request), window=window * jobs if isinstance(window, int) else window,
    )  # fmt: skip
    run_sweep(text, SLEEPING_OBJECTIVE, lambda: None)
    return sleeping.finished(request)


def growth(request: Request) -> dict[str, object]:
    noted = Growth(request["trials"])
    text = GROWTH.format(
        engine=request.get("engine", "optuna"), sampler=request["sampler"], seed=request["seed"],
        trials=request["trials"], limit=request["limit"], uri=uri_of(request),
    )  # fmt: skip
    run_sweep(text, GROWTH_OBJECTIVE, noted.tick)
    return noted.answer()


def fill(request: Request) -> dict[str, object]:
    from filled import fill_store

    return {"sweep": fill_store(Path("mlflow.db"), request["trials"])}


def ask(request: Request) -> dict[str, object]:
    from hpo import ranking
    from hpo.trial import Goal
    from trackers.opening import open_store
    from trackers.records import Order, Query

    opened = time.perf_counter()
    tracker = open_store(f"sqlite:///{request['database']}", read_only=True).tracker
    sweep = request["sweep"]
    more = itertools.count()  # each question is a new one: the answer to the same is kept until somebody writes

    def best() -> list[float]:
        found = ranking.best(tracker, sweep, "loss", Goal.MINIMIZE, limit=10 + next(more))
        return [run.metrics["loss"] for run in found[:10]]

    def latest() -> int:
        newest_first = (Order("number", descending=True),)
        found = tracker.find(Query(parent=sweep, order=newest_first, limit=100 + next(more)))
        return len(found[:100])

    def filtered() -> int:
        where = f"params.depth = 9 and metrics.loss < {0.5 - next(more) / 1e9}"
        return len(tracker.find(Query(parent=sweep, where=where, limit=100)))

    questions = {"best": best, "list": latest, "filter": filtered}
    return timed(questions[request["question"]], opened=opened, repeat=request["repeat"], limit=request["limit"])


if __name__ == "__main__":
    answer({"overhead": overhead, "busy": busy, "growth": growth, "fill": fill, "ask": ask})
