"""Which features a fitted estimator goes by: its `feature_importances_`, or its `coef_`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST = 1000
"""Features that are written down, the most important ones: a text has a hundred thousand."""


@dataclass(frozen=True)
class Importances:
    """Features, the most important first. `values` has a row for each class (or target) where `labels` names them.

    `kind` is `feature_importances_` or `coef_`, `total` how many features there were.
    """

    kind: str
    features: Sequence[str]
    values: Sequence[Sequence[float]]
    labels: Sequence[str]
    total: int

    @property
    def weights(self) -> list[float]:
        """One number a feature: its own, or where there are several rows the mean of their sizes."""
        if len(self.values) == 1:
            return list(self.values[0])
        return [sum(abs(value) for value in column) / len(column) for column in zip(*self.values, strict=True)]

    def as_json(self) -> dict[str, object]:
        """By feature, and by class where there are several."""
        rows = [dict(zip(self.features, row, strict=True)) for row in self.values]
        values: object = dict(zip(self.labels, rows, strict=True)) if self.labels else rows[0]
        left_out = {"left_out": self.total - len(self.features)} if self.total > len(self.features) else {}
        return {"kind": self.kind, "features": values, **left_out}


def importances_of(estimator: object, x: object) -> Importances | None:
    """What the estimator, or the last step of a pipeline, or the best of a search, says; None where it says nothing."""
    model, names = _innermost(estimator, _columns(x))
    for kind in ("feature_importances_", "coef_"):
        values = _rows(model, kind)
        if values is not None:
            return _sorted(kind, values, _names(names, values.shape[1]), _labels(model, len(values)))
    return None


def _innermost(estimator: object, names: Sequence[str] | None) -> tuple[object, Sequence[str] | None]:
    """The estimator that has been fitted last, and the names of the features that reached it."""
    for inner in ("best_estimator_", "regressor_"):
        found = getattr(estimator, inner, None)
        if found is not None:
            return _innermost(found, names)
    steps = getattr(estimator, "steps", None)
    if not steps:
        return estimator, names
    return _innermost(steps[-1][1], _names_after(estimator, names))


def _names_after(pipeline: object, names: Sequence[str] | None) -> Sequence[str] | None:
    steps = getattr(pipeline, "steps")  # noqa: B009  # it is a pipeline
    if len(steps) == 1:
        return names
    try:
        before = pipeline[:-1]  # type: ignore[index]  # as pipelines do
        return [str(name) for name in before.get_feature_names_out(names)]
    except Exception:  # many transformers cannot tell
        return None


def _columns(x: object) -> Sequence[str] | None:
    columns = getattr(x, "columns", None)
    return None if columns is None else [str(column) for column in columns]


def _rows(model: object, kind: str) -> NDArray[np.float64] | None:
    try:
        found = getattr(model, kind, None)
    except Exception:  # a property that holds for some settings only, such as a linear kernel
        return None
    if found is None:
        return None
    dense = found.toarray() if hasattr(found, "toarray") else found
    try:
        values = np.atleast_2d(np.asarray(dense, dtype=float))
    except (TypeError, ValueError):
        return None
    return values if values.ndim == 2 and values.size else None


def _names(names: Sequence[str] | None, count: int) -> Sequence[str]:
    return names if names is not None and len(names) == count else [f"x{index}" for index in range(count)]


def _labels(model: object, rows: int) -> Sequence[str]:
    if rows == 1:
        return ()
    classes = getattr(model, "classes_", None)
    known = classes is not None and len(classes) == rows
    return [str(label) for label in classes] if known and classes is not None else [str(row) for row in range(rows)]


def _sorted(kind: str, values: NDArray[np.float64], names: Sequence[str], labels: Sequence[str]) -> Importances:
    values = np.nan_to_num(values)
    order = np.argsort(-np.abs(values).mean(axis=0), kind="stable")[:MOST]
    features = list(dict.fromkeys(names[index] for index in order))
    if len(features) < len(order):  # two columns of one name
        features = [f"{names[index]} ({index})" for index in order]
    return Importances(kind, features, values[:, order].tolist(), labels, values.shape[1])
