"""Named places where a test can kill, stop or fail the program; without one asked for they cost nothing.

`HPO_FAILPOINT=<name>:<action>:<nth>` (several with commas between) acts when this process, or one that it starts,
reaches `name` for the nth time; each process counts for itself. Actions:

    kill9            the process gets SIGKILL
    signal:<NAME>    the process gets that signal and goes on, `signal:SIGTERM`
    raise:<ERRNO>    OSError of that number, `raise:ENOSPC`
    sleep:<seconds>  it goes on later
    wait:<path>      it writes `<path>.reached` and goes on once `<path>` exists

`HPO_FAILPOINT_COUNT=<file>` appends a line with the name for every place reached. Nothing of this is for users.
"""

import errno
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FAILPOINT = "HPO_FAILPOINT"
COUNT = "HPO_FAILPOINT_COUNT"
POLL = 0.005


@dataclass(frozen=True)
class Failpoint:
    """What happens at which place, at its nth passing."""

    name: str
    action: str
    argument: str
    nth: int

    @classmethod
    def parse(cls, text: str) -> "Failpoint":
        """From `<name>:<action>[:<argument>]:<nth>`; ValueError for anything else."""
        parts = text.split(":")
        if len(parts) < 3 or parts[1] not in _ACTIONS or not parts[-1].isdecimal():
            known = ", ".join(_ACTIONS)
            raise ValueError(f"{FAILPOINT} is <name>:<action>:<nth> with an action of {known}; got {text!r}")
        return cls(parts[0], parts[1], ":".join(parts[2:-1]), int(parts[-1]))

    def act(self) -> None:
        """Does it."""
        _ACTIONS[self.action](self.argument)


class _Armed:
    """Counts what is reached, and acts when a place's turn comes."""

    def __init__(self, points: Sequence[Failpoint], count_file: str) -> None:
        self._points = points
        self._reached: Counter[str] = Counter()
        self._file = os.open(count_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) if count_file else -1

    def reach(self, name: str) -> None:
        self._reached[name] += 1
        if self._file >= 0:
            os.write(self._file, f"{name}\n".encode())
        for point in self._points:
            if point.name == name and point.nth == self._reached[name]:
                point.act()


def reach(name: str) -> None:
    """Says that this place was reached."""
    if _armed is not None:
        _armed.reach(name)


def arm(environment: Mapping[str, str]) -> None:
    """Takes the failpoints from these variables, and counts from the start; done once at import with `os.environ`."""
    global _armed  # one process, one answer: places all over the program ask for it
    points = [Failpoint.parse(text) for text in environment.get(FAILPOINT, "").split(",") if text]
    count_file = environment.get(COUNT, "")
    _armed = _Armed(points, count_file) if points or count_file else None


def _kill9(_: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _signal(name: str) -> None:
    os.kill(os.getpid(), signal.Signals[name])


def _raise(name: str) -> None:
    number = int(getattr(errno, name))
    raise OSError(number, os.strerror(number))


def _sleep(seconds: str) -> None:
    time.sleep(float(seconds))


def _wait(path: str) -> None:
    Path(f"{path}.reached").touch()
    while not Path(path).exists():
        time.sleep(POLL)


_ACTIONS = {"kill9": _kill9, "signal": _signal, "raise": _raise, "sleep": _sleep, "wait": _wait}
_armed: _Armed | None = None
arm(os.environ)
