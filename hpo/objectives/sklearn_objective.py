"""An objective that fits and validates a scikit-learn estimator."""

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import cross_validate

from hpo.autolog.described_model import DescribedModel, Description
from hpo.autolog.description import Fit, describe
from hpo.errors import ObjectiveError
from hpo.objective import HeldOut, Objective, TrialContext
from hpo.objectives import data, data_description
from hpo.objectives.data import Data, DataSource, Table
from hpo.objectives.data_description import DataDescription
from hpo.objectives.gathered_warnings import gathered_warnings
from hpo.objectives.model_plan import Estimator, ModelPlan
from hpo.objectives.nearest import did_you_mean
from hpo.objectives.parameter_check import parameter_problems, resource_problems
from hpo.objectives.reporting import Growth, Reporting
from hpo.objectives.scorer_check import scorer_problems
from hpo.objectives.scoring import TIMES, as_named, scorers_of
from hpo.objectives.validation import Split, Validation
from hpo.space import Params, Space
from hpo.trial import Metrics

EXAMPLE_ROWS = 5
TAKES_TEXT = ("Encoder", "Transformer", "Vectorizer", "Hasher", "Discretizer")


@dataclass(frozen=True)
class SklearnObjective:
    """Validates the estimator of a trial's params on the data of the search; plain settings, so it travels anywhere.

    Gives for each scorer (and time, `fit_seconds` or `score_seconds`) the mean over the folds, and with more than one
    fold `<scorer>_std`; each fold's score is logged as `fold_<scorer>` at the fold's number as step. With `reporting`
    it also reports on the way, so that a trial can be stopped; a trial whose estimator has no such resource does not
    report. The model is fitted again on all rows but the test part, and only if it is kept; with `describes` it is then
    described too (`hpo.autolog`), with its scores on those rows. The test part is seen by `score_test` alone.
    """

    source: DataSource
    model: ModelPlan
    scoring: tuple[str, ...]
    validation: Validation = field(default_factory=Validation)
    reporting: Reporting | None = None
    describes: bool = False

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the metrics that a trial gives."""
        spread = self.validation.holdout is None
        return (*self.scoring, *(f"{name}_std" for name in self.scoring if spread))

    def check(self, space: Space, *wanted: str) -> None:
        """Reads the data and tries the estimator under every choice; ObjectiveError that lists all mistakes.

        `wanted` are the sweep's metrics.
        """
        data.forget()
        problems = list(dict.fromkeys(self._problems(space, wanted)))
        if problems:
            raise ObjectiveError("\n".join(problems))

    def prepare(self) -> None:
        """Loads the data."""
        self._data()

    def describe_data(self) -> tuple[DataDescription, ...]:
        """What the data is: the training part, and the test part if there is one."""
        return data_description.describe(self.source, self._data())

    def __call__(self, params: Params, trial: TrialContext) -> Metrics:
        """The mean scores of the trial's estimator."""
        train = self._data().train
        with gathered_warnings(f"trial {trial.number}"):
            estimator = self.model.build(params, trial.seed)
            folds = self._grown(estimator, train, trial) if self._grows else self._validated(estimator, train, trial)
        fit = self._described_fit if self.describes else self._fit
        trial.log_model(partial(fit, params, trial.seed), input_example=train.head(EXAMPLE_ROWS))
        return _summary(folds)

    def score_test(self, params: Params, seed: int) -> Metrics:
        """Fits on all rows but the test part, as the trial of this seed did, and scores once on the test part."""
        self._test()  # is asked for before a fit that takes long
        return self.score_model(self._fit(params, seed))

    def score_model(self, model: object) -> Metrics:
        """Scores a model as it is on the test part."""
        return {f"test_{name}": score for name, score in self._scores(model, self._test()).items()}

    def _test(self) -> Table:
        test = self._data().test
        if test is None:
            raise ObjectiveError("data.test: there is no test part to score on; give a share or a file")
        return test

    def _fit(self, params: Params, seed: int) -> Estimator:
        train = self._data().train
        with gathered_warnings("fit on all rows"):
            return self._whole(self.model.build(params, seed)).fit(train.x, train.y)

    def _described_fit(self, params: Params, seed: int) -> DescribedModel:
        model = self._fit(params, seed)
        return DescribedModel(model, partial(self._described, model))

    def _described(self, model: Estimator) -> Description:
        train = self._data().train
        with gathered_warnings("description of the model"):
            return describe(Fit(model, train.x, train.y), partial(self._scores, model, train))

    def _scores(self, model: object, table: Table) -> Metrics:
        scorers = scorers_of(self.scoring)
        return {name: as_named(name, scorer(model, table.x, table.y)) for name, scorer in scorers.items()}

    @property
    def _grows(self) -> bool:
        return self.reporting is not None and self.reporting.resource is not None

    def _whole(self, estimator: Estimator) -> Estimator:
        resource = self.reporting.resource if self.reporting else None
        return resource.give_all(estimator) if resource else estimator

    def _validated(self, estimator: Estimator, train: Table, trial: TrialContext) -> list[Metrics]:
        """The scores of each fold, reported after each where trials report by folds."""
        folds: list[Metrics] = []
        splits = self._splits(train)
        for step, split in enumerate(splits):
            folds.append(self._score(estimator, train, split))
            for name, score in folds[-1].items():
                trial.log_metric(f"fold_{name}", score, step=step)
            if self.reporting is not None and not self._grows:
                known = folds[-1:] if self.reporting.each_fold else folds
                self._report(trial, step + 1, known, is_last=len(folds) == len(splits))
        return folds

    def _grown(self, estimator: Estimator, train: Table, trial: TrialContext) -> list[Metrics]:
        """The scores of each fold with all of the resource, reported with less of it before."""
        resource = self.reporting.resource if self.reporting else None
        if resource is None or not resource.is_in(estimator):
            return self._validated(estimator, train, trial)
        growth = Growth(estimator, resource, self._splits(train), scorers_of(self.scoring))
        folds: list[Metrics] = []
        for rung in resource.rungs:
            folds = growth.scores(rung, train, self.validation, stratify=self.model.is_classifier())
            self._report(trial, rung, folds, is_last=rung == resource.rungs[-1])
        for step, scores in enumerate(folds):
            for name, score in scores.items():
                trial.log_metric(f"fold_{name}", score, step=step)
        return folds

    def _report(self, trial: TrialContext, step: int, folds: Sequence[Metrics], *, is_last: bool) -> None:
        value = _summary(folds).get(self.reporting.metric) if self.reporting else None
        if self.reporting is None or value is None:  # a spread needs two folds
            return
        if is_last:  # nothing is saved any more by stopping it
            trial.log_metric(self.reporting.metric, value, step=step)
        else:
            trial.report(step, value)

    def _score(self, estimator: Estimator, train: Table, split: Split) -> Metrics:
        result = cross_validate(
            clone(estimator), train.x, train.y, cv=[split], scoring=scorers_of(self.scoring), error_score="raise"
        )
        found = {name: result[TIMES.get(name, f"test_{name}")][0] for name in self.scoring}
        return {name: as_named(name, value) for name, value in found.items()}

    def _data(self) -> Data:
        return data.load(self.source, stratify=self.model.is_classifier())

    def _splits(self, train: Table) -> Sequence[Split]:
        return self.validation.splits(train, stratify=self.model.is_classifier())

    def _problems(self, space: Space, wanted: Sequence[str]) -> Iterator[str]:
        for check in (self._scoring_problems(wanted), self._parameter_problems(space), self._data_problems()):
            try:
                yield from check
            except ObjectiveError as error:
                yield str(error)

    def _scoring_problems(self, wanted: Sequence[str]) -> Iterator[str]:
        scorers = scorers_of(self.scoring)
        times = [name for name in self.scoring if name in TIMES]
        if times and not scorers:
            yield f"scoring: {times[0]} is a time and says not how good a model is; add a scorer"
        if times and self._grows:
            yield f"scoring: {times[0]} is not measured where a resource grows; remove one of them"
        for metric in (name for name in wanted if name not in self.metrics):
            yield f"metric.name: {metric!r} is not measured{did_you_mean(metric, self.metrics)}; add it to scoring"

    def _parameter_problems(self, space: Space) -> Iterator[str]:
        self.model.build({}, 0)
        for name, choices in self.model.components.items():
            for choice in choices:
                try:
                    self.model.component(name, choice)
                except ObjectiveError as error:
                    yield str(error)
        yield from parameter_problems(self.model, space)
        resource = self.reporting.resource if self.reporting else None
        if resource is not None and resource.param:
            yield from resource_problems(self.model, space, resource.param)

    def _data_problems(self) -> Iterator[str]:
        train = self._data().train
        if isinstance(train.x, pd.DataFrame) and not self._takes_text():
            odd = [str(name) for name in train.x.columns if not pd.api.types.is_numeric_dtype(train.x[name])]
            if odd:
                yield (
                    f"data: {self.source.path or self.source.loader} has columns that are not numbers: "
                    f"{', '.join(odd)}; begin the pipeline with an encoder or a ColumnTransformer, or leave them out"
                )
        with gathered_warnings("cv"):
            splits = self._splits(train)
        if self.model.is_classifier():
            with warnings.catch_warnings(action="ignore"):  # they speak of an estimator that learns nothing
                yield from scorer_problems(self.scoring, train, splits[0])

    def _takes_text(self) -> bool:
        """Whether what comes first may take text: encoders do, and nobody knows of classes outside scikit-learn."""
        first = self.model.steps[0][1] if self.model.steps else self.model.estimator
        return not first.startswith("sklearn.") or any(word in first for word in TAKES_TEXT)


def _summary(folds: Sequence[Metrics]) -> dict[str, float]:
    metrics = {}
    for name in folds[0]:
        scores = [fold[name] for fold in folds]
        metrics[name] = sum(scores) / len(scores)
        if len(scores) > 1:
            metrics[f"{name}_std"] = math.sqrt(sum((score - metrics[name]) ** 2 for score in scores) / len(scores))
    return metrics


_: type[Objective] = SklearnObjective
_held_out: type[HeldOut] = SklearnObjective
