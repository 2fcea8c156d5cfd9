"""What looking at a part of the told trials spares and costs, in tpe of optuna and of hyperopt.

asks     CPU milliseconds to tell a trial and ask for the next one, by how many were told, with the limit and without.
quality  the same sweeps, with the limit and without one, on problems of quality.py, paired by seed. Up to it both
         are the same, trial for trial.

What whole trials take is measured by `everyone.py --only growth`.

Usage: python scripts/bench/shortlist.py asks [--engine optuna|hyperopt] [--trials 8000]
       python scripts/bench/shortlist.py quality [--engine optuna|hyperopt] [--trials 2000] [--seeds 10] [--limit N ..]
"""

import argparse
import math
import random
import statistics
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from problems import PROBLEMS as MAKERS

from hpo.sampler import Sampler
from hpo.samplers import shortlist
from hpo.samplers.names import make_sampler
from hpo.samplers.random_sampler import RandomSampler
from hpo.space import Choice, FloatRange, IntRange, Parameter, Space
from hpo.trial import Goal, Result, State, Trial

warnings.filterwarnings("ignore")

PROBLEMS = ("hartmann6", "conditional", "mixed")
TOLD = (250, 500, 1_000, 2_000, 4_000, 8_000)
UNLIMITED = 10**9
SPACE = Space(
    [
        Parameter("x", FloatRange(-5, 5)),
        Parameter("rate", FloatRange(1e-5, 1, log=True)),
        Parameter("kind", Choice(["a", "b", "c"])),
        Parameter("depth", IntRange(1, 32)),
    ]
)


@contextmanager
def limited_to(limit: int) -> Iterator[None]:
    """Samplers look at so many trials; all through their life, for some are made only when they begin to learn."""
    before, shortlist.LIMIT = shortlist.LIMIT, limit
    try:
        yield
    finally:
        shortlist.LIMIT = before


def asks(engine: str, trials: int) -> None:
    counts = [count for count in TOLD if count <= trials]
    print(f"{'trials told':>20}", *(f"{count:>8,}" for count in counts))
    for name, limit in (("with the limit", shortlist.LIMIT), ("shown all", UNLIMITED)):
        with limited_to(limit):
            print(f"{name:>20}", *(f"{ms:8.1f}" for ms in ask_times(engine, counts)), flush=True)


def ask_times(engine: str, counts: list[int]) -> Iterator[float]:
    """CPU milliseconds, the median of ten asks, after so many trials that were told at random places."""
    rng, chance = random.Random(1), RandomSampler(SPACE, seed=2)
    sampler = make_sampler(engine, "tpe", SPACE, seed=1, goal=Goal.MINIMIZE, window=1, options={})
    told = 0
    for count in counts:
        for number in range(told, count - 10):
            tell(sampler, number, chance, rng)
        taken = []
        for number in range(count - 10, count):
            began = time.process_time()
            tell(sampler, number, chance, rng)
            sampler.ask(range(number + 1, number + 2))
            taken.append(time.process_time() - began)
        told = count
        yield statistics.median(taken) * 1000


def tell(sampler: Sampler, number: int, chance: Sampler, rng: random.Random) -> None:
    trial = Trial(number, chance.ask(range(number, number + 1))[0], 0)
    sampler.tell(trial, Result(State.COMPLETE, rng.random()))


def distances(engine: str, sampler: str, name: str, seed: int, *, trials: int, limit: int) -> list[float]:
    """How far each trial of a sweep is from the best value known."""
    problem = MAKERS[name](Path())
    found = []
    with limited_to(limit):
        asked = make_sampler(engine, sampler, problem.space, seed=seed, goal=Goal.MINIMIZE, window=1, options={})
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
    parser.add_argument("part", choices=["asks", "quality"])
    parser.add_argument("--engine", choices=["optuna", "hyperopt"], default="optuna")
    parser.add_argument("--trials", type=int)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--limit", type=int, nargs="*", default=[400])
    options = parser.parse_args()
    if options.part == "asks":
        asks(options.engine, options.trials or TOLD[-1])
    else:
        quality(options.engine, options.trials or 2000, options.seeds, options.limit)


if __name__ == "__main__":
    main()
