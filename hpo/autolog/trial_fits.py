"""The fits of one trial that are logged without being asked for one by one: described, and the last model offered."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from hpo.autolog.described_model import AUTOLOG
from hpo.autolog.description import Fit, describe
from hpo.autolog.mlflow_flavors import library_of, mlflow_aside, saved_by_mlflow
from hpo.autolog.sessions import Given, telling
from hpo.gathered import Gathered, OfferedModel
from hpo.trial import Report

MOST = 10
"""Fits of a trial that are described as they come; of further ones only the last."""
EXAMPLE_ROWS = 5
COUNT_TAG = "hpo.autolog"
"""On a trial: how many fits it had."""

log = logging.getLogger(__name__)


@contextmanager
def logged_fits(gathered: Gathered, metric: str, folder: Callable[[], Path]) -> Iterator[None]:
    """Logs the fits of this thread inside the block; what goes wrong with that is said on the trial's run.

    `metric` is the sweep's own, of which nothing is reported here; `folder` gives a scratch folder of the trial.
    """
    fits = _TrialFits(gathered, metric, folder)
    try:
        with telling(fits.told):
            yield
    finally:
        fits.finish()


class _TrialFits:
    """What becomes of each fit."""

    def __init__(self, gathered: Gathered, metric: str, folder: Callable[[], Path]) -> None:
        self._gathered = gathered
        self._metric = metric
        self._folder = folder
        self._count = 0
        self._last: Fit | None = None
        self._texts: dict[str, str] = {}

    def told(self, estimator: object, given: Given) -> None:
        """A fit that has ended; transformers on their own are no models, and left out."""
        with self._forgiven(f"a fit of {type(estimator).__name__}"):
            if not (hasattr(estimator, "predict") or hasattr(estimator, "fit_predict")):
                return
            self._last = _fit(estimator, given())
            self._count += 1
            if self._count <= MOST:
                self._describe(self._last)

    def finish(self) -> None:
        """Saves the descriptions, and offers the model of the last fit where the objective offers none itself."""
        if self._last is None:
            return
        with self._forgiven("the last fit"):
            if self._count > MOST:
                self._describe(self._last)
            if not self._gathered.offered and hasattr(self._last.estimator, "predict"):
                self._gathered.offered["model"] = self._offered(self._last)
        self._gathered.tags[COUNT_TAG] = str(self._count)
        self._gathered.save_texts(self._texts, AUTOLOG)

    def _offered(self, fit: Fit) -> OfferedModel:
        example = _example(fit.x)
        if not library_of(fit.estimator):
            return OfferedModel(fit.estimator, example, is_optional=True)
        folder = self._folder()
        return OfferedModel(partial(saved_by_mlflow, fit.estimator, folder, example), None, is_optional=True)

    @contextmanager
    def _forgiven(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # a trial is worth more than what is noted of it on the way
            self._gathered.lose(f"{what}: {type(error).__name__}: {error}")

    def _describe(self, fit: Fit) -> None:
        with mlflow_aside():
            step, description = self._count - 1, describe(fit)
        self._texts |= {f"{step}/{name}": text for name, text in description.files.items()}
        now = int(time.time() * 1000)
        self._gathered.reports += [
            Report(name, value, step, now) for name, value in description.metrics.items() if name != self._metric
        ]


def _fit(estimator: object, given: Mapping[str, object]) -> Fit:
    named = {name: value for name, value in given.items() if not isinstance(value, Mapping)}  # **fit_params
    x = next(iter(named.values()), None)
    return Fit(estimator, x, named.get("y"), named.get("sample_weight"))


def _example(x: object) -> object:
    """The first rows, where they are of a kind that has a signature."""
    if getattr(x, "ndim", 0) != 2:
        return None
    if hasattr(x, "iloc"):
        return x.iloc[:EXAMPLE_ROWS]
    return x[:EXAMPLE_ROWS] if type(x).__name__ == "ndarray" else None  # type: ignore[index]  # it is an array
