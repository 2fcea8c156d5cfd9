"""What the machine and a trial's own processes use while it runs: CPU, memory, GPUs, sampled beside it."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

import psutil

from hpo.gpu_metrics import gpu_metrics
from hpo.objective import Surroundings
from hpo.trial import SYSTEM_METRICS, Outcome, Report, Trial

MOST = 200
"""Points of a metric that a trial keeps: of a long one every second, every fourth and so on."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SystemMetrics:
    """Surroundings that sample every `interval` seconds and when the trial ends; `inner` are those inside of them.

    Metrics that MLflow has too are called as it calls them. A point is the mean since the point before it for CPU, and
    what is used at that moment for memory. Its step is how many intervals have passed; the last one comes early, so
    that a short trial has one too.
    """

    interval: float
    inner: Surroundings | None = None

    def prepare(self, load: Callable[[], None]) -> None:
        """Gets the objective ready."""
        if self.inner is None:
            load()
        else:
            self.inner.prepare(load)

    def around(self, trial: Trial, run: Callable[[], Outcome]) -> Outcome:
        """Runs the trial with a thread beside it."""
        with _sampling(self.interval) as samples:
            outcome = run() if self.inner is None else self.inner.around(trial, run)
        return replace(outcome, reports=(*outcome.reports, *samples.reports()))


@contextmanager
def _sampling(interval: float) -> Iterator["_Samples"]:
    samples, over = _Samples(), threading.Event()

    def sample() -> None:
        while not over.wait(interval * samples.stride):
            samples.take()

    thread = threading.Thread(target=sample, name="hpo-system-metrics", daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()
        samples.take()


@dataclass
class _Samples:
    """The points so far; `stride` is of how many intervals one is kept."""

    stride: int = 1
    _step: int = 0
    _points: list[tuple[int, int, Mapping[str, float]]] = field(default_factory=list)
    _before: "_Used" = field(default_factory=lambda: _used())

    def take(self) -> None:
        """Adds a point."""
        now = _used()
        values = {**_between(self._before, now), **_memory(), **gpu_metrics()}
        self._points.append((self._step, int(time.time() * 1000), values))
        self._before = now
        if len(self._points) >= MOST:
            del self._points[1::2]
            self.stride *= 2
        self._step = self._points[-1][0] + self.stride

    def reports(self) -> list[Report]:
        """All points, as what a trial reports."""
        return [
            Report(f"{SYSTEM_METRICS}{name}", value, step, timestamp)
            for step, timestamp, values in self._points
            for name, value in values.items()
        ]


@dataclass(frozen=True)
class _Used:
    """Seconds of processor time that were spent until now: by the machine, all and idle, and by our processes."""

    clock: float
    all: float
    idle: float
    own: float
    memory: float


def _used() -> _Used:
    machine = psutil.cpu_times()
    idle = machine.idle + getattr(machine, "iowait", 0.0)
    own, memory = 0.0, 0.0
    for process in _own_processes():
        with suppress(psutil.Error):  # ended meanwhile; its parent then has its time
            spent = process.cpu_times()
            own += spent.user + spent.system + spent.children_user + spent.children_system
            memory += process.memory_info().rss
    # guests' time is in that of users already
    everything = sum(machine) - getattr(machine, "guest", 0.0) - getattr(machine, "guest_nice", 0.0)
    return _Used(time.monotonic(), everything, idle, own, memory)


def _own_processes() -> list[psutil.Process]:
    this = psutil.Process(os.getpid())
    try:
        return [this, *this.children(recursive=True)]
    except psutil.Error:
        return [this]


def _between(before: _Used, now: _Used) -> dict[str, float]:
    passed, all_spent = now.clock - before.clock, now.all - before.all
    busy = 1 - (now.idle - before.idle) / all_spent if all_spent > 0 else 0.0
    own = (now.own - before.own) / passed if passed > 0 else 0.0
    return {
        "cpu_utilization_percentage": _percent(min(busy, 1.0)),
        "process_cpu_percentage": _percent(own),
        "process_memory_megabytes": round(now.memory / 1e6, 1),
    }


def _memory() -> dict[str, float]:
    memory = psutil.virtual_memory()
    return {
        "system_memory_usage_megabytes": round(memory.used / 1e6, 1),
        "system_memory_usage_percentage": _percent(memory.used / memory.total),
    }


def _percent(share: float) -> float:
    return round(max(0.0, share) * 100, 1)


_: type[Surroundings] = SystemMetrics
