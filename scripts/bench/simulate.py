"""A sweep on more workers than there are here: the real driver, with a simulated clock and simulated workers.

Discrete events. The driver's code is the real one: hpo.sweep.Sweep with its sampler, window, budget, records, pruner,
duplicates and kept models. Its CPU time is measured as it runs and charged to the simulated clock, one second for one.
What is not there costs simulated time by constants that scripts/bench/constants.py has measured: a commit, a row of
it, a trial sent, an outcome received. Trials take log-normal times; a worker that gets lost comes back later, and its
trial runs again. The store keeps counts alone, so that any growth of memory is the driver's own.

Busy share and rate are those of the stretch from the second round of trials to the last trial that was asked for.
`auto` means optuna's tpe from trial 200 on; with --ask SECONDS points are random and each costs so much.

Usage: python scripts/bench/simulate.py [--workers 10000] [--trials 200000] [--seconds 60] [--sampler random|tpe|auto]
       python scripts/bench/simulate.py --workers 64 512 --window 2 4 8 16 --rounds --learns
"""

import argparse
import json
import logging
import sys
import time
import uuid
from collections.abc import Mapping
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from simulated import METRIC, Charged, Clock, Counts, Setting, Workers  # noqa: E402

from hpo.budget import Budget  # noqa: E402
from hpo.config.window import LEARN_NOTHING  # noqa: E402
from hpo.interruption import Interruption  # noqa: E402
from hpo.kept_models import KeptModels  # noqa: E402
from hpo.plan import Plan  # noqa: E402
from hpo.pruners.names import make_pruner  # noqa: E402
from hpo.samplers.names import make_sampler  # noqa: E402
from hpo.space import Choice, FloatRange, IntRange, Parameter, Space  # noqa: E402
from hpo.sweep import Sweep  # noqa: E402
from hpo.sweep_records import SweepRecords  # noqa: E402
from hpo.trial import Goal  # noqa: E402
from hpo.watcher import Silence  # noqa: E402

CONSTANTS = Path(__file__).with_name("constants.json")
SPACE = Space(
    (
        Parameter("x", FloatRange(-5, 5)),
        Parameter("rate", FloatRange(1e-5, 1, log=True)),
        Parameter("kind", Choice(("a", "b", "c"))),
        Parameter("depth", IntRange(1, 32)),
    )
)


