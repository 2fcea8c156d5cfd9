"""How much of its slots' time a sweep lost because the window held its next trial back."""

import time
from collections.abc import Callable

from hpo.plan import Plan

WORTH_TELLING = 0.15
"""Share of the slots' time from which on another window is advised, in sweeps that lost some seconds in all."""
SECONDS = 10.0


class IdleSlots:
    """Adds up the time that free slots waited for the window; told at each turn how many do from then on."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock()
        self._slots = self._idle = 0
        self._slot_seconds = self._idle_seconds = 0.0

    def note(self, *, idle: int, slots: int) -> None:
        """From now on so many of the slots have nothing to do until the window lets the next trial start."""
        now = self._clock()
        self._slot_seconds += (now - self._since) * self._slots
        self._idle_seconds += (now - self._since) * self._idle
        self._since, self._slots, self._idle = now, slots, idle

    def advice(self, plan: Plan) -> str:
        """What would keep the slots busier, empty where it is not worth a word."""
        if self._idle_seconds < SECONDS or self._idle_seconds < WORTH_TELLING * self._slot_seconds:
            return ""
        share, size = 100 * self._idle_seconds / self._slot_seconds, plan.window
        wider = f"a larger one, such as {4 * (size or 1)}, keeps them busier and changes no trial"
        if plan.learns:  # with a larger one more trials end in the same time, and still the best is found later
            wider = "window: free lets none wait and learns sooner, but such a sweep does not repeat trial for trial"
        return f"{share:.0f} % of the slots' time went by waiting for parallel.window ({size}): {wider}"
