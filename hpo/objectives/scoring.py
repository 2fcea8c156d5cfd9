"""Scorers by name: scikit-learn's, and errors under the names people use for them."""

from collections.abc import Callable, Sequence

from sklearn.metrics import get_scorer, get_scorer_names

from hpo.errors import ObjectiveError
from hpo.objectives.nearest import did_you_mean

Scorer = Callable[[object, object, object], float]

ERRORS = {
    "rmse": "neg_root_mean_squared_error",
    "mae": "neg_mean_absolute_error",
    "mse": "neg_mean_squared_error",
    "mape": "neg_mean_absolute_percentage_error",
    "log_loss": "neg_log_loss",
    "brier": "neg_brier_score",
}
"""Names that give the error itself, where less is better; scikit-learn's own scorers give its negative."""


TIMES = {"fit_seconds": "fit_time", "score_seconds": "score_time"}
"""What a fold's fit and scoring take, and what scikit-learn's cross_validate calls that; never the same twice."""


def scorers_of(names: Sequence[str]) -> dict[str, Scorer]:
    """scikit-learn's scorers for these names, times left out; ObjectiveError that lists all unknown ones."""
    known = sorted({*ERRORS, *TIMES, *get_scorer_names()})
    unknown = [name for name in names if name not in known]
    if unknown:
        hints = [f"there is no scorer {name!r}{did_you_mean(name, known)}" for name in unknown]
        raise ObjectiveError("\n".join(f"scoring: {hint}; all: {', '.join(known)}" for hint in hints))
    return {name: get_scorer(ERRORS.get(name, name)) for name in names if name not in TIMES}


def as_named(name: str, score: float) -> float:
    """The score as its name promises: positive for `rmse` and its like."""
    return -float(score) if name in ERRORS else float(score)
