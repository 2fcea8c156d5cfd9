"""A lease: a driver on another host is dead when its heartbeat stood still for so long.

Only the watcher's own monotonic clock measures that. Wall clocks differ between hosts, jump and are set back.
"""

import time
from collections.abc import Callable, Mapping

from hpo.driver import Life
from hpo.errors import ConfigError
from trackers.ownership import Holder

LEASE = 60.0
"""Seconds without a heartbeat after which a driver counts as dead."""
BEATS = 4
"""Heartbeats in a lease: so many may fail, less one, before somebody thinks the driver dead."""
VARIABLE = "HPO_LEASE"


def lease_seconds(environment: Mapping[str, str]) -> float:
    """The lease that `HPO_LEASE` sets, in seconds, else 60. Every driver of a store has to have the same."""
    text = environment.get(VARIABLE, "")
    try:
        seconds = float(text or LEASE)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ConfigError(f"${VARIABLE} must be a number of seconds above 0, got {text!r}")
    return seconds


class LeaseWatch:
    """Watches one holder; `look` says what is known of its life by now."""

    def __init__(self, lease: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._lease = lease
        self._clock = clock
        self._seen: tuple[str, int] | None = None
        self._since = 0.0

    def look(self, read: Callable[[], Holder | None]) -> Life:
        """ALIVE where the heartbeat changed since the first look, DEAD where it stood still for a lease.

        DEAD too where nobody holds the sweep any more.
        """
        before = self._clock()  # not after reading: this process may be stopped in between, and wake up late
        holder = read()
        if holder is None:
            return Life.DEAD
        seen = (holder.token, holder.heartbeat)
        if self._seen is None:
            self._seen, self._since = seen, self._clock()
            return Life.UNKNOWN
        if seen != self._seen:
            return Life.ALIVE
        return Life.DEAD if before - self._since >= self._lease else Life.UNKNOWN
