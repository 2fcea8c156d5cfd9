"""A lease: a driver on another host is dead when its heartbeat stood still for so long.

The clock of a server that all drivers share measures that, and says it at once. Where there is none, only the
watcher's own monotonic clock does: wall clocks differ between hosts, jump and are set back.
"""

import os
import time
from collections.abc import Callable, Mapping

from hpo.driver import Driver, Life, life_of
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


def is_over(holder: Holder, lease: float) -> bool:
    """Whether the lease has run out by the clock of the server, so far as there is one."""
    return holder.age is not None and holder.age >= lease


def life_of_holder(holder: Holder, lease: float | None = None) -> Life:
    """Whether the holder lives: as this host knows of its own processes, of others as the server's clock tells.

    UNKNOWN for one elsewhere that gave a sign of life within the lease (that of the environment, if none is given),
    or where there is no such clock.
    """
    life = life_of(Driver.parse(holder.owner))
    if life is Life.UNKNOWN and is_over(holder, lease_seconds(os.environ) if lease is None else lease):
        return Life.DEAD
    return life


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
        if holder is None or is_over(holder, self._lease):
            return Life.DEAD
        seen = (holder.token, holder.heartbeat)
        if self._seen is None:
            self._seen, self._since = seen, self._clock()
            return Life.UNKNOWN
        if seen != self._seen:
            return Life.ALIVE
        if holder.age is not None:
            return Life.UNKNOWN  # the server counts; that this process was stopped meanwhile does not matter to it
        return Life.DEAD if before - self._since >= self._lease else Life.UNKNOWN
