"""The objective of a sweep: one call is one trial."""

from collections.abc import Mapping
from typing import Any

from hpo.objective import TrialContext
from hpo.trial import Metrics


def objective(params: Mapping[str, Any], trial: TrialContext) -> float | Metrics:
    """Put your training here; return the sweep's metric, or several metrics by name with it among them.

    Draw random numbers from `trial.seed`; keep files with `trial.log_artifact(path)` and a fitted model with
    `trial.log_model(model)`.
    """
    x, width = params["x"], params["width"]
    loss = (x - 1) ** 2 + (width - 0.5) ** 2 + params.get("corner", 0) / 10
    for step in range(params["steps"]):
        trial.report(step, loss + 1 / (step + 1))  # an intermediate value, on record with its step
    return {"loss": loss, "distance": abs(x - 1)}
