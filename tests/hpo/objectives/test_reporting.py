"""What scikit-learn trials report on their way: folds as steps, and growing resources."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hpo.errors import ObjectiveError, TrialPruned
from hpo.objectives.data import DataSource, Table
from hpo.objectives.model_plan import ModelPlan
from hpo.objectives.reporting import Reporting, Resource
from hpo.objectives.sklearn_objective import SklearnObjective
from hpo.objectives.validation import Validation
from hpo.space import Choice, Parameter, Space

CANCER = DataSource(loader="sklearn.datasets.load_breast_cancer")
DIABETES = DataSource(loader="sklearn.datasets.load_diabetes")
FOREST = "sklearn.ensemble.RandomForestClassifier"
BRANCHES = {"clf": {"forest": FOREST, "bayes": "sklearn.naive_bayes.GaussianNB"}}
SPACE = Space((Parameter("clf", Choice(("forest", "bayes"))),))


@dataclass
class Recorder:
    """A trial context that keeps what it is told, and may be told to stop."""

    number: int = 0
    seed: int = 5
    dir: Path = Path()
    stop_at: int = 10**9
    reports: list[tuple[int, float]] = field(default_factory=list)
    logged: list[tuple[str, float, int]] = field(default_factory=list)
    models: list[object] = field(default_factory=list)

    def report(self, step: int, value: float) -> None:
        self.reports.append((step, value))
        if step >= self.stop_at:
            raise TrialPruned

    def log_metric(self, name: str, value: float, step: int = 0) -> None:
        self.logged.append((name, value, step))

    def log_artifact(self, path: str | Path, name: str | None = None) -> None:
        raise NotImplementedError

    def log_model(self, model: object, name: str = "model", input_example: object = None) -> None:
        self.models.append(model)

    def set_tag(self, name: str, value: object) -> None:
        raise NotImplementedError


def objective(
    estimator: str, source: DataSource = CANCER, scorer: str = "accuracy", **more: object
) -> SklearnObjective:
    given = {"validation": Validation(folds=3), **more}
    return SklearnObjective(source, ModelPlan(estimator=estimator), (scorer,), **given)  # type: ignore[arg-type]


def test_each_fold_but_the_last_is_reported_with_the_mean_so_far() -> None:
    trial = Recorder()
    metrics = objective("sklearn.naive_bayes.GaussianNB", reporting=Reporting("accuracy"))({}, trial)
    folds = [value for name, value, _ in trial.logged if name == "fold_accuracy"]
    assert trial.reports == [(1, folds[0]), (2, pytest.approx((folds[0] + folds[1]) / 2))]
    assert trial.logged[-1] == ("accuracy", metrics["accuracy"], 3)


def test_each_fold_can_be_reported_by_itself_for_tests_that_compare_fold_by_fold() -> None:
    trial = Recorder()
    objective("sklearn.naive_bayes.GaussianNB", reporting=Reporting("accuracy", each_fold=True))({}, trial)
    folds = [value for name, value, _ in trial.logged if name == "fold_accuracy"]
    assert [value for _, value in trial.reports] == folds[:2]


def test_a_metric_that_needs_two_folds_is_reported_from_the_second_on() -> None:
    trial = Recorder()
    objective("sklearn.naive_bayes.GaussianNB", reporting=Reporting("accuracy_std"))({}, trial)
    assert [step for step, _ in trial.reports] == [2]


def test_without_reporting_nothing_is_reported() -> None:
    trial = Recorder()
    objective("sklearn.naive_bayes.GaussianNB")({}, trial)
    assert trial.reports == []
    assert {name for name, _, _ in trial.logged} == {"fold_accuracy"}


def test_rungs_grow_by_the_factor_and_end_at_the_last() -> None:
    assert Resource(10, 400, 3, "n").rungs == (10, 30, 90, 270, 400)
    assert Resource(1, 8, 2, "n").rungs == (1, 2, 4, 8)
    assert Resource(0.1, 1.0).rungs == (10, 30, 90, 100)


@pytest.mark.parametrize(
    ("estimator", "source", "scorer", "resource"),
    [
        (FOREST, CANCER, "accuracy", Resource(2, 12, 3, "n_estimators")),
        ("sklearn.ensemble.ExtraTreesRegressor", DIABETES, "rmse", Resource(2, 12, 2, "n_estimators")),
        ("sklearn.ensemble.BaggingClassifier", CANCER, "accuracy", Resource(2, 9, 2, "n_estimators")),
        ("sklearn.ensemble.GradientBoostingRegressor", DIABETES, "rmse", Resource(3, 20, 2, "n_estimators")),
        pytest.param(
            "sklearn.ensemble.HistGradientBoostingClassifier",
            CANCER,
            "log_loss",
            Resource(3, 20, 2, "max_iter"),
            marks=pytest.mark.slow,
        ),
        ("sklearn.linear_model.SGDClassifier", CANCER, "accuracy", Resource(1, 9, 3, "max_iter")),
        ("sklearn.neighbors.KNeighborsClassifier", CANCER, "accuracy", Resource(1, 9, 3, "n_neighbors")),
        ("sklearn.tree.DecisionTreeClassifier", CANCER, "accuracy", Resource(0.1, 1.0)),
    ],
    ids=lambda value: value.rpartition(".")[2] if isinstance(value, str) else None,
)
def test_each_step_is_what_a_fresh_fit_with_that_much_gives(
    estimator: str, source: DataSource, scorer: str, resource: Resource
) -> None:
    trial = Recorder()
    growing = objective(estimator, source, scorer, reporting=Reporting(scorer, resource=resource))
    metrics = growing({}, trial)
    steps = [*trial.reports, (resource.rungs[-1], metrics[scorer])]
    assert [step for step, _ in steps] == list(resource.rungs)
    for step, value in steps if resource.param else steps[-1:]:
        fresh = objective(estimator, source, scorer)({resource.param: step} if resource.param else {}, Recorder())
        assert value == pytest.approx(fresh[scorer], rel=1e-12)
    assert trial.logged[-1][0] == f"fold_{scorer}"
    assert (scorer, metrics[scorer], resource.rungs[-1]) in trial.logged


def test_a_resource_of_a_step_grows_inside_its_pipeline() -> None:
    steps = (("scale", "sklearn.preprocessing.StandardScaler"), ("clf", FOREST))
    reporting = Reporting("accuracy", resource=Resource(2, 10, 3, "clf__n_estimators"))
    growing = SklearnObjective(CANCER, ModelPlan(steps=steps), ("accuracy",), Validation(folds=3), reporting)
    trial = Recorder()
    metrics = growing({"clf__max_depth": 3}, trial)
    plain = SklearnObjective(CANCER, ModelPlan(steps=steps), ("accuracy",), Validation(folds=3))
    assert metrics == plain({"clf__max_depth": 3, "clf__n_estimators": 10}, Recorder())
    assert [step for step, _ in trial.reports] == [2, 6]


def test_the_kept_model_has_all_of_the_resource() -> None:
    trial = Recorder()
    growing = objective(FOREST, reporting=Reporting("accuracy", resource=Resource(2, 7, 3, "n_estimators")))
    growing({}, trial)
    assert trial.models[0]().get_params()["n_estimators"] == 7  # type: ignore[operator]


def test_a_trial_that_is_stopped_fits_no_further() -> None:
    trial = Recorder(stop_at=6)
    growing = objective(FOREST, reporting=Reporting("accuracy", resource=Resource(2, 400, 3, "n_estimators")))
    with pytest.raises(TrialPruned):
        growing({}, trial)
    assert [step for step, _ in trial.reports] == [2, 6]
    assert trial.models == []


def test_a_branch_without_the_resource_is_validated_as_a_whole() -> None:
    plan = ModelPlan(steps=(("clf", FOREST),), components=BRANCHES)
    reporting = Reporting("accuracy", resource=Resource(2, 6, 3, "clf__n_estimators"))
    growing = SklearnObjective(CANCER, plan, ("accuracy",), Validation(folds=3), reporting)
    growing.check(SPACE, "accuracy")
    trial = Recorder()
    growing({"clf": "bayes"}, trial)
    assert trial.reports == []
    growing({"clf": "forest"}, trial)
    assert [step for step, _ in trial.reports] == [2]


def test_a_resource_that_no_branch_has_is_refused() -> None:
    plan = ModelPlan(steps=(("clf", FOREST),), components=BRANCHES)
    reporting = Reporting("accuracy", resource=Resource(2, 6, 3, "clf__n_estimator"))
    growing = SklearnObjective(CANCER, plan, ("accuracy",), Validation(folds=3), reporting)
    message = "resource.param: the estimator has no parameter 'clf__n_estimator'; did you mean 'clf__n_estimators'?"
    with pytest.raises(ObjectiveError, match=message.replace("?", r"\?")):
        growing.check(SPACE, "accuracy")


def parts(validation: Validation, table: Table, shares: Sequence[float], *, stratify: bool) -> list[list[int]]:
    split = validation.splits(table, stratify=stratify)[0]
    return [list(validation.part(split, table, share, stratify=stratify)[0]) for share in shares]


def test_smaller_parts_of_the_rows_lie_within_larger_ones_and_keep_the_classes() -> None:
    y = np.repeat([0, 1, 2], [600, 290, 10])
    table = Table(np.zeros((900, 1)), y)
    found = parts(Validation(folds=3, seed=1), table, (0.005, 0.05, 0.3, 0.9, 1.0), stratify=True)
    for smaller, larger in pairwise(found):
        assert set(smaller) < set(larger)
    assert [len(rows) for rows in found] == [3, 30, 180, 540, 600]
    assert set(y[found[0]]) == {0, 1, 2}
    for rows in found[2:]:
        assert np.bincount(y[rows]) / len(rows) == pytest.approx([2 / 3, 0.322, 0.011], abs=0.01)
    assert found == parts(Validation(folds=3, seed=1), table, (0.005, 0.05, 0.3, 0.9, 1.0), stratify=True)
    assert found[2] != parts(Validation(folds=3, seed=2), table, (0.3,), stratify=True)[0]


def test_parts_of_rows_with_numbers_to_predict_are_drawn_by_the_seed() -> None:
    table = Table(pd.DataFrame({"x": range(90)}), pd.Series(np.linspace(0, 1, 90)))
    found = parts(Validation(folds=3), table, (0.1, 0.5, 1.0), stratify=False)
    assert [len(rows) for rows in found] == [6, 30, 60]
    assert set(found[0]) < set(found[1]) < set(found[2])


def test_parts_of_rows_in_order_of_time_are_the_last_ones() -> None:
    table = Table(np.zeros((100, 1)), np.arange(100.0))
    found = parts(Validation(holdout=0.2, shuffle=False), table, (0.1, 0.5), stratify=False)
    assert found == [list(range(72, 80)), list(range(40, 80))]
