"""What becomes of a trial that uses more time or memory than it may."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import psutil

from hpo.executors.limits import Limits
from hpo.executors.slot_state import Phase, WorkerState
from hpo.trial import Trial

GRACE = 3.0
"""Seconds between SIGTERM and SIGKILL of a trial that took too long."""

BEGIN = 120.0
"""Seconds a worker may take to get ready for a trial that has a timeout, on top of the timeout."""


@dataclass(frozen=True)
class Verdict:
    """Why a trial is to end: reason and text of its outcome, the first signal, seconds until SIGKILL follows."""

    reason: str
    error: str
    signal: int
    grace: float


def judge(limits: Limits, trial: Trial, state: WorkerState, *, now: float, waited: float) -> Verdict | None:
    """What is to be done with a worker that has had a trial for `waited` seconds."""
    if not state.is_of(trial):
        return _never_began(limits, waited)
    if state.phase is Phase.DONE:
        return None
    is_working = state.phase is Phase.INSIDE  # and not waiting for its driver
    if limits.timeout is not None and is_working and now - state.since - state.waited > limits.timeout:
        text = f"ran longer than {limits.timeout:g}s (objective.timeout); its processes were ended"
        return Verdict("timeout", text, signal.SIGTERM, GRACE)
    if limits.memory is not None:
        return _too_large(limits.memory, held(state.pid, more_than=limits.memory))
    return None


def _never_began(limits: Limits, waited: float) -> Verdict | None:
    if limits.timeout is None or waited < limits.timeout + BEGIN:
        return None
    return Verdict("lost", f"its worker was not ready after {waited:.0f}s", signal.SIGKILL, 0.0)


def _too_large(limit: int, size: int) -> Verdict | None:
    if size <= limit:
        return None
    # no SIGTERM first: until the trial has heard it the machine may be out of memory
    text = f"held {ceil(size / 2**20)} MiB of memory, more than the {limit // 2**20} MiB of objective.memory"
    return Verdict("oom", text, signal.SIGKILL, 0.0)


def held(pid: int, *, more_than: int) -> int:
    """Bytes of physical memory that a process and its descendants hold together.

    Resident sizes count pages that processes share once for each, so where their sum is over `more_than` the
    proportional sizes are added instead, which are exact and take longer. 0 where the process is gone.
    """
    try:
        worker = psutil.Process(pid)
        family = [worker, *worker.children(recursive=True)]
    except psutil.Error:
        return 0
    resident = _sum(family, lambda process: process.memory_info().rss)
    if resident <= more_than or len(family) == 1:
        return resident
    return _sum(family, _proportional)


def _proportional(process: psutil.Process) -> int:
    memory = process.memory_full_info()
    return int(getattr(memory, "pss", memory.uss))  # pss: Linux only


def _sum(processes: list[psutil.Process], size: Callable[[psutil.Process], int]) -> int:
    total = 0
    for process in processes:
        try:
            total += size(process)
        except psutil.Error:
            continue
    return total
