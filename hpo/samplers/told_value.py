"""The one place that decides which results are values an engine may learn from."""

import math

from hpo.trial import Result, State


def told_value(result: Result) -> float | None:
    """The value of a complete trial; None where there is none, and where it is not finite."""
    if result.state is not State.COMPLETE or result.value is None or not math.isfinite(result.value):
        return None
    return float(result.value)


def told_values(result: Result) -> tuple[float, ...] | None:
    """The values of all metrics of a complete trial, one where there is one; None as `told_value` says."""
    values = result.values or (() if result.value is None else (result.value,))
    if result.state is not State.COMPLETE or not values or not all(map(math.isfinite, values)):
        return None
    return tuple(map(float, values))
