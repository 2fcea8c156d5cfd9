"""How often somebody may be wrong about a token or a password."""

import time
from collections import deque
from collections.abc import Callable

WRONG = 10
WRONG_IN_ALL = 300
WITHIN = 60.0
_MOST_CLIENTS = 10_000


class Throttle:
    """Counts failures of the last minute, by client and in all; only those who fail wait."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: dict[str, deque[float]] = {}
        self._all: deque[float] = deque()

    def wait(self, client: str) -> int:
        """Seconds until the client may try again; 0 for now."""
        now = self._clock()
        own, every = self._failures.get(client, deque()), self._all
        for failures in (own, every):
            while failures and failures[0] <= now - WITHIN:
                failures.popleft()
        waits = [
            failures[0] + WITHIN - now
            for failures, most in ((own, WRONG), (every, WRONG_IN_ALL))
            if len(failures) >= most
        ]
        return int(max(waits)) + 1 if waits else 0

    def failed(self, client: str) -> None:
        """The client was wrong."""
        if len(self._failures) >= _MOST_CLIENTS:
            self._failures.clear()  # the count of all still holds
        self._failures.setdefault(client, deque()).append(self._clock())
        self._all.append(self._clock())
