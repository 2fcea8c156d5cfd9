"""Lets a process have only what others leave of the processor."""

import contextlib
import os
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")


def step_back(nice: int, autogroup: Path = AUTOGROUP) -> None:
    """Makes this process, which leads a session of its own, as nice as that (0 to 19) to all others.

    Linux shares the processor among sessions first and looks at `nice` only within each (sched_autogroup, on by default
    on desktops and many servers), so a session has a niceness too. Without that, nice 19 takes as much as anybody.
    """
    os.nice(nice)
    with contextlib.suppress(OSError):  # another system, or a kernel without sessions' groups: there `nice` is enough
        autogroup.write_text(str(nice))


def step_forward(autogroup: Path = AUTOGROUP) -> None:
    """Takes back what of that can be taken back: the session's niceness, not the process's own."""
    with contextlib.suppress(OSError):
        autogroup.write_text("0")
