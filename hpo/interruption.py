"""How somebody outside, a signal handler for one, asks a running sweep to end."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

GRACE = 10.0
"""Seconds that open trials have to end after the first wish."""


class Interruption:
    """A wish to end that a sweep looks at between its steps; once asked it stays.

    It also knows whether the work may be broken off by an exception right now. That is so until something stands half
    on record (`shielded`); within that, only while it waits for trials (`waiting`).
    """

    def __init__(self) -> None:
        self._deadline = math.inf
        self._is_breakable = True
        self._is_waiting = False

    def ask(self, grace: float) -> None:
        """No more trials are to be asked for; those that are open have this many seconds to end."""
        self._deadline = min(self._deadline, time.monotonic() + grace)

    @property
    def asked(self) -> bool:
        """Whether the sweep is to ask for no more trials."""
        return self._deadline < math.inf

    @property
    def over(self) -> bool:
        """Whether the open trials have had their time."""
        return time.monotonic() >= self._deadline

    @property
    def overdue(self) -> float:
        """For how many seconds they have had it; below 0 as long as they have not."""
        return time.monotonic() - self._deadline

    @property
    def is_breakable(self) -> bool:
        """Whether an exception from outside does no harm now; certain only for the thread that does the work."""
        return self._is_breakable or self._is_waiting

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for trials, or runs one."""
        return self._is_waiting

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """What is done inside must not be broken off; nor what comes after, if a wish to end came meanwhile."""
        before, self._is_breakable = self._is_breakable, False
        try:
            yield
        finally:
            self._is_breakable = before and not self.asked

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Waiting for trials, which may be broken off."""
        self._is_waiting = True
        try:
            yield
        finally:
            self._is_waiting = False
