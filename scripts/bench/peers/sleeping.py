"""Trials that only sleep, and how busy they kept their workers: the same sleeps on every side, by the trial's number.

Standard library only, for it runs in each peer's own environment. A side that is not done after its limit says what
came of it until then and ends.
"""

import itertools
import math
import os
import random
import resource
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from asked import MARK, Request, peak, say

SIGMA = 0.7


@dataclass(frozen=True)
class Slept:
    """One trial: who ran it, and when by the monotonic clock, which all processes of a machine share."""

    worker: str
    began: float
    ended: float


_done: list[Slept] = []
_open: dict[str, float] = {}
_mean = [1.0]
_timers: list[threading.Timer] = []
_first = threading.Lock()
_cpu_before: list[float] = []
"""What this process had used when its first trial began: starting it is another measurement."""


def duration(number: int, mean: float) -> float:
    """Log-normal seconds; the longest of 10,000 takes 12 times the mean."""
    return random.Random(f"1-{number}").lognormvariate(math.log(mean) - SIGMA**2 / 2, SIGMA)


def slept(number: int) -> None:
    """Runs the trial of that number in this thread."""
    seconds, worker, began = duration(number, _mean[0]), str(threading.get_ident()), time.monotonic()
    with _first:
        if not _cpu_before:
            _cpu_before.append(time.process_time())
            _timers[0].start()
    _open[worker] = began
    time.sleep(seconds)
    _done.append(Slept(worker, began, time.monotonic()))
    del _open[worker]


def start(request: Request) -> None:
    """From now on trials sleep as the request says, and end the process at its limit of time after the first began."""
    _mean[0] = request["mean"]
    timer = threading.Timer(request["limit"], _cut, [request])
    timer.daemon = True
    _timers.append(timer)


def _cut(request: Request) -> None:
    now = time.monotonic()
    trials = [*list(_done), *(Slept(worker, began, now) for worker, began in list(_open.items()))]
    rate = len(_done) / (now - min(one.began for one in trials))
    say(MARK, {**figures(trials, request["jobs"], until=now), "rate": rate, "stopped": len(_done)})
    os._exit(0)


def finished(request: Request, trials: Sequence[Slept] | None = None) -> dict[str, object]:
    """The answer of a side that is done; `trials` if they were not run in this process."""
    _timers[0].cancel()
    return figures(_done if trials is None else trials, request["jobs"])


def figures(trials: Sequence[Slept], workers: int, until: float | None = None) -> dict[str, object]:
    """The busy share, what was slept over workers x time, is that until the last trial began (or until `until`).

    The tail after it, in which ever fewer trials are left, belongs to the budget and not to the side.
    """
    first, last = min(one.began for one in trials), until or max(one.began for one in trials)
    asleep = sum(max(min(one.ended, last) - one.began, 0.0) for one in trials)
    gaps = _gaps(trials)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = time.process_time() - (_cpu_before or [0.0])[0] + children.ru_utime + children.ru_stime
    return {
        "busy": asleep / (workers * (last - first)) if last > first else 0.0,
        "rate": len(trials) / (last - first) if last > first else 0.0,
        "gap_ms": 1000 * statistics.median(gaps) if gaps else None,
        "cpu_ms": 1000 * cpu / len(trials),
        "bytes": peak(),
    }


def _gaps(trials: Sequence[Slept]) -> list[float]:
    """How long a worker waited between two trials."""
    by_worker: dict[str, list[Slept]] = {}
    for one in sorted(trials, key=lambda one: one.began):
        by_worker.setdefault(one.worker, []).append(one)
    return [b.began - a.ended for own in by_worker.values() for a, b in itertools.pairwise(own)]
