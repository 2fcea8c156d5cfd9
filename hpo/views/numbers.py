"""Numbers and times for strict JSON, which knows neither NaN nor infinity."""

import contextlib
from collections.abc import Mapping

LARGEST = 1.7976931348623157e308
"""How MLflow's tables keep infinity."""


def finite(value: object) -> float | None:
    """The number; None where it is none, or not a finite one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if -LARGEST < value < LARGEST else None  # NaN compares as false


def finite_in(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Metrics by name, None for those that are not finite."""
    return {name: finite(value) for name, value in metrics.items()}


def number_of(text: str | None) -> float | None:
    """The finite number that a tag holds, else None."""
    with contextlib.suppress(TypeError, ValueError):
        return finite(float(text or ""))
    return None


def whole_of(text: str | None) -> int | None:
    """The whole number that a tag holds, else None."""
    with contextlib.suppress(TypeError, ValueError):
        return int(text or "")
    return None


def seconds_between(started: int | None, ended: float | None) -> float | None:
    """Seconds from one time in milliseconds to another, never below 0; None where one is not known, or no number."""
    begun, over = finite(started), finite(ended)
    return None if begun is None or over is None else max(0.0, (over - begun) / 1000)
