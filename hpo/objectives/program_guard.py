"""Ends the programs of a driver that runs trials in its own process, when that process ends or is killed."""

import atexit
import secrets
import threading
from functools import cache

from hpo.processes.guard import Guard
from hpo.processes.output_log import redirected
from hpo.processes.slot_processes import end_all

_making = threading.Lock()


def process_mark() -> str:
    """What the environment of all programs of this process holds; nothing in a worker, which has a mark of its own."""
    if redirected() is not None:
        return ""
    with _making:
        return _guarded_mark()


@cache
def _guarded_mark() -> str:
    mark = f"{secrets.token_hex(8)}/"
    guard = Guard(mark)

    def end() -> None:
        end_all(mark)
        guard.dismiss()

    atexit.register(end)
    return mark
