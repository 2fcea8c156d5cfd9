"""Hosts that cannot work for this driver, and why: said once each where others can, an error where none can."""

import logging
import threading
import time

from hpo.errors import ConfigError, ObjectiveError

log = logging.getLogger(__name__)

OTHERS = 3
"""How many pilots are placed again for those that were refused: as many hosts may be unfit before a fit one is met."""

STRAGGLERS = 20.0
"""Seconds that hosts have to say that they are there once the first one was turned away."""

SHOWN = 3


class Unfit:
    """Why hosts were turned away; all methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._why: dict[str, bool] = {}
        self._is_broken = self._is_said = False
        self._since = 0.0

    def __bool__(self) -> bool:
        return bool(self._why)

    def __str__(self) -> str:
        return "\n".join(list(self._why)[:SHOWN])

    @property
    def seconds(self) -> float:
        """Since the first one was turned away; 0 where none was."""
        return time.monotonic() - self._since if self._why else 0.0

    @property
    def error(self) -> ObjectiveError | ConfigError:
        """What to raise where no host can work: is it the objective, or the cluster."""
        return ObjectiveError(str(self)) if self._is_broken else ConfigError(str(self))

    def add(self, text: str, *, is_broken: bool = False) -> None:
        """One more was turned away; `is_broken` where it is the objective that cannot be run there."""
        with self._lock:
            self._since = self._since or time.monotonic()
            self._is_broken = self._is_broken or (is_broken and not self._why)
            self._why.setdefault(text, False)
            self._say()

    def say(self) -> None:
        """From now on each reason is a warning, once: other hosts are there."""
        with self._lock:
            self._is_said = True
            self._say()

    def _say(self) -> None:
        for text, was_said in self._why.items():
            if self._is_said and not was_said:
                log.warning("a host of the cluster is not used: %s", text)
                self._why[text] = True
