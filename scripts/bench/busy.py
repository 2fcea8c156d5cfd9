"""How busy 8, 64 and 512 workers are kept: threads that sleep, with all that a side tracks.

A trial sleeps for a time drawn for its number, so that all sides do the same work: log-normal, 1 s in the mean, sigma
0.7 (the longest of 10,000 takes 12 s). Every side runs in a process of its own, one at a time, with a fresh store on
disk; peers in the environments that everyone.py makes, where they are there. The busy share is what was slept, over
workers x the time from the first trial's start to the last one's: the tail, in which ever fewer trials are left,
belongs to the budget and not to the side, and stands beside it. `gap` is how long a worker waits between two trials,
`ask` how long the sampler took for one, where that can be seen.

Usage: python scripts/bench/busy.py [--workers 8 64 512] [--each 20] [--only NAME ...] [--repeat 1] [--json FILE]
"""

import argparse
import itertools
import json
import math
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from environments import PEERS, python_of

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

SIGMA = 0.7
SEED = 1
PATIENCE = 4.0
"""A side that takes so many times what the trials need is ended."""
RAY_MOST = 8

SWEEP = """
name: busy
metric: {{name: loss}}
objective: {{python: "bench_sleep:objective"}}
parameters:
  a: {{type: float, low: 0, high: 1}}
  b: {{type: float, low: 1e-5, high: 1, log: true}}
  c: {{type: int, low: 1, high: 100}}
  d: [x, y, z]
  e: [true, false]
engine: {{name: {engine}, sampler: {sampler}, seed: 1}}
budget: {{n_trials: {trials}}}
parallel: {{n_jobs: {workers}, backend: threading{window}}}
tracker: {{uri: "sqlite:///{folder}/tracking.db", artifacts: "{folder}/mlruns", log_models: none}}
"""
OBJECTIVE = """
from __main__ import slept

def objective(params, trial):
    slept(trial.number)
    return {"loss": params["a"] + params["b"], "other": params["c"] * 2.0}
"""


@dataclass(frozen=True)
class Slept:
    """One trial: who ran it, and when by the monotonic clock, which all processes of a machine share."""

    worker: str
    began: float
    ended: float


@dataclass(frozen=True)
class Run:
    """What to do: so many trials for so many workers."""

    folder: Path
    workers: int
    trials: int
    mean: float


Side = Callable[[Run], Sequence[Slept]]
_slept: list[Slept] = []
_times: list[float] = []
_cpu_before: list[float] = []
"""What this process had used when its first trial began: starting it is another measurement."""


def duration(number: int, mean: float) -> float:
    return random.Random(f"{SEED}-{number}").lognormvariate(math.log(mean) - SIGMA**2 / 2, SIGMA)


def slept(number: int) -> None:
    """Runs the trial of that number in this thread."""
    began = time.monotonic()
    if not _cpu_before:
        _cpu_before.append(time.process_time())
    time.sleep(_times[number])
    _slept.append(Slept(str(threading.get_ident()), began, time.monotonic()))


def asked(kept: list[float], ask: Callable[..., object]) -> Callable[..., object]:
    """The same, with its seconds noted."""

    def timed(*args: object, **options: object) -> object:
        began = time.perf_counter()
        try:
            return ask(*args, **options)
        finally:
            kept.append(time.perf_counter() - began)

    return timed


_asks: list[float] = []


def ours(engine: str, sampler: str, window: int | str | None) -> Side:
    """`window` is a multiple of the workers, or "free"; None is the default."""

    def run_in(run: Run) -> Sequence[Slept]:
        import hpo
        from hpo.sweep import Sweep

        Sweep._ask = asked(_asks, Sweep._ask)  # type: ignore[method-assign]  # only to see how long it takes
        (run.folder / "bench_sleep.py").write_text(OBJECTIVE)
        size = "" if window is None else f", window: {window if window == 'free' else int(window) * run.workers}"
        text = SWEEP.format(
            engine=engine, sampler=sampler, trials=run.trials, workers=run.workers, window=size, folder=run.folder
        )
        (run.folder / "sweep.yaml").write_text(text)
        hpo.run(run.folder / "sweep.yaml")
        return _slept

    return run_in


