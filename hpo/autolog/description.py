"""Describes one fit of a scikit-learn compatible estimator: what it was, how well it knows its rows, what it uses."""

import csv
import io
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from sklearn.base import is_classifier, is_regressor

from hpo.autolog.described_model import Description
from hpo.autolog.importances import Importances, importances_of
from hpo.autolog.parameters import class_of, parameters_of, plain
from hpo.autolog.pictures import confusion_picture, importance_picture, residual_picture
from hpo.autolog.training_scores import Predicted, predicted, scores_of

BARS, DOTS, CLASSES = 20, 1000, 30
"""How much a picture shows: bars of the most important features, dots of residuals, classes."""

Found = TypeVar("Found")

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted estimator and the rows it was fitted on; `y` is None where nothing is to be predicted."""

    estimator: object
    x: object
    y: object = None
    weights: object = None

    @property
    def kind(self) -> str:
        """What it is: classifier, regressor, or an empty text."""
        try:
            if is_classifier(self.estimator):
                return "classifier"
            return "regressor" if is_regressor(self.estimator) else ""
        except Exception:  # an estimator that inherits nothing of scikit-learn's cannot be asked
            return ""


def describe(fit: Fit, scores: Callable[[], Mapping[str, float]] | None = None) -> Description:
    """Files and metrics; a part that cannot be had is named in `estimator.json` and costs no other one.

    `scores` gives the metrics that are wanted, by their own names; else they are those of MLflow's autologging.
    """
    missing: dict[str, str] = {}
    known = None
    if fit.kind and fit.y is not None:
        known = _tried("predictions", partial(predicted, fit.estimator, fit.x, fit.y), missing)
    usual = partial(scores_of, fit.estimator, fit.x, fit.y, fit.kind, known, fit.weights)
    found = _tried("scores", scores or usual, missing) or {}
    metrics = {f"training_{name}": float(value) for name, value in found.items()}
    importances = _tried("feature importances", partial(importances_of, fit.estimator, fit.x), missing)
    files = {
        **(_tried("search results", partial(_search_files, fit.estimator), missing) or {}),
        **(_tried("feature importances", partial(_importance_files, importances), missing) or {}),
        **(_tried("predictions", partial(_prediction_files, fit.kind, known), missing) or {}),
    }
    facts = {**_facts(fit), "metrics": plain(metrics), **({"missing": missing} if missing else {})}
    return Description({"estimator.json": _json(facts), **files}, metrics)


def _tried(name: str, make: Callable[[], Found], missing: dict[str, str]) -> Found | None:
    try:
        return make()
    except Exception as error:  # whatever foreign estimators raise when they are looked at
        missing[name] = f"{type(error).__name__}: {error}"[:500]
        log.debug("a fit is described without its %s", name, exc_info=True)
        return None


def _facts(fit: Fit) -> dict[str, object]:
    shape = getattr(fit.x, "shape", ()) or ()
    found = {
        name.removesuffix("_"): plain(getattr(fit.estimator, name))
        for name in ("best_params_", "best_score_", "best_index_")
        if hasattr(fit.estimator, name)
    }
    return {
        "class": class_of(fit.estimator),
        "kind": fit.kind or "other",
        "shape": [int(size) for size in shape],
        "params": parameters_of(fit.estimator),
        **found,
    }


def _importance_files(importances: Importances | None) -> Mapping[str, str]:
    if importances is None:
        return {}
    title = "coefficients" if importances.kind == "coef_" else "feature importances"
    title += ", mean size over the classes" if len(importances.values) > 1 else ""
    picture = importance_picture(importances.features[:BARS], importances.weights[:BARS], title)
    return {"feature_importances.json": _json(importances.as_json()), "feature_importances.svg": picture}


def _prediction_files(kind: str, known: Predicted | None) -> Mapping[str, str]:
    if known is None or not known.is_single or len(known.true) == 0:
        return {}
    return _confusion(known) if kind == "classifier" else _residuals(known)


def _confusion(known: Predicted) -> Mapping[str, str]:
    labels, codes = np.unique(np.concatenate([known.true, known.found]), return_inverse=True)
    if len(labels) > CLASSES:
        return {}
    true, found = codes[: len(known.true)], codes[len(known.true) :]
    counts = np.bincount(true * len(labels) + found, minlength=len(labels) ** 2).reshape(len(labels), -1).tolist()
    names = [str(label) for label in labels]
    picture = confusion_picture(names, counts, "confusion matrix, on the rows of the fit")
    return {"confusion_matrix.json": _json({"labels": names, "counts": counts}), "confusion_matrix.svg": picture}


def _residuals(known: Predicted) -> Mapping[str, str]:
    every = max(1, -(-len(known.true) // DOTS))  # an even sample, and the same one each time
    found = known.found[::every].astype(float)
    residuals = known.true[::every].astype(float) - found
    usable = np.isfinite(found) & np.isfinite(residuals)
    if not usable.any():
        return {}
    shown = "on the rows of the fit" if every == 1 else f"on every {every}th row of the fit"
    return {
        "residuals.svg": residual_picture(found[usable].tolist(), residuals[usable].tolist(), f"residuals, {shown}")
    }


def _search_files(estimator: object) -> Mapping[str, str]:
    """The table of a search over parameters, such as GridSearchCV's."""
    results = getattr(estimator, "cv_results_", None)
    if not isinstance(results, Mapping) or not results:
        return {}
    names = [name for name in results if name != "params"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(zip(*([plain(cell) for cell in results[name]] for name in names), strict=True))
    return {"cv_results.csv": text.getvalue()}


def _json(content: object) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
