"""Puts pilots into any backend that joblib knows, or that a user registers there (Spark); for a process of its own."""

import importlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

import joblib
import psutil

from hpo.errors import ClusterUnavailable, ConfigError
from hpo.executors.remote.cluster import Cluster
from hpo.executors.remote.placement import LOST, PilotReport, Placement
from hpo.executors.remote.placement_process import FINDING, MAKING, PlacementProcess
from hpo.executors.remote.sent_pilot import sent_pilot
from hpo.failure_text import failure_line, message_line
from hpo.processes.family import below, see_off

ON_THIS_MACHINE = ("loky", "threading", "multiprocessing", "sequential")

CALLED_APART = ("spark",)
"""Backends that hand out results only all together, and to which calls of one task each cost nothing more."""

QUICK = 20.0
"""Seconds: a call of joblib that fails sooner than that may never have reached the backend."""

TRIES = 3
"""Pilots in a row that went so soon."""


class JoblibPlacement:
    """`backend` as joblib has it; `register` is module:function, called first.

    Pilots that are asked for together are one call of `joblib.Parallel`. Where the backend hands results out one by one
    (loky, threading, dask) a lost pilot is known at once; else only when all of its call have ended. Spark's are a call
    each, since joblib gives up a whole call with the first task that fails.
    """

    def __init__(self, *, backend: str, register: str | None) -> None:
        self._backend = backend
        self._ended: SimpleQueue[tuple[PilotReport, bool]] = SimpleQueue()
        self._out = self._failed = 0
        if register is not None:
            _call(register)
        try:
            self._parallel(1)
        except Exception as error:
            raise ConfigError(
                f"parallel.backend: joblib has no backend {backend!r} ({failure_line(error)}); name with "
                "parallel.register what registers it, such as joblibspark:register_spark"
            ) from error

    @property
    def address(self) -> str:
        """Loopback where workers are on this machine; ConfigError where nobody but the user knows."""
        if self._backend not in ON_THIS_MACHINE:
            raise ConfigError(
                "parallel.listen: say at which address of this machine the workers of joblib's "
                f"{self._backend} reach it"
            )
        return "127.0.0.1"

    def place(self, errand: str, count: int) -> None:
        """Runs so many pilots at once, in threads since joblib waits for them."""
        self._out += count
        calls = [1] * count if self._backend in CALLED_APART else [count]
        for size in calls:
            threading.Thread(target=self._run, args=(errand, size), daemon=True).start()

    def ended(self) -> Sequence[PilotReport]:
        """The pilots of which joblib has told; ClusterUnavailable where it reaches nothing any more.

        What `register` has connected (Spark's session) may be dead for good: another process registers anew.
        """
        reports: list[PilotReport] = []
        with suppress(Empty):
            while True:
                report, has_failed_soon = self._ended.get_nowait()
                self._failed = self._failed + 1 if has_failed_soon else 0
                reports.append(report)
        self._out -= len(reports)
        if self._failed >= TRIES and not self._out and not reports:
            raise ClusterUnavailable(f"joblib's {self._backend} runs nothing any more")
        return reports

    def close(self) -> None:
        """Ends workers of loky, which would wait for more for five minutes; the rest ends with this process."""
        started = below(os.getpid())
        see_off([process for process in started if _is_lokys(process)], 0.0)

    def _run(self, errand: str, count: int) -> None:
        began = time.monotonic()
        left, why = count, "joblib gave fewer results than it was asked for"
        try:
            for text in self._results(errand, count):
                self._ended.put((PilotReport.parse(text), False))
                left -= 1
        except Exception as error:
            why = _reason(error)
        for _ in range(left):
            self._ended.put((PilotReport(LOST, why), time.monotonic() - began < QUICK))

    def _results(self, errand: str, count: int) -> Iterable[str]:
        calls = (joblib.delayed(sent_pilot())(errand) for _ in range(count))
        results: Iterable[str] = self._parallel(count)(calls)
        return results

    def _parallel(self, count: int) -> Callable[[Iterable[Any]], Iterable[str]]:
        settings: dict[str, Any] = {"batch_size": 1, "pre_dispatch": "all"}
        least = 1 if self._backend in ON_THIS_MACHINE else 2  # joblib asks no backend for one job, it does that here
        n_jobs = max(count, least)
        with joblib.parallel_config(
            backend=self._backend, n_jobs=n_jobs
        ):  # it knows more backends than Parallel itself
            _raise_errors(joblib.parallel.get_active_backend()[0])
            try:
                one_by_one: Callable[[Iterable[Any]], Iterable[str]]
                one_by_one = joblib.Parallel(return_as="generator_unordered", **settings)
            except ValueError:  # such as ray's
                all_at_once: Callable[[Iterable[Any]], Iterable[str]] = joblib.Parallel(**settings)
                return all_at_once
            return one_by_one


def joblib_placement(backend: str, cluster: Cluster, search_path: Sequence[str] = ()) -> Placement:
    """A backend of joblib, held by a process of its own; what `register` names is looked for in `search_path` first."""
    asked = {"backend": backend, "register": cluster.register}
    seconds = FINDING if backend in ON_THIS_MACHINE else MAKING  # Spark starts a virtual machine, and perhaps a cluster
    kind = f"{__name__}:{JoblibPlacement.__name__}"
    return PlacementProcess(kind, asked, search_path, seconds=seconds, is_over=cluster.is_over)


def _is_lokys(process: psutil.Process) -> bool:
    """Whether it is a worker; what takes away loky's files has to live on."""
    try:
        return any("popen_loky" in word for word in process.cmdline())
    except psutil.Error:
        return False


def _raise_errors(backend: Any) -> None:
    """Raises an error that the backend hands out like a result (Spark's), of which joblib says that it is no list."""
    retrieve = backend.retrieve_result

    def raising(out: object, timeout: float | None = None) -> object:
        result = retrieve(out, timeout)
        error = getattr(result, "exc", None)
        if isinstance(error, BaseException):
            raise error
        return result

    backend.retrieve_result = raising


def _reason(error: Exception) -> str:
    """In one line; the last one where the message is a traceback of the worker's."""
    lines = str(error).strip().splitlines()
    if any(line.startswith("Traceback (most recent call last)") for line in lines):
        return message_line(Exception(lines[-1]))
    return failure_line(error)


def _call(register: str) -> None:
    module, _, name = register.partition(":")
    try:
        getattr(importlib.import_module(module), name)()
    except Exception as error:
        raise ConfigError(f"parallel.register: {register} cannot be called: {failure_line(error)}") from error


_: type[Placement] = JoblibPlacement
