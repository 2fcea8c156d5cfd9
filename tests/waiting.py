"""Waiting for what another process or thread does."""

import time
from collections.abc import Callable

PATIENCE = 180.0
"""Seconds after which nothing is expected any more, on a busy machine either."""


def until(condition: Callable[[], object]) -> None:
    """Returns once it holds; fails the test where it never does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.01)
