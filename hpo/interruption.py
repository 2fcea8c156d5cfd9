"""How somebody outside, a signal handler for one, asks a running sweep to end."""

import math
import time

GRACE = 10.0
"""Seconds that open trials have to end after the first wish."""


class Interruption:
    """A wish to end that a sweep looks at between its steps; once asked it stays."""

    def __init__(self) -> None:
        self._deadline = math.inf

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