def joblib_threads(run: Run) -> Sequence[Slept]:
    import joblib

    joblib.Parallel(n_jobs=run.workers, backend="threading", batch_size=1)(
        joblib.delayed(slept)(number) for number in range(run.trials)
    )
    return _slept


def optuna_study(storage: str, sampler: str, *, mlflow: bool = False) -> Side:
    def run_in(run: Run) -> Sequence[Slept]:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        path = run.folder / "optuna"
        kept: object = None
        if storage == "sqlite":
            kept = f"sqlite:///{path}.db"
        elif storage == "journal":
            kept = JournalStorage(JournalFileBackend(f"{path}.log"))
        chosen = optuna.samplers.RandomSampler if sampler == "random" else optuna.samplers.TPESampler
        study = optuna.create_study(storage=kept, sampler=chosen(seed=SEED))

        def objective(trial: optuna.Trial) -> float:
            a = trial.suggest_float("a", 0, 1)
            b = trial.suggest_float("b", 1e-5, 1, log=True)
            trial.set_user_attr("other", trial.suggest_int("c", 1, 100) * 2.0)
            trial.suggest_categorical("d", ["x", "y", "z"])
            trial.suggest_categorical("e", [True, False])
            slept(trial.number)
            return a + b

        callbacks = [_mlflow_callback(run)] if mlflow else []
        study.optimize(objective, n_trials=run.trials, n_jobs=run.workers, callbacks=callbacks)
        return _slept

    return run_in


def _mlflow_callback(run: Run) -> Callable[..., None]:
    import mlflow
    from optuna_integration.mlflow import MLflowCallback

    uri = f"sqlite:///{run.folder}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("busy", f"{run.folder}/mlruns"))
    made: Callable[..., None] = MLflowCallback(
        tracking_uri=uri, metric_name="loss", create_experiment=False, mlflow_kwargs={"nested": True}
    )
    return made


def ray_tune(run: Run, *, mlflow: bool = False) -> Sequence[Slept]:
    """Actors, one a worker, which Tune may reuse from trial to trial; Ray is told of as many CPUs, for they sleep."""
    import ray
    from ray import tune

    times = list(_times)

    class Sleeper(tune.Trainable):
        def setup(self, config: dict[str, object]) -> None:
            self.config = config

        def step(self) -> dict[str, object]:
            began = time.monotonic()
            time.sleep(times[self.config["number"]])
            return {
                "loss": self.config["a"] + self.config["b"], "other": self.config["c"] * 2.0, "done": True,
                "worker": str(os.getpid()), "began": began, "ended": time.monotonic(),
            }  # fmt: skip

        def reset_config(self, new_config: dict[str, object]) -> bool:
            self.config = new_config
            return True

    callbacks: list[object] = []
    if mlflow:
        from ray.air.integrations.mlflow import MLflowLoggerCallback

        callbacks.append(MLflowLoggerCallback(f"sqlite:///{run.folder}/mlflow.db", experiment_name="busy"))
    ray.init(
        num_cpus=run.workers, include_dashboard=False, log_to_driver=False, _temp_dir=tempfile.mkdtemp(prefix="ray")
    )
    counted = iter(range(run.trials))
    space = {
        "a": tune.uniform(0, 1), "b": tune.loguniform(1e-5, 1), "c": tune.randint(1, 101),
        "d": tune.choice(["x", "y", "z"]), "e": tune.choice([True, False]),
        "number": tune.sample_from(lambda _: next(counted)),
    }  # fmt: skip
    try:
        results = tune.Tuner(
            tune.with_resources(Sleeper, {"CPU": 1}),
            param_space=space,
            tune_config=tune.TuneConfig(metric="loss", mode="min", num_samples=run.trials, reuse_actors=True),
            run_config=tune.RunConfig(storage_path=str(run.folder / "ray"), verbose=0, callbacks=callbacks),
        ).fit()
        found = [result.metrics for result in results]
        return [Slept(str(one["worker"]), float(one["began"]), float(one["ended"])) for one in found]
    finally:
        ray.shutdown()