class Memory:
    """The resident memory of this process, noted as trials end."""

    def __init__(self, trials: int) -> None:
        self._every = max(1, trials // 50)
        self._next = self._every
        self._began = self._said = time.monotonic()
        self.seen: list[tuple[int, float]] = []

    def __call__(self, ended: int) -> None:
        if ended >= self._next:
            self._next = ended + self._every
            self.seen.append((ended, resident()))
        if time.monotonic() - self._said > 20:
            self._said = time.monotonic()
            print(
                f"  {ended:,} trials after {self._said - self._began:.0f} s, {resident():.0f} MiB",
                file=sys.stderr,
                flush=True,
            )

    def bytes_per_trial(self) -> float:
        """How fast it grew over the later half."""
        late = self.seen[len(self.seen) // 2 :]
        (first, low), (last, high) = late[0], late[-1]
        return (high - low) * 2**20 / max(1, last - first)


def resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def sampler_of(setting: Setting, clock: Clock) -> object:
    engine, name = {"tpe": ("optuna", "tpe"), "auto": ("auto", "auto")}.get(
        setting.sampler, ("optuna", setting.sampler)
    )
    sampler = make_sampler(
        engine, name, SPACE, seed=setting.seed, goal=Goal.MINIMIZE, window=setting.size, options={}
    )  # fmt: skip
    return Charged(sampler, clock, setting.ask) if setting.ask else sampler


def simulate(setting: Setting, constants: Mapping[str, Mapping[str, float]]) -> dict[str, object]:
    """Runs one sweep; what came of it."""
    clock, memory = Clock(), Memory(setting.trials)
    workers = Workers(setting, clock, constants[setting.over])
    counts = Counts(clock, constants[setting.store], memory)
    new_id, parent = (lambda: uuid.uuid4().hex), "s" * 32
    learns = setting.learns or setting.sampler not in LEARN_NOTHING or bool(setting.reports)
    plan = Plan(METRIC, Goal.MINIMIZE, setting.seed, setting.size, Budget(setting.trials), learns=learns)
    pruner = None
    if setting.reports:
        pruner = make_pruner("asha", goal=Goal.MINIMIZE, seed=setting.seed, window=setting.size, options={})
    sweep = Sweep(
        plan,
        sampler=sampler_of(setting, clock),
        executor=workers,
        tracker=counts,
        records=SweepRecords(parent, "simulated", METRIC, "/mlruns/1", "user", clock.milliseconds, new_id),
        models=KeptModels(5, Goal.MINIMIZE, lambda trial, path: None),
        interruption=Interruption(),
        pruner=pruner,
        duplicates=setting.duplicates,
        clock=clock,
    )  # fmt: skip
    before, began = resident(), time.monotonic()
    clock.go()
    sweep.run(Silence())
    return measured(setting, workers, counts, memory) | {
        "real_seconds": time.monotonic() - began, "simulated_seconds": clock.now,
        "mib_before": before, "mib_after": resident(),
    }  # fmt: skip


def measured(setting: Setting, workers: Workers, counts: Counts, memory: Memory) -> dict[str, object]:
    (begin, busy_begin, first, spent_first), (end, busy_end, last, spent_last) = workers.marks[0], workers.marks[-1]
    seconds, trials = end - begin, last - first
    spent = {name: spent_last[name] - spent_first[name] for name in spent_last}
    busy = (busy_end - busy_begin) / (seconds * setting.workers)
    full = 1 - spent["idle"] / seconds
    costs = {name: of / trials for name, of in spent.items() if name != "idle"}
    worst = max(costs, key=costs.__getitem__)
    limit = "nothing" if busy > 0.95 else f"driver: {worst}" if full > 0.95 else "window"
    return {
        "workers": setting.workers, "seconds": setting.seconds, "sampler": setting.sampler, "store": setting.store,
        "window": setting.size or "free", "trials": counts.ended, "rate": trials / seconds, "busy": busy,
        "driver_full": full, "costs": costs, "limit": limit, "commits": counts.commits,
        "lost": workers.submitted - setting.trials,
        "bytes_per_trial": memory.bytes_per_trial(),
    }  # fmt: skip


HEADER = (
    "| workers | mean s | sampler | store | window | trials | trials/s | busy | driver at work | "
    "us a trial: driver + store + messages + ask | limit | MiB | bytes a trial |\n" + "|---" * 13 + "|"
)


def row(found: Mapping[str, object]) -> str:
    costs = " + ".join(f"{found['costs'][name] * 1e6:.0f}" for name in ("driver", "store", "messages", "ask"))
    return (
        f"| {found['workers']:,} | {found['seconds']:g} | {found['sampler']} | {found['store']} | {found['window']} | "
        f"{found['trials']:,} | {found['rate']:,.0f} | {found['busy']:.1%} | {found['driver_full']:.0%} | {costs} | "
        f"{found['limit']} | {found['mib_after']:.0f} | {found['bytes_per_trial']:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[Setting.workers])
    parser.add_argument("--trials", type=int, default=Setting.trials)
    parser.add_argument("--seconds", type=float, nargs="+", default=[Setting.seconds], help="mean time of a trial")
    parser.add_argument("--sigma", type=float, default=Setting.sigma, help="of its logarithm")
    parser.add_argument("--sampler", default=Setting.sampler, help="random, tpe, auto, grid, qmc")
    parser.add_argument("--ask", type=float, default=0.0, help="seconds that an ask costs besides")
    parser.add_argument("--store", choices=["sqlite", "postgresql"], nargs="+", default=[Setting.store])
    parser.add_argument("--over", choices=["loky", "dask"], default=Setting.over, help="how trials get to workers")
    parser.add_argument("--window", type=int, nargs="+", default=[None], help="0: free; left out: twice the workers")
    parser.add_argument("--learns", action="store_true", help="random points wait for the window, as if they learned")
    parser.add_argument("--rounds", action="store_true", help="windows are given as multiples of the workers")
    parser.add_argument("--reports", type=int, default=0, help="a trial, each judged by asha")
    parser.add_argument("--duplicates", default=Setting.duplicates)
    parser.add_argument("--lost", type=float, default=Setting.lost, help="how often a worker is lost in an hour")
    parser.add_argument("--constants", type=Path, default=CONSTANTS)
    parser.add_argument("--json", type=Path, help="append what came of each run to this file, a line each")
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # each lost worker is one
    constants = json.loads(options.constants.read_text())["simulation"]
    print(HEADER, flush=True)
    for store, workers, seconds, window in product(options.store, options.workers, options.seconds, options.window):
        setting = Setting(
            workers, options.trials, seconds, options.sigma, options.sampler, options.ask, store, options.over,
            None if window is None else window * (workers if options.rounds else 1),
            options.reports, options.duplicates, options.learns, options.lost,
        )  # fmt: skip
        found = simulate(setting, constants)
        print(row(found), flush=True)
        if options.json:
            with options.json.open("a") as file:
                print(json.dumps(found), file=file)


if __name__ == "__main__":
    main()
