"""What one step of a driver costs here: the constants that docs/scale.md and simulate.py reckon with.

The store: seconds of a commit and of each row's part in it, by the tracker itself and with durable settings, as a fit
over transactions of 1 to 256 trials (4 params, 2 metrics); bytes a trial takes; what reading a history back takes. The
samplers: CPU milliseconds to tell a trial and ask for the next, by how many were told. Messages: the driver's CPU
seconds to send a trial, take its outcome, or answer a report, with worker processes and
over the line to a local cluster; and bytes of each.

Usage: python scripts/bench/constants.py [--only sqlite postgresql samplers pruners loky dask] [--output FILE]
"""

import argparse
import contextlib
import json
import logging
import os
import platform
import random
import statistics
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
warnings.filterwarnings("ignore")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from databases import databases  # noqa: E402
from simulate import SPACE  # noqa: E402
from simulated import METRIC  # noqa: E402

from hpo.progress import Progress  # noqa: E402
from hpo.pruner import Pruner  # noqa: E402
from hpo.pruners.names import make_pruner  # noqa: E402
from hpo.sampler import Sampler  # noqa: E402
from hpo.samplers.names import make_sampler  # noqa: E402
from hpo.samplers.random_sampler import RandomSampler  # noqa: E402
from hpo.sweep_records import SweepRecords  # noqa: E402
from hpo.trial import Goal, Outcome, Report, Result, State, Trial, derive_seed  # noqa: E402
from trackers.opening import Store, open_store  # noqa: E402
from trackers.records import Change, Query, RunStarted, RunUpdated, SweepFacts  # noqa: E402

OUTPUT = Path(__file__).with_name("constants.json")
WINDOW = 8
BATCHES = (1, 4, 16, 64, 256)
SAMPLERS = {
    ("optuna", "random"): (100, 10_000),
    ("optuna", "qmc"): (100, 1000),
    ("optuna", "tpe"): (100, 400, 10_000),
    ("optuna", "cmaes"): (100, 400, 1000),
    ("optuna", "nsga2"): (100, 1000),
    ("hyperopt", "tpe"): (100, 400, 10_000),
    ("hyperopt", "anneal"): (100, 1000),
    ("auto", "auto"): (50, 180, 10_000),
}


class Trials:
    """Made-up trials and how they end, in the order of their numbers."""

    def __init__(self) -> None:
        self._sampler = RandomSampler(SPACE, seed=1)
        self._rng = random.Random(1)
        self.records = SweepRecords("s" * 32, "bench", METRIC, "/mlruns/1", "user", lambda: 1_790_000_000_000, self._id)
        self.next = 0

    def _id(self) -> str:
        return f"{self.next:032x}"

    def new(self) -> Trial:
        params = self._sampler.ask(range(self.next, self.next + 1))[0]
        trial = self.records.new_trial(self.next, params, derive_seed(1, self.next))
        self.next += 1
        return trial

    def outcome(self, trial: Trial, points: int = 0) -> Outcome:
        value = self._rng.random()
        reports = [Report(METRIC, value, step, 1_790_000_000_000 + step) for step in range(points)]
        metrics = {METRIC: value, "seconds": 1.5}
        return Outcome(trial.number, 1, State.COMPLETE, metrics, reports, started=1_790_000_000_000, seconds=1.5)

    def parent(self, ended: int) -> RunUpdated:
        counts = {**dict.fromkeys(State, 0), State.COMPLETE: ended}
        return self.records.sweep_updated(Progress(counts, 10**6, 0.1, 1, 12.3))