SIDES: dict[str, Side] = {
    "joblib threads (no store)": joblib_threads,
    "ours, random": ours("optuna", "random", None),
    "ours, random, 4x": ours("optuna", "random", 4),
    "ours, random, free": ours("optuna", "random", "free"),
    "ours, auto": ours("auto", "auto", None),
    "ours, auto, 8x": ours("auto", "auto", 8),
    "ours, auto, 16x": ours("auto", "auto", 16),
    "ours, auto, free": ours("auto", "auto", "free"),
    "ours, optuna tpe": ours("optuna", "tpe", None),
    "ours, optuna tpe, 16x": ours("optuna", "tpe", 16),
    "ours, optuna tpe, free": ours("optuna", "tpe", "free"),
    "optuna random, memory": optuna_study("memory", "random"),
    "optuna random, sqlite": optuna_study("sqlite", "random"),
    "optuna random, journal": optuna_study("journal", "random"),
    "optuna random, sqlite + MLflow": optuna_study("sqlite", "random", mlflow=True),
    "optuna random, journal + MLflow": optuna_study("journal", "random", mlflow=True),
    "optuna tpe, sqlite": optuna_study("sqlite", "tpe"),
    "optuna tpe, journal": optuna_study("journal", "tpe"),
    "optuna tpe, journal + MLflow": optuna_study("journal", "tpe", mlflow=True),
    "ray tune random": ray_tune,
    "ray tune random + MLflow": partial(ray_tune, mlflow=True),
}
"""hyperopt is left out: its `fmin` runs one trial at a time, and SparkTrials needs a Spark cluster."""


@dataclass(frozen=True)
class Figures:
    """What came of one run. Times are in seconds, `cpu` in milliseconds per trial, with children."""

    trials: int
    busy: float
    busy_with_tail: float
    rate: float
    gap_median: float
    gap_max: float
    ask_median: float
    cpu: float
    memory_mb: float


def figures(run: Run, trials: Sequence[Slept], cpu: float) -> Figures:
    first, last = min(one.began for one in trials), max(one.began for one in trials)
    until = max(one.ended for one in trials)
    asleep = sum(max(min(one.ended, last) - one.began, 0.0) for one in trials)
    by_worker: dict[str, list[Slept]] = {}
    for one in sorted(trials, key=lambda one: one.began):
        by_worker.setdefault(one.worker, []).append(one)
    gaps = [later.began - before.ended for own in by_worker.values() for before, later in itertools.pairwise(own)] or [
        0.0
    ]
    return Figures(
        trials=len(trials),
        busy=asleep / (run.workers * (last - first)),
        busy_with_tail=sum(one.ended - one.began for one in trials) / (run.workers * (until - first)),
        rate=len(trials) / (last - first),
        gap_median=statistics.median(gaps),
        gap_max=max(gaps),
        ask_median=statistics.median(_asks) if _asks else math.nan,
        cpu=1000 * cpu / len(trials),
        memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def measure(side: str, workers: int, trials: int, mean: float) -> None:
    """Runs one side here and prints its figures as JSON."""
    warnings.filterwarnings("ignore")
    _times.extend(duration(number, mean) for number in range(trials + 8 * workers))
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder), workers, trials, mean)
        started = time.process_time()
        done = SIDES[side](run)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        before = _cpu_before[0] if _cpu_before else started
        cpu = time.process_time() - before + children.ru_utime + children.ru_stime
        print(json.dumps(asdict(figures(run, done, cpu))))


