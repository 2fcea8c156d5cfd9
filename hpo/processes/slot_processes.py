"""Finds and ends all processes of a slot, whoever their parent is; run as a script, it does so once the driver died.

Children of a trial escape every simpler way: the kernel's parent-death signal reaches the worker alone, a child may
leave the process group, and one whose parent died belongs to nobody. What they keep is the environment they began with.
"""

import os
import signal
import sys
import time
from contextlib import suppress

import psutil

VARIABLE = "HPO_SLOTS"
"""The environment variable that holds a mark for every slot a process runs in, also of sweeps within trials."""

PATIENCE = 5.0
"""Seconds in which killed processes have to go: one that hangs in the kernel is left to it."""


def marked(mark: str) -> dict[str, str]:
    """What to add to the environment of a process for its descendants to be found by `mark`, or a part of it."""
    return {VARIABLE: os.environ.get(VARIABLE, "") + mark}


def processes_of(mark: str, session: int = 0) -> list[psutil.Process]:
    """Living processes that carry the mark or are in the session (0: none); never the caller."""
    found = []
    for pid in psutil.pids():
        if pid == os.getpid():
            continue
        with suppress(psutil.Error, OSError):  # gone meanwhile, or somebody else's
            process = psutil.Process(pid)
            if mark in process.environ().get(VARIABLE, "") or (session and os.getsid(pid) == session):
                found.append(process)
    return [process for process in found if is_alive(process.pid)]


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not awaited yet does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def send(number: int, mark: str, session: int = 0) -> None:
    """Sends a signal to all processes of a slot."""
    for process in processes_of(mark, session):
        with suppress(psutil.Error):
            process.send_signal(number)


def end_all(mark: str, session: int = 0) -> None:
    """Kills all processes of a slot, also those that begin meanwhile; they are gone on return."""
    deadline = time.monotonic() + PATIENCE
    while (found := processes_of(mark, session)) and time.monotonic() < deadline:
        for process in found:
            with suppress(psutil.Error):
                process.kill()
        # not psutil's wait: it would take the exit codes of our own children, for which loky then waits in vain
        while any(is_alive(process.pid) for process in found) and time.monotonic() < deadline:
            time.sleep(0.001)


def end_slots_of(pid: int) -> None:
    """Kills all processes of all slots of a driver, but neither the driver nor what else it started."""
    with suppress(psutil.Error, OSError):
        driver = psutil.Process(pid)
        own = driver.environ().get(VARIABLE, "")  # a sweep within a trial carries the marks of that trial's slot
        for mark in {_mark_of(child) for child in driver.children()} - {own, ""}:
            end_all(mark)


def _mark_of(process: psutil.Process) -> str:
    try:
        return str(process.environ().get(VARIABLE, ""))
    except (psutil.Error, OSError):
        return ""


def _guard(mark: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()  # nothing is ever sent: this ends when the driver's end is closed
    end_all(mark)


if __name__ == "__main__":
    _guard(sys.argv[1])
