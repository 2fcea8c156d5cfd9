"""The processes below one: gone, before what they write to is taken away."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress

import psutil

from hpo.processes.slot_processes import PATIENCE, is_alive


def below(pid: int) -> list[psutil.Process]:
    """All that this process has started, and they in turn; to be asked for while it lives."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def see_off(processes: Sequence[psutil.Process], seconds: float) -> None:
    """Gives processes so long to end by themselves, then kills them; what hangs in the kernel is left to it."""
    _wait(processes, seconds)
    for process in processes:
        if process.pid != os.getpid():
            with suppress(psutil.Error):
                process.kill()
    _wait(processes, PATIENCE)


def _wait(processes: Sequence[psutil.Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds  # not psutil's wait: who was orphaned may stay a zombie
    while any(is_alive(process.pid) for process in processes) and time.monotonic() < deadline:
        time.sleep(0.01)