def measured(side: str, workers: int, trials: int, mean: float) -> Figures | str:
    """The figures of a side run in a process of its own, or why there are none."""
    command = [str(_python(side)), __file__, "--measure", side, "--workers", str(workers), "--trials", str(trials)]
    limit = 60 + PATIENCE * mean * trials / workers
    if side.startswith("ray"):
        if workers > RAY_MOST:
            return f"left out: each worker is a process, and {RAY_MOST} are what this is tried with"
        limit += 240  # which take their time to start
    try:
        with tempfile.TemporaryDirectory(prefix="b") as folder:  # short: Ray's sockets lie in it
            done = subprocess.run(
                [*command, "--mean", str(mean)],
                capture_output=True, text=True, timeout=limit, check=True, env={**os.environ, "TMPDIR": folder},
            )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"not done in {limit:.0f} s"
    except subprocess.CalledProcessError as error:
        return (error.stderr.strip().splitlines() or ["no word"])[-1][:100]
    return Figures(**json.loads(done.stdout.strip().splitlines()[-1]))


def _python(side: str) -> Path:
    """The interpreter of the peer that a side is named after, where it is installed; else this one."""
    peer = side.split()[0]
    return python_of(peer) if peer in PEERS and python_of(peer).exists() else Path(sys.executable)


def chosen(words: Sequence[str] | None) -> list[str]:
    """The sides that are meant: a whole name is that side alone, a part of names all that have it."""

    def meant(name: str) -> bool:
        return any(word == name if word in SIDES else word in name for word in words or [""])

    return [name for name in SIDES if meant(name)]


HEAD = "| side | workers | busy | with tail | trials/s | gap median | longest | ask | CPU per trial | memory |"


def line(side: str, workers: int, runs: Sequence[Figures | str]) -> str:
    """One line of the table: the medians of the runs, with the spread of the busy share."""
    good = [run for run in runs if isinstance(run, Figures)]
    if not good:
        return f"| {side} | {workers} | {runs[0]} | | | | | | | |"

    def median(name: str) -> float:
        return float(statistics.median(getattr(run, name) for run in good))

    shares = [100 * run.busy for run in good]
    spread = f" ({min(shares):.1f}-{max(shares):.1f})" if len(shares) > 1 else ""
    ask = median("ask_median")
    return (
        f"| {side} | {workers} | {100 * median('busy'):.1f} %{spread} | {100 * median('busy_with_tail'):.1f} % "
        f"| {median('rate'):.1f} | {1000 * median('gap_median'):.1f} ms | {median('gap_max'):.2f} s "
        f"| {'' if math.isnan(ask) else f'{1000 * ask:.2f} ms'} | {median('cpu'):.2f} ms "
        f"| {median('memory_mb'):.0f} MB |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[8, 64, 512])
    parser.add_argument("--each", type=int, default=20, help="trials for each worker")
    parser.add_argument("--trials", type=int, help="instead of --each: trials in all")
    parser.add_argument("--mean", type=float, default=1.0, help="mean seconds of a trial")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="names, or parts of them, of the sides to run")
    parser.add_argument("--json", type=Path, help="where the figures go, too")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, options.workers[0], options.trials, options.mean)
        return
    sides = chosen(options.only)
    kept = []
    print(f"{HEAD}\n|{'---|' * 10}", flush=True)
    for workers in options.workers:
        trials = options.trials or options.each * workers
        found: dict[str, list[Figures | str]] = {side: [] for side in sides}
        for _ in range(options.repeat):
            for side in sides:
                found[side].append(measured(side, workers, trials, options.mean))
        for side, runs in found.items():
            print(line(side, workers, runs), flush=True)
            each = [asdict(run) if isinstance(run, Figures) else run for run in runs]
            kept.append({"side": side, "workers": workers, "runs": each})
    if options.json:
        options.json.write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
