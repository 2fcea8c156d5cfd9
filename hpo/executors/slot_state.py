"""What a worker process is doing, in a few bytes that its driver can read after it died."""

import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from hpo.trial import Trial

_LAYOUT = struct.Struct("<qqqqdd")


class Phase(IntEnum):
    """How far a worker got with a trial."""

    READY = 0
    INSIDE = 1
    DONE = 2
    ASKING = 3


@dataclass(frozen=True)
class WorkerState:
    """A worker's pid, and the attempt it entered last: `since` is when, on the monotonic clock of the machine.

    `waited` are the seconds for which the attempt has waited for replies of its driver.
    """

    pid: int = 0
    phase: Phase = Phase.READY
    number: int = -1
    attempt: int = 0
    since: float = 0.0
    waited: float = 0.0

    def is_of(self, trial: Trial) -> bool:
        """Whether the worker entered this very attempt."""
        return self.phase is not Phase.READY and (self.number, self.attempt) == (trial.number, trial.attempt)


class StateReader:
    """The driver's side; the file stays open, so that a look costs a few microseconds."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    def read(self) -> WorkerState:
        """What the worker wrote last; nothing in particular where it has not begun."""
        content = os.pread(self._file, _LAYOUT.size, 0)
        if len(content) != _LAYOUT.size:
            return WorkerState()
        pid, phase, number, attempt, since, waited = _LAYOUT.unpack(content)
        return WorkerState(pid, Phase(phase), number, attempt, since, waited)

    def close(self) -> None:
        """Closes the file."""
        os.close(self._file)


class StateFile:
    """The worker's side: one small write (about 2 microseconds) at the begin and the end of a trial."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY)
        self._since = 0.0
        self._waited = 0.0
        self._trial = Trial(-1, {}, 0, attempt=0)
        self._write(Phase.READY, -1, 0)

    def enter(self, trial: Trial) -> None:
        """The trial's objective is about to be called."""
        self._since, self._waited, self._trial = time.monotonic(), 0.0, trial
        self._write(Phase.INSIDE, trial.number, trial.attempt)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """The trial waits for its driver, which may be busy: that time is not the trial's own."""
        began = time.monotonic()
        self._write(Phase.ASKING, self._trial.number, self._trial.attempt)
        try:
            yield
        finally:
            self._waited += time.monotonic() - began
            self._write(Phase.INSIDE, self._trial.number, self._trial.attempt)

    def leave(self, trial: Trial) -> None:
        """The trial's outcome is known."""
        self._write(Phase.DONE, trial.number, trial.attempt)

    def _write(self, phase: Phase, number: int, attempt: int) -> None:
        os.pwrite(self._file, _LAYOUT.pack(os.getpid(), phase, number, attempt, self._since, self._waited), 0)
