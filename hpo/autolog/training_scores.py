"""How well a fitted estimator knows the rows it was fitted on, under the names that MLflow's autologging gives."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.base import ClassifierMixin, RegressorMixin


@dataclass(frozen=True, eq=False)
class Predicted:
    """What is true and what was predicted, row by row."""

    true: NDArray[np.generic]
    found: NDArray[np.generic]

    @property
    def is_single(self) -> bool:
        """Whether there is one value a row."""
        return self.true.ndim == 1 and self.found.ndim == 1


def predicted(estimator: object, x: object, y: object) -> Predicted:
    """What the estimator says of its own rows; what it raises passes through."""
    true, found = np.asarray(y), np.asarray(estimator.predict(x))  # type: ignore[attr-defined]  # it has one
    if true.ndim == 2 and true.shape[1] == 1:
        true = true[:, 0]
    return Predicted(true, found[:, 0] if found.ndim == 2 and found.shape[1] == 1 and true.ndim == 1 else found)


def scores_of(
    estimator: object, x: object, y: object, kind: str, known: Predicted | None, weights: object = None
) -> Mapping[str, float]:
    """`score`, and the scores that suit a classifier or a regressor."""
    found: dict[str, float] = {}
    if known is not None and kind:
        found = _classifier_scores(estimator, x, known, weights) if kind == "classifier" else _errors(known, weights)
    usual = "accuracy_score" if kind == "classifier" else "r2_score"
    if _has_usual_score(estimator) and usual in found:
        return {"score": found[usual], **found}
    score = getattr(estimator, "score", None)
    return {"score": float(score(x) if y is None else score(x, y)), **found} if callable(score) else found


def _has_usual_score(estimator: object) -> bool:
    """Whether its `score` is what scikit-learn's classifiers and regressors inherit, which is known already."""
    return getattr(type(estimator), "score", None) in (ClassifierMixin.score, RegressorMixin.score)


def _classifier_scores(estimator: object, x: object, known: Predicted, weights: object) -> dict[str, float]:
    pair = (known.true, known.found)
    average: Mapping[str, object] = {"average": "weighted", "zero_division": 0, "sample_weight": weights}
    found = {
        "accuracy_score": float(metrics.accuracy_score(*pair, sample_weight=weights)),
        "precision_score": float(metrics.precision_score(*pair, **average)),
        "recall_score": float(metrics.recall_score(*pair, **average)),
        "f1_score": float(metrics.f1_score(*pair, **average)),
    }
    predict_proba = getattr(estimator, "predict_proba", None)
    if known.is_single and callable(predict_proba):
        found |= _probability_scores(known.true, np.asarray(predict_proba(x)), weights)
    return found


def _probability_scores(true: NDArray[np.generic], shares: NDArray[np.float64], weights: object) -> dict[str, float]:
    labels = np.unique(true)
    if len(labels) < 2 or shares.ndim != 2 or shares.shape[1] != len(labels):
        return {}
    shown = shares[:, 1] if len(labels) == 2 else shares
    area = metrics.roc_auc_score(true, shown, average="weighted", multi_class="ovo", sample_weight=None)
    return {"log_loss": float(metrics.log_loss(true, shares, sample_weight=weights)), "roc_auc": float(area)}


def _errors(known: Predicted, weights: object) -> dict[str, float]:
    pair = (known.true, known.found)
    square = float(metrics.mean_squared_error(*pair, sample_weight=weights))
    return {
        "mean_squared_error": square,
        "root_mean_squared_error": square**0.5,
        "mean_absolute_error": float(metrics.mean_absolute_error(*pair, sample_weight=weights)),
        "r2_score": float(metrics.r2_score(*pair, sample_weight=weights)),
    }
