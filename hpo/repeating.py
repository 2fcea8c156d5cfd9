"""Repeats what a store in trouble did not do, for as long as somebody is willing to wait."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from trackers.errors import NotAStore, NotPermitted, ReadOnlyStore, StoreBusy, StoreFull, StoreGone, StoreUnavailable

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

HOPELESS = (NotAStore, ReadOnlyStore, NotPermitted, StoreGone)
"""What waiting does not mend."""

SHORTEST_PAUSE, LONGEST_PAUSE = 0.05, 5.0
"""Seconds between two tries, growing from one to the other."""

SAY_AGAIN = 10.0
"""Seconds after which the waiting is said once more; from then on each time the wait has doubled."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for a store, in seconds; `over` says when somebody outside wants an end.

    `clock` and `pause` are time itself, unless a test brings its own.
    """

    retry_for: float
    over: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


class Repeating:
    """Calls what asks a store, again while the store is busy, full or out of reach.

    What is called has to do no harm where it was done already and only the answer was lost. When patience ends, the
    store's error is raised; from then on nobody waits again.
    """

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._is_spent = False

    def __call__(self, act: Callable[[], Answer]) -> Answer:
        """What `act` returns; StoreUnavailable once patience has ended."""
        began = self._patience.clock()
        try:
            return self._try(act)
        except StoreUnavailable as error:
            return self._try_again(error, act, began)

    def _try(self, act: Callable[[], Answer], after: float = 0.0) -> Answer:
        try:
            self._pause(after)
            return act()
        except Exception:
            raise
        except BaseException:  # Ctrl-C, the second time: the driver still has a last word, and it should be short
            self._is_spent = True
            raise

    def _pause(self, seconds: float) -> None:
        """In short parts, for a wish to end may come meanwhile."""
        until = self._patience.clock() + seconds
        while (left := until - self._patience.clock()) > 0 and not self._patience.over():
            self._patience.pause(min(left, SHORTEST_PAUSE))

    def _try_again(self, error: StoreUnavailable, act: Callable[[], Answer], began: float) -> Answer:
        pause, say_at = SHORTEST_PAUSE, 0.0
        while not self._is_over(error, waited := self._patience.clock() - began):
            if waited >= say_at:
                log.warning("%s", _waiting(error, waited, self._patience.retry_for))
                say_at = max(2 * waited, SAY_AGAIN)
            try:
                answer = self._try(act, after=min(pause, max(self._patience.retry_for - waited, 0.0)))
            except StoreUnavailable as again:
                error, pause = again, min(2 * pause, LONGEST_PAUSE)
            else:
                log.warning("the store is back: reconnected after %.0f s", self._patience.clock() - began)
                return answer
        self._is_spent = True
        raise error

    def _is_over(self, error: StoreUnavailable, waited: float) -> bool:
        patience = self._patience
        return self._is_spent or isinstance(error, HOPELESS) or waited >= patience.retry_for or patience.over()


def _waiting(error: StoreUnavailable, waited: float, retry_for: float) -> str:
    if isinstance(error, StoreBusy):
        return f"store busy {waited:.0f} s, waiting" + (f" (pid {error.pid})" if error.pid else "")
    if isinstance(error, StoreFull):
        return f"no space left on {error.path}: waiting {retry_for:.0f} s for some, {waited:.0f} s so far"
    return f"store unreachable, retrying ({waited:.0f} s): {error}"