def store(uri: str, folder: Path, repeat: int) -> dict[str, float]:
    """A commit and its rows, fitted; the size of a trial; reading it back."""
    trials = Trials()
    starts: list[tuple[int, float]] = []
    ends: list[tuple[int, float]] = []
    with_points: list[float] = []
    many = 100
    with open_store(uri, artifacts=f"{folder}/mlruns") as opened:
        opened.tracker.experiment("bench")
        facts = SweepFacts("{}", "0" * 64, METRIC, "minimize", 1, 1, 10**6)
        opened.tracker.record([RunStarted("s" * 32, "sweep", "bench", 1, sweep=facts)])
    empty = size_of(uri, folder)
    with open_store(uri, artifacts=f"{folder}/mlruns") as opened:
        for _ in range(repeat):
            for batch in BATCHES:
                for _ in range(max(1, 32 // batch)):
                    new = [trials.new() for _ in range(batch)]
                    starts.append(
                        (batch, recorded(opened, [*map(trials.records.trial_started, new), trials.parent(0)]))
                    )
                    made = [trials.records.ending(trial, trials.outcome(trial)).change for trial in new]
                    ends.append((batch, recorded(opened, [*made, trials.parent(trials.next)])))
        history = [seconds(lambda: opened.tracker.find(Query(parent="s" * 32, deleted=None))) for _ in range(3)]
        count = trials.next
        tracemalloc.start()
        kept = opened.tracker.find(Query(parent="s" * 32, deleted=None))
        memory = tracemalloc.get_traced_memory()[0] / len(kept)
        tracemalloc.stop()
    full = size_of(uri, folder)
    with open_store(uri, artifacts=f"{folder}/mlruns") as opened:
        for _ in range(8 * repeat):
            trial = trials.new()
            opened.tracker.record([trials.records.trial_started(trial)])
            with_points.append(recorded(opened, [trials.records.ending(trial, trials.outcome(trial, many)).change]))
    bytes_a_trial = (full - empty) / count
    more = size_of(uri, folder) - full - len(with_points) * bytes_a_trial
    commit_started, started = fitted(starts)
    commit_ended, ended = fitted(ends)
    return {
        "commit": (commit_started + commit_ended) / 2,
        "started": started,
        "ended": ended,
        "point": max(0.0, (undisturbed(with_points) - commit_ended - ended) / many),
        "bytes_a_trial": bytes_a_trial,
        "bytes_a_point": more / len(with_points) / many,
        "read_a_trial": min(history) / count,
        "memory_a_read_trial": memory,
    }


def undisturbed(taken: list[float]) -> float:
    """The median of the quickest half: what else runs on the machine only ever slows it."""
    return statistics.median(sorted(taken)[: max(1, len(taken) // 2)])


def recorded(opened: Store, changes: list[Change]) -> float:
    return seconds(lambda: opened.tracker.record(changes))


def seconds(action: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    began = clock()
    action()
    return clock() - began


def fitted(taken: list[tuple[int, float]]) -> tuple[float, float]:
    """A line through the times of small and large transactions: what one costs, and each trial in it."""
    medians = {batch: undisturbed([of for size, of in taken if size == batch]) for batch in BATCHES}
    slope = (medians[256] - medians[16]) / 240
    return max(0.0, statistics.mean(medians[batch] - slope * batch for batch in (1, 4, 16))), slope


def size_of(uri: str, folder: Path) -> int:
    if uri.startswith("sqlite"):
        return sum(path.stat().st_size for path in folder.glob("tracking.db*"))
    import psycopg

    with psycopg.connect(uri.replace("postgresql+psycopg", "postgresql")) as connection:
        return int(connection.execute("SELECT pg_database_size(current_database())").fetchone()[0])


def stores(kind: str, repeat: int) -> dict[str, float]:
    with databases(kind) as new_database, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return store(new_database(folder), folder, repeat)


def samplers() -> dict[str, dict[str, float]]:
    """CPU milliseconds to tell a trial and ask for the next one, by the number of trials told; window 8."""
    rng = random.Random(1)
    found: dict[str, dict[str, float]] = {}
    for (engine, name), sizes in SAMPLERS.items():
        sampler = make_sampler(engine, name, SPACE, seed=1, goal=Goal.MINIMIZE, window=WINDOW, options={})
        chance, of = RandomSampler(SPACE, seed=2), {}

        def tell(number: int, to: Sampler = sampler, chance: Sampler = chance) -> None:
            params = chance.ask(range(number, number + 1))[0]
            to.tell(Trial(number, params, 0), Result(State.COMPLETE, rng.random()))

        def turn(number: int, of: Sampler = sampler, tell: Callable[[int], None] = tell) -> None:
            tell(number)
            of.ask(range(number + WINDOW, number + WINDOW + 1))

        told = 0
        for size in sizes:
            for number in range(told, size):
                tell(number)
            turns = [seconds(partial(turn, number), time.process_time) for number in range(size, size + 6)]
            told = size + 6
            of[str(size)] = min(turns[1:]) * 1000
        found[f"{engine} {name}"] = of
    return found


def pruners() -> dict[str, dict[str, float]]:
    """CPU milliseconds to judge one report, by the number of trials told, each with 5 reports."""
    rng = random.Random(1)
    found: dict[str, dict[str, float]] = {}
    for name in ("asha", "median"):
        pruner, told, of = make_pruner(name, goal=Goal.MINIMIZE, seed=1, window=WINDOW, options={}), 0, {}
        for size in (100, 1000, 10_000):
            for number in range(told, size):
                curve = {step: rng.random() for step in range(5)}
                pruner.tell(Trial(number, {}, 0), Result(State.COMPLETE, curve[4], curve=curve))
            told = size
            judged(pruner, Trial(size + WINDOW - 2, {}, 0))  # warms up: libraries, and what is kept from call to call
            of[str(size)] = statistics.mean(judged(pruner, Trial(size + WINDOW - 1, {}, 0))) * 1000
        found[name] = of
    return found


def judged(pruner: Pruner, trial: Trial) -> list[float]:
    """CPU seconds of judging each of a trial's five reports."""
    curve: dict[int, float] = {}
    taken = []
    for step in range(5):
        curve[step] = 0.0
        taken.append(seconds(partial(pruner.should_prune, trial, dict(curve)), time.process_time))
    return taken


def nothing(params: Mapping[str, object], trial: object) -> float:
    return float(params["x"])


def reporting(params: Mapping[str, object], trial: object) -> float:
    for step in range(100):
        trial.report(step, float(step))
    return 1.0


def messages(backend: str, trials: int = 400) -> dict[str, float]:
    """The driver's CPU seconds and bytes for each message, with two workers."""
    plain = min(driver_seconds(backend, nothing, trials, asks=False) for _ in range(3))
    asking = min(driver_seconds(backend, reporting, 20, asks=True) for _ in range(3))
    made = Trials()
    trial = made.new()
    sizes = (asdict(trial), asdict(made.outcome(trial)), asdict(made.outcome(trial, 1).reports[0]))
    to_worker, to_driver, report = (len(json.dumps(size, default=list)) for size in sizes)
    return {
        "submit": plain / 2, "outcome": plain / 2, "question": max(0.0, (asking - plain) / 100),
        "bytes_to_worker": to_worker, "bytes_to_driver": to_driver, "bytes_a_report": report,
    }  # fmt: skip


def driver_seconds(backend: str, objective: Callable[..., float], trials: int, *, asks: bool) -> float:
    """CPU of this process, all its threads, for one trial, from submit to its outcome; two at a time."""
    from hpo.executors.names import make_executor

    with tempfile.TemporaryDirectory() as scratch:
        executor = make_executor(
            backend, slots=2, objective=objective, metric=METRIC, goal=Goal.MINIMIZE, files=None,
            scratch=Path(scratch), inner_threads=None, asks=asks,
        )  # fmt: skip
        made, open_now, ended, began = Trials(), 0, 0, 0.0
        try:
            while ended < trials:
                while open_now < min(2, executor.slots):
                    executor.submit(made.new())
                    open_now += 1
                taken = len(executor.wait(None))
                open_now -= taken
                ended += taken
                began = began or time.process_time()  # after the first one: that started a worker
            return (time.process_time() - began) / trials
        finally:
            executor.close()


def disk() -> float:
    """Seconds of one sync of a small write."""
    with tempfile.TemporaryFile() as file:

        def sync() -> None:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())

        return undisturbed([seconds(sync) for _ in range(200)])


def table(found: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    for part, of in found.items():
        for name, value in of.items():
            yield f"{part:12} {name:18} {value if isinstance(value, str | dict) else format(value, '.6g')}"


def rounded(found: object) -> object:
    """With four digits: more of them say nothing."""
    if isinstance(found, dict):
        return {name: rounded(value) for name, value in found.items()}
    return float(f"{found:.4g}") if isinstance(found, float) else found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ["sqlite", "postgresql", "samplers", "pruners", "loky", "dask"]
    parser.add_argument("--only", nargs="*", choices=parts, default=parts)
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    known: dict[str, dict[str, object]] = {}
    with contextlib.suppress(FileNotFoundError):
        known = json.loads(options.output.read_text())
    found = dict(known.get("simulation", {}))
    made = {
        "loky": lambda: messages("loky"),
        "dask": lambda: messages("dask"),
        "sqlite": lambda: stores("sqlite", options.repeat),
        "postgresql": lambda: stores("postgresql", options.repeat),
        "samplers": samplers,
        "pruners": pruners,
    }
    for part in options.only:
        found[part] = made[part]()
        print(*table({part: found[part]}), sep="\n", flush=True)
    about = {"cores": os.cpu_count(), "python": platform.python_version(), "sync_of_the_disk": disk()}
    options.output.write_text(json.dumps(rounded({"machine": about, "simulation": found}), indent=1) + "\n")


if __name__ == "__main__":
    main()
