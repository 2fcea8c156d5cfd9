"""How far ahead a sampler that learns should go: what is found by when, for several windows and numbers of jobs.

Simulated time: trials take log-normal times (mean 1), drawn by seed and number, the same for every window, and asking
takes none. With a fixed window what is asked depends on nothing but the window, so a search serves any number of jobs;
with `free` it is simulated for each. A window `1-4` grows with the trials, as half their number does, from 1 to 4.

A score is 0 at the best known loss and 1 at the median of random search with as many trials as `free` has ended by
then, or worse; means over the problems of problems.py, with bootstrap intervals over seeds. Searches go into --out at
once, and those that stand there are not made again.

Usage: python scripts/bench/window.py [--jobs 8 64] [--trials 60 120 240] [--windows 1 2 1-4 free] [--sampler tpe|auto]
       [--seeds 8] [--sigma 0.7] [--problems NAME ..] [--out FILE] [--tables FOLDER]   (windows: multiples of the jobs)
"""

import argparse
import heapq
import json
import os
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # a search has one core
    os.environ.setdefault(variable, "1")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

import numpy as np  # noqa: E402
from problems import PROBLEMS, Problem  # noqa: E402
from quality import interval, print_table  # noqa: E402
from sides import ours  # noqa: E402

from hpo.sampler import Sampler  # noqa: E402
from hpo.samplers.names import make_sampler  # noqa: E402
from hpo.trial import Goal, Result, State, Trial  # noqa: E402

RANDOM_RUNS = 100
FREE = "free"
Step = tuple[bool, int]
"""Whether a trial is told or asked for, and which."""


def durations(seed: int, sigma: float, trials: int) -> list[float]:
    rng = random.Random(seed)
    return [rng.lognormvariate(-(sigma**2) / 2, sigma) for _ in range(trials)]


