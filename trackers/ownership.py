"""The Ownership protocol: which driver a sweep has, and how another one takes over."""

from dataclasses import dataclass
from typing import Protocol

from trackers.records import Fence


@dataclass(frozen=True)
class Holder:
    """Who drives a sweep: a text that the driver says of itself, and signs of its life.

    `token` changes with every claim, `heartbeat` with every beat. Neither is a time: clocks differ and jump. `age` is
    how many seconds ago the last of them came, by the clock of a server that all share; None where there is none.
    """

    owner: str
    token: str
    heartbeat: int = 0
    stop_asked: bool = False
    age: float | None = None


class Ownership(Protocol):
    """At most one driver for each sweep. Every method is one transaction."""

    def claim(self, sweep_id: str, owner: str, *, taking_from: str | None) -> Fence:
        """Makes `owner` the driver, if the sweep is still held as the caller saw it: the right to record changes.

        `taking_from` is the token of the holder that is to lose it, None for a sweep that nobody holds. `AlreadyOwned`
        where somebody else was faster. The sweep's run need not be on record yet.
        """
        ...

    def holder(self, sweep_id: str) -> Holder | None:
        """Who drives the sweep; None for nobody. A driver that died without a word still stands here."""
        ...

    def beat(self, fence: Fence) -> bool:
        """Says that the driver lives; whether it was asked to stop. `FencedOff` where it is no longer the driver."""
        ...

    def release(self, fence: Fence) -> None:
        """The driver ends and nobody holds the sweep; nothing happens where it is no longer the driver."""
        ...

    def ask_to_stop(self, sweep_id: str) -> bool:
        """Asks the driver to end; whether there is one."""
        ...
