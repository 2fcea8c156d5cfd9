"""Whether trials get slower to ask for as they get more: ours, tracked, against optuna's tpe bare and in memory.

The same space and objective (4 parameters), one process each, ours with its SQLite store on this machine's disk and
every trial durable. The sides take turns, --block trials each, so that both meet the same noise; CPU seconds tell what
noise hides. With --engine hyperopt both sides use hyperopt's tpe.

With --quality it is told instead what looking at a part of the told trials costs: the same sweeps, with the limit and
without one, on problems of quality.py, paired by seed. Up to the limit both are the same, trial for trial.

Usage: python scripts/bench/growth.py [--engine optuna|hyperopt] [--trials 10000] [--block 500]
       python scripts/bench/growth.py --quality [--engine optuna|hyperopt] [--trials 2000] [--seeds 10] [--limit N ..]
"""

import argparse
import importlib
import math
import random
import statistics
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

warnings.filterwarnings("ignore")

SWEEP = """
name: growth
metric: {{name: loss}}
objective: {{python: "growth_objective:objective"}}
parameters:
  x: {{type: float, low: -5, high: 5}}
  rate: {{type: float, low: 1e-5, high: 1, log: true}}
  kind: [a, b, c]
  depth: {{type: int, low: 1, high: 32}}
engine: {{name: {engine}, sampler: tpe, seed: 1}}
budget: {{n_trials: {trials}}}
parallel: {{n_jobs: 1, backend: serial}}
tracker: {{uri: "sqlite:///{folder}/tracking.db", artifacts: "{folder}/mlruns", log_models: none}}
"""
OBJECTIVE = """
import math

def objective(params, trial):
    waves = math.sin(3 * params["x"]) + (math.log10(params["rate"]) + 3) ** 2
    return waves + (params["x"] - 1) ** 2 / 5 + {"a": 0, "b": 0.5, "c": 1}[params["kind"]] + params["depth"] / 32
"""
PROBLEMS = ("hartmann6", "conditional", "mixed")
UNLIMITED = 10**9


