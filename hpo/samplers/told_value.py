"""The one place that decides which results are values an engine may learn from."""

import math

from hpo.trial import Result, State


def told_value(result: Result) -> float | None:
    """The value of a complete trial; None where there is none, and where it is not finite."""
    if result.state is not State.COMPLETE or result.value is None or not math.isfinite(result.value):
        return None
    return float(result.value)
