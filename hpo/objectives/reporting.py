"""What a scikit-learn trial reports on its way, so that it can be stopped: its folds, or what it reaches with less."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from sklearn.base import clone
from sklearn.utils.metaestimators import _safe_split

from hpo.objectives.data import Table
from hpo.objectives.model_plan import Estimator
from hpo.objectives.scoring import Scorer, as_named
from hpo.objectives.validation import Split, Validation
from hpo.trial import Metrics


@dataclass(frozen=True)
class Resource:
    """Something of which a trial is first given `low`, then `factor` times as much, and so on up to `high`.

    It is the value of `param`, or where that is empty the share of the rows to fit on.
    """

    low: float
    high: float
    factor: int = 3
    param: str = ""

    @property
    def rungs(self) -> tuple[int, ...]:
        """The steps, ascending: values of the param, or shares in per cent."""
        scale = 1 if self.param else 100
        rung, last = round(self.low * scale), round(self.high * scale)
        rungs = []
        while rung < last:
            rungs.append(rung)
            rung *= self.factor
        return (*rungs, last)

    def is_in(self, estimator: Estimator) -> bool:
        """Whether the estimator has it: a param may belong to one choice of a step only."""
        return not self.param or self.param in estimator.get_params(deep=True)

    def give_all(self, estimator: Estimator) -> Estimator:
        """The estimator with all of it, as far as it has it."""
        return (
            estimator.set_params(**{self.param: self.rungs[-1]}) if self.param and self.is_in(estimator) else estimator
        )


@dataclass(frozen=True)
class Reporting:
    """Which metric is reported: by `resource`, else after each fold, the mean so far or with `each_fold` its own."""

    metric: str
    each_fold: bool = False
    resource: Resource | None = None


class Growth:
    """One trial's estimator, which is validated with more and more of a resource.

    Where adding to a fitted model gives the same as a fresh fit (`warm_start` of forests, bagging and boosting), it is
    added to; everything else is fitted again.
    """

    def __init__(
        self, estimator: Estimator, resource: Resource, splits: Sequence[Split], scorers: Mapping[str, Scorer]
    ):
        self._resource = resource
        self._splits = splits
        self._scorers = scorers
        self._is_added_to = _make_warm(estimator, resource)
        self._estimators = [cast(Estimator, clone(estimator)) for _ in splits]

    def scores(self, rung: int, train: Table, validation: Validation, *, stratify: bool) -> list[Metrics]:
        """The scores of each fold at this step; steps must ascend."""
        found = []
        for number, split in enumerate(self._splits):
            part = split if self._resource.param else validation.part(split, train, rung / 100, stratify=stratify)
            found.append(self._score(number, rung, train, part))
        return found

    def _score(self, number: int, rung: int, train: Table, split: Split) -> Metrics:
        estimator = self._estimators[number]
        if not self._is_added_to:
            estimator = cast(Estimator, clone(estimator))
        if self._resource.param:
            estimator.set_params(**{self._resource.param: rung})
        fit_rows, test_rows = split
        estimator.fit(*_safe_split(estimator, train.x, train.y, fit_rows))
        x, y = _safe_split(estimator, train.x, train.y, test_rows, fit_rows)
        return {name: as_named(name, scorer(estimator, x, y)) for name, scorer in self._scorers.items()}


def _make_warm(estimator: Estimator, resource: Resource) -> bool:
    """Sets `warm_start` where it changes nothing but the time it takes; whether it did."""
    owner_name, _, name = resource.param.rpartition("__")
    params = estimator.get_params(deep=True)
    owner = params.get(owner_name) if owner_name else estimator
    warm_start = f"{owner_name}__warm_start" if owner_name else "warm_start"
    # of others (SGD, MLP, logistic regression) warm_start goes on from the last solution with a schedule begun anew
    is_exact = name == "n_estimators" or (
        name == "max_iter" and type(owner).__name__.startswith("HistGradientBoosting")
    )
    if not is_exact or params.get(warm_start) is not False:
        return False
    estimator.set_params(**{warm_start: True})
    return True