@dataclass
class Side:
    """The seconds, by the clock and of CPU, that each block of trials took."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


class Turns:
    """Two threads of which one runs, a block of trials at a time."""

    def __init__(self, block: int, after_both: Callable[[], None]) -> None:
        self.block = block
        self.after_both = after_both
        self.whose = "ours"
        self.over: set[str] = set()
        self.changed = threading.Condition()

    def record(self, name: str, side: Side) -> Callable[[], None]:
        """To be called after every trial: notes the block that is full, and lets the other side run one."""
        self._wait(name)
        count, wall, cpu = 0, time.perf_counter(), time.thread_time()

        def ended() -> None:
            nonlocal count, wall, cpu
            count += 1
            if count % self.block == 0:
                side.wall.append(time.perf_counter() - wall)
                side.cpu.append(time.thread_time() - cpu)
                if name == "bare":
                    self.after_both()
                self.give_up(name)
                self._wait(name)
                wall, cpu = time.perf_counter(), time.thread_time()

        return ended

    def give_up(self, name: str, *, for_good: bool = False) -> None:
        with self.changed:
            if for_good:
                self.over.add(name)
            self.whose = "bare" if name == "ours" else "ours"
            self.changed.notify_all()

    def _wait(self, name: str) -> None:
        with self.changed:
            self.changed.wait_for(lambda: self.whose == name or self.over)


class Watching:
    """A watcher of a sweep that calls a function after every trial."""

    def __init__(self, ended: Callable[[], None]) -> None:
        self.ended = ended

    def started(self, progress: object) -> None:
        pass

    def waiting(self, progress: object) -> None:
        pass

    def trial_ended(self, trial: object, outcome: object, progress: object) -> None:
        self.ended()


def ours(engine: str, trials: int, folder: Path, turns: Turns, side: Side) -> None:
    from hpo.search import run

    file = folder / "sweep.yaml"
    file.write_text(SWEEP.format(engine=engine, trials=trials, folder=folder))
    run(file, watcher=Watching(turns.record("ours", side)))
    turns.give_up("ours", for_good=True)


def bare_optuna(trials: int, objective: Callable[..., float], turns: Turns, side: Side) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    ended = turns.record("bare", side)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))

    def value(trial: optuna.Trial) -> float:
        params = {
            "x": trial.suggest_float("x", -5, 5),
            "rate": trial.suggest_float("rate", 1e-5, 1, log=True),
            "kind": trial.suggest_categorical("kind", ["a", "b", "c"]),
            "depth": trial.suggest_int("depth", 1, 32),
        }
        return objective(params, None)

    study.optimize(value, n_trials=trials, callbacks=[lambda study, trial: ended()])
    turns.give_up("bare", for_good=True)


def bare_hyperopt(trials: int, objective: Callable[..., float], turns: Turns, side: Side) -> None:
    import hyperopt
    import numpy
    from hyperopt import hp

    space = {
        "x": hp.uniform("x", -5, 5),
        "rate": hp.loguniform("rate", math.log(1e-5), 0),
        "kind": hp.choice("kind", ["a", "b", "c"]),
        "depth": hp.uniformint("depth", 1, 32),
    }
    ended = turns.record("bare", side)

    def value(params: dict[str, object]) -> float:
        ended()
        return objective(params, None)

    hyperopt.fmin(
        value, space, algo=hyperopt.tpe.suggest, max_evals=trials,
        rstate=numpy.random.default_rng(1), show_progressbar=False, verbose=False,
    )  # fmt: skip
    turns.give_up("bare", for_good=True)


def growth(engine: str, trials: int, block: int) -> None:
    importlib.import_module(engine)  # before anything is timed
    bare_side = {"optuna": bare_optuna, "hyperopt": bare_hyperopt}[engine]
    us, bare = Side(), Side()
    turns = Turns(block, lambda: print_row(block, us, bare))
    print(f"{'seconds for trials':>20}   {'ours, tracked':>20}   {engine + ' bare, in memory':>24}")
    print(f"{'':>20}   {'clock':>9} {'CPU':>10}   {'clock':>12} {'CPU':>11}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "growth_objective.py").write_text(OBJECTIVE)
        sys.path.insert(0, str(folder))
        objective = importlib.import_module("growth_objective").objective
        other = threading.Thread(target=bare_side, args=(trials, objective, turns, bare), daemon=True)
        other.start()
        ours(engine, trials, folder, turns, us)
        other.join()
    report(engine, block, us, bare)


def print_row(block: int, us: Side, bare: Side) -> None:
    until = len(bare.wall) * block
    row = f"{us.wall[-1]:9.1f} {us.cpu[-1]:10.1f}   {bare.wall[-1]:12.1f} {bare.cpu[-1]:11.1f}"
    print(f"{until - block + 1:>9} to {until:>7}   {row}", flush=True)


def report(engine: str, block: int, us: Side, bare: Side) -> None:
    print(f"{'all':>20}   {sum(us.wall):9.1f} {sum(us.cpu):10.1f}   {sum(bare.wall):12.1f} {sum(bare.cpu):11.1f}")
    many = max(1, min(1000 // block, len(us.wall) // 2))
    for name, side in (("ours", us), (f"{engine} bare", bare)):
        by_clock, by_cpu = (sum(of[:many]) / sum(of[-many:]) for of in (side.wall, side.cpu))
        print(f"{name}: the last {many * block} trials at {by_clock:.0%} of the speed of the first (CPU: {by_cpu:.0%})")
    wall, cpu = sum(us.wall) / sum(bare.wall), sum(us.cpu) / sum(bare.cpu)
    print(f"ours took {wall:.0%} of the time of {engine} bare (CPU: {cpu:.0%})")


@contextmanager
def limited_to(limit: int) -> Iterator[None]:
    """Samplers made meanwhile look at so many trials."""
    from hpo.samplers import shortlist

    before, shortlist.LIMIT = shortlist.LIMIT, limit
    try:
        yield
    finally:
        shortlist.LIMIT = before


def distances(engine: str, sampler: str, name: str, seed: int, *, trials: int, limit: int) -> list[float]:
    """How far each trial of a sweep is from the best value known."""
    from problems import PROBLEMS as MAKERS

    from hpo.samplers.names import make_sampler
    from hpo.trial import Goal, Result, State, Trial

    problem = MAKERS[name](Path())
    with limited_to(limit):
        asked = make_sampler(engine, sampler, problem.space, seed=seed, goal=Goal.MINIMIZE, window=1, options={})
    found = []
    for number in range(trials):
        params = asked.ask(range(number, number + 1))[0]
        loss = problem.loss(params)
        asked.tell(Trial(number, params, seed=0), Result(State.COMPLETE, loss))
        found.append(max(loss - problem.best, 1e-12))
    return found


def quality(engine: str, trials: int, seeds: int, limits: list[int]) -> None:
    print(f"{engine}'s tpe, {trials} trials, {seeds} seeds; score: distance of the best trial to the best value known,")
    print("1 is the median of random search; late: the median distance of the trials of the second half, as log10 of")
    print("that with the limit by that without it; each with the 95 % interval of the mean difference by seed")
    print(
        f"{'problem':>12} {'limit':>6} {'with':>8} {'without':>8}  {'difference of scores':>28}  {'late':>24}",
        flush=True,
    )
    for name in PROBLEMS:
        chance = statistics.median(
            min(distances(engine, "random", name, seed, trials=trials, limit=1)) for seed in range(20)
        )
        sweeps = {
            limit: [distances(engine, "tpe", name, seed, trials=trials, limit=limit) for seed in range(seeds)]
            for limit in [UNLIMITED, *limits]
        }
        for limit in limits:
            print(f"{name:>12} {limit:>6} {compared(sweeps[limit], sweeps[UNLIMITED], chance)}", flush=True)


def compared(short: list[list[float]], full: list[list[float]], chance: float) -> str:
    scores, others = ([min(sweep) / chance for sweep in side] for side in (short, full))
    late, other_late = ([statistics.median(sweep[len(sweep) // 2 :]) for sweep in side] for side in (short, full))
    differences = [mine - other for mine, other in zip(scores, others, strict=True)]
    ratios = [math.log10(mine / other) for mine, other in zip(late, other_late, strict=True)]
    means = f"{statistics.mean(scores):8.4f} {statistics.mean(others):8.4f}"
    return f"{means}  {with_interval(differences, 4):>28}  {with_interval(ratios, 2):>24}"


def with_interval(values: list[float], digits: int) -> str:
    low, high = interval(values)
    return f"{statistics.mean(values):+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"


def interval(values: list[float], draws: int = 5000) -> tuple[float, float]:
    """The 95 % interval of the mean, by the bootstrap."""
    rng = random.Random(1)
    means = sorted(statistics.mean(rng.choices(values, k=len(values))) for _ in range(draws))
    return means[int(0.025 * draws)], means[int(0.975 * draws)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=["optuna", "hyperopt"], default="optuna")
    parser.add_argument("--trials", type=int)
    parser.add_argument("--block", type=int, default=500)
    parser.add_argument("--quality", action="store_true")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--limit", type=int, nargs="*", default=[400])
    options = parser.parse_args()
    if options.quality:
        quality(options.engine, options.trials or 2000, options.seeds, options.limit)
    else:
        growth(options.engine, options.trials or 10_000, options.block)


if __name__ == "__main__":
    main()