def lag(window: str, number: int) -> int:
    """The trial of this number knows those up to so many before it."""
    low, _, high = window.partition("-")
    return min(max(int(low), number // 2), int(high or low))


def timetable(taken: Sequence[float], jobs: int, window: str) -> tuple[list[float], list[float]]:
    """When trials start and end: in their turn, once a slot is free and all that they are to know have ended."""
    slots, last, known, told = [0.0] * jobs, 0.0, 0.0, 0
    starts: list[float] = []
    ends: list[float] = []
    for number, seconds in enumerate(taken):
        while window != FREE and told <= number - lag(window, number):
            known = max(known, ends[told])
            told += 1
        last = max(last, known, heapq.heappop(slots))
        starts.append(last)
        ends.append(last + seconds)
        heapq.heappush(slots, ends[-1])
    return starts, ends


def in_turn(window: str, trials: int) -> Iterator[Step]:
    told = 0
    for number in range(trials):
        while told <= number - lag(window, number):
            yield True, told
            told += 1
        yield False, number


def as_they_end(taken: Sequence[float], jobs: int) -> Iterator[Step]:
    """The order of a free window: whatever has ended by the time a slot is free is told."""
    starts, ends = timetable(taken, jobs, FREE)
    steps = [(start, 1, number) for number, start in enumerate(starts)]
    steps += [(end, 0, number) for number, end in enumerate(ends)]
    return ((not asks, number) for _, asks, number in sorted(steps))


def search(problem: Problem, sampler: Sampler, order: Iterable[Step]) -> list[float]:
    """The losses of the trials, asked for and told in this order."""
    asked, losses = [], []
    for is_told, number in order:
        if is_told:
            sampler.tell(Trial(number, asked[number], seed=0), Result(State.COMPLETE, losses[number]))
        else:
            asked += sampler.ask(range(number, number + 1))
            losses.append(problem.loss(asked[number]))
    return losses


def sampler_of(name: str, problem: Problem, seed: int, window: int | None) -> Sampler:
    engine = "auto" if name == "auto" else "optuna"
    return make_sampler(engine, name, problem.space, seed=seed, goal=Goal.MINIMIZE, window=window, options={})


class Searches:
    """The searches made so far, in a file, a line each."""

    def __init__(self, path: Path, tables: str) -> None:
        self._path = path
        self._problems = {name: make(Path(tables)) for name, make in PROBLEMS.items()}
        self._known: dict[str, list[float]] = {}
        for line in path.read_text().splitlines() if path.exists() else []:
            row = json.loads(line)
            self._known[row["of"]] = max(self._known.get(row["of"], []), row["found"], key=len)

    def best(self, problem: str) -> float:
        return self._problems[problem].best

    def fixed(self, problem: str, sampler: str, window: str, seed: int, trials: int) -> np.ndarray:
        """The losses of a search with a window of so many trials."""

        def make() -> list[float]:
            made, size = self._problems[problem], int(window.rpartition("-")[2])
            return search(made, sampler_of(sampler, made, seed, size), in_turn(window, trials))

        return self._found(f"{problem} {sampler} {window} {seed}", trials, make)

    def free(self, problem: str, sampler: str, seed: int, taken: Sequence[float], of: str) -> np.ndarray:
        """The losses of a search that knows whatever has ended; `of` says by which timetable."""

        def make() -> list[float]:
            made = self._problems[problem]
            return search(made, sampler_of(sampler, made, seed, None), as_they_end(taken, int(of.split()[0])))

        return self._found(f"{problem} {sampler} {FREE} {seed} {of}", len(taken), make)

    def chance(self, problem: str, trials: int) -> np.ndarray:
        """The median of random search after each trial."""

        def make() -> list[float]:
            made, side = self._problems[problem], ours("optuna", "random")
            runs = [side(made.space, made.loss, 10_000 + seed, trials) for seed in range(RANDOM_RUNS)]
            return list(np.median(np.minimum.accumulate(runs, axis=1), 0))

        return self._found(f"{problem} random", trials, make)

    def _found(self, of: str, trials: int, make: Callable[[], list[float]]) -> np.ndarray:
        if len(self._known.get(of, [])) < trials:
            self._known[of] = make()
            with self._path.open("a") as file:
                print(json.dumps({"of": of, "found": self._known[of]}), file=file)
        return np.array(self._known[of][:trials])


def measure(options: argparse.Namespace, searches: Searches, jobs: int, multiple: str) -> np.ndarray:
    """Three numbers for each number of trials, problem and seed: the score by the time that `free` has ended so many
    trials, the score of so many trials, and how long they take, in times of free."""
    window = "-".join(str(round(float(part) * jobs)) for part in multiple.split("-")) if multiple != FREE else FREE
    found = np.empty((3, len(options.trials), len(options.problems), options.seeds))
    count = max(options.trials) + max(16, jobs)  # by then no more have started; the same for all numbers of jobs to 16
    for seed in range(options.seeds):
        taken = durations(seed, options.sigma, count)
        ends, freely = (np.array(timetable(taken, jobs, each)[1]) for each in (window, FREE))
        for row, problem in enumerate(options.problems):
            if multiple == FREE:
                losses = searches.free(problem, options.sampler, seed, taken, f"{jobs} {options.sigma}")
            else:
                losses = searches.fixed(problem, options.sampler, window, seed, count)
            best, chance = searches.best(problem), searches.chance(problem, max(options.trials))
            for at, trials in enumerate(options.trials):
                by_time = losses[ends <= np.sort(freely)[trials - 1]].min()
                scores = (np.array([by_time, losses[:trials].min()]) - best) / (chance[trials - 1] - best)
                found[:, at, row, seed] = *np.minimum(scores, 1), ends[:trials].max() / freely[:trials].max()
    return found


def show(options: argparse.Namespace, searches: Searches, jobs: int) -> None:
    found = {multiple: measure(options, searches, jobs, multiple) for multiple in options.windows}
    title = f"{options.sampler}, {jobs} jobs, sigma {options.sigma:g}"
    print_table(f"{title}: by the time of so many trials in free", options.trials, (
        (multiple, [_text(each) for each in scores]) for multiple, (scores, _, _) in found.items()
    ))  # fmt: skip
    print_table(f"{title}: of so many trials (and their time)", options.trials, (
        (multiple, [f"{_text(each)}, {time.mean():.2f} x" for each, time in zip(scores, times, strict=True)])
        for multiple, (_, scores, times) in found.items()
    ))  # fmt: skip
    sys.stdout.flush()


def _text(found: np.ndarray) -> str:
    low, high = interval(found)
    return f"{found.mean():.2f} ({low:.2f} - {high:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, nargs="+", default=[8])
    parser.add_argument("--trials", type=int, nargs="+", default=[60, 120, 240])
    parser.add_argument("--windows", nargs="+", default=["1", "2", "4", FREE], help="in multiples of the jobs")
    parser.add_argument("--sampler", default="tpe")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--sigma", type=float, default=0.7, help="of the logarithm of a trial's time")
    parser.add_argument("--problems", nargs="+", choices=list(PROBLEMS), default=list(PROBLEMS))
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "window.jsonl")
    parser.add_argument("--tables", default=str(ROOT / "build" / "quality-tables"))
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    searches = Searches(options.out, options.tables)
    for jobs in options.jobs:
        show(options, searches, jobs)


if __name__ == "__main__":
    main()
