"""Fits are told where a trial wants to know of them, and nowhere else; estimators stay what they were."""

import inspect
import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cloudpickle
import joblib
import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import BaggingRegressor, StackingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import has_fit_parameter

from hpo.autolog.sessions import Given, telling

X = np.arange(20.0).reshape(10, 2)
Y = X[:, 0] * 2 + 1


@contextmanager
def listening() -> Iterator[list[str]]:
    names: list[str] = []
    with telling(lambda estimator, _: names.append(type(estimator).__name__)):
        yield names


def test_only_the_outermost_fit_is_told() -> None:
    with joblib.parallel_config(backend="threading"), listening() as names:
        make_pipeline(StandardScaler(), Ridge()).fit(X, Y)
        GridSearchCV(Ridge(), {"alpha": [1, 2]}, cv=2).fit(X, Y)
        BaggingRegressor(Ridge(), 3, n_jobs=2).fit(X, Y)
        StackingRegressor([("a", Ridge())], cv=2).fit(X, Y)
    assert names == ["Pipeline", "GridSearchCV", "BaggingRegressor", "StackingRegressor"]


def test_each_fold_of_a_validation_is_a_fit_of_its_own() -> None:
    with listening() as names:
        cross_val_score(Ridge(), X, Y, cv=3)
    assert names == ["Ridge"] * 3


def test_what_fit_was_given_is_told_by_name() -> None:
    given: list[Given] = []
    with telling(lambda _, told: given.append(told)):
        Ridge().fit(X, y=Y, sample_weight=Y)
    said = given[0]()
    assert list(said) == ["X", "y", "sample_weight"]
    assert said["X"] is X


def test_a_fit_that_fails_is_not_told_and_the_next_one_is() -> None:
    with listening() as names:
        with pytest.raises(ValueError, match="NaN"):
            Ridge().fit(X * np.nan, Y)
        Ridge().fit(X, Y)
    assert names == ["Ridge"]


def test_threads_are_told_of_their_own_fits_only() -> None:
    seen: dict[str, list[str]] = {}
    met = threading.Barrier(3)

    def trial(model: Ridge | LinearRegression | None) -> None:
        if model is None:
            met.wait(10)
            StandardScaler().fit(X)
            return
        with listening() as names:
            met.wait(10)
            for _ in range(20):
                model.fit(X, Y)
        seen[type(model).__name__] = names

    threads = [threading.Thread(target=trial, args=(model,)) for model in (Ridge(), LinearRegression(), None)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"Ridge": ["Ridge"] * 20, "LinearRegression": ["LinearRegression"] * 20}


def test_classes_that_are_made_later_are_known_and_afterwards_all_is_as_it_was() -> None:
    before = {kind: kind.__dict__["fit"] for kind in (Ridge, LogisticRegression, StandardScaler)}
    hook = BaseEstimator.__dict__.get("__init_subclass__")
    with listening() as names:

        class Later(ClassifierMixin, BaseEstimator):
            def fit(self, x: object, y: object, sample_weight: object = None) -> "Later":
                self.classes_ = [0]
                return self

        Later().fit(X, Y)
        assert "set_fit_request" in dir(Later)
    assert names == ["Later"]
    assert {kind: kind.__dict__["fit"] for kind in before} == before
    assert BaseEstimator.__dict__.get("__init_subclass__") is hook
    Later().fit(X, Y)
    assert names == ["Later"]
    assert Later.fit.__qualname__.endswith("Later.fit")


def test_one_that_ends_leaves_the_others_listening() -> None:
    with listening() as outer:
        with listening() as inner:
            Ridge().fit(X, Y)
        Ridge().fit(X, Y)
    assert (inner, outer) == (["Ridge"], ["Ridge"])


def test_estimators_are_cloned_pickled_and_asked_as_ever() -> None:
    signature = inspect.signature(Ridge.fit)
    with listening():
        fitted = Ridge(alpha=2.0).fit(X, Y)
        assert isinstance(fitted, Ridge)
        assert clone(fitted).get_params() == fitted.get_params()
        for dump in (pickle.dumps, cloudpickle.dumps):
            again = pickle.loads(dump(fitted))
            assert np.array_equal(again.predict(X), fitted.predict(X))
        assert inspect.signature(Ridge.fit) == signature
        assert has_fit_parameter(Ridge(), "sample_weight")


def test_metadata_is_routed_through_a_wrapped_fit() -> None:
    with sklearn.config_context(enable_metadata_routing=True), listening() as names:
        pipeline = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False), Ridge().set_fit_request(sample_weight=True)
        )
        pipeline.fit(X, Y, sample_weight=Y)
    assert names == ["Pipeline"]


def test_a_wrap_around_ours_stays_and_does_nothing_more() -> None:
    original = Ridge.fit
    try:
        with listening() as names:
            inner = Ridge.fit
            Ridge.fit = lambda self, x, y: inner(self, x, y)  # type: ignore[method-assign, misc]
            Ridge().fit(X, Y)
        Ridge().fit(X, Y)
        assert names == ["Ridge"]
    finally:
        Ridge.fit = original  # type: ignore[method-assign]
