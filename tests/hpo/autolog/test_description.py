"""What is said of a fit: for every kind of estimator something, and nothing that depends on the process."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.cluster import KMeans
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import SVC

from hpo.autolog.described_model import Description
from hpo.autolog.description import Fit, describe
from hpo.autolog.parameters import parameters_of, plain
from hpo.autolog.pictures import confusion_picture, importance_picture, residual_picture

FLOWERS, KINDS = load_iris(return_X_y=True, as_frame=True)
PEOPLE, PROGRESS = load_diabetes(return_X_y=True, as_frame=True)


def facts(description: Description, name: str = "estimator.json") -> Mapping[str, Any]:
    return json.loads(description.files[name])  # type: ignore[no-any-return]


def test_a_classifier_is_described_by_parameters_scores_importances_and_confusion_matrix() -> None:
    forest = RandomForestClassifier(5, max_depth=1, random_state=0).fit(FLOWERS, KINDS)
    description = describe(Fit(forest, FLOWERS, KINDS))
    said = facts(description)
    assert (said["class"], said["kind"]) == ("sklearn.ensemble._forest.RandomForestClassifier", "classifier")
    assert said["shape"] == [150, 4]
    assert (said["params"]["max_depth"], said["params"]["min_samples_leaf"]) == (1, 1)
    accuracy = forest.score(FLOWERS, KINDS)
    assert description.metrics["training_score"] == description.metrics["training_accuracy_score"] == accuracy
    assert {"training_log_loss", "training_roc_auc", "training_f1_score"} <= description.metrics.keys()
    assert facts(description, "feature_importances.json")["features"] == pytest.approx(
        dict(zip(FLOWERS.columns, forest.feature_importances_, strict=True))
    )
    matrix = facts(description, "confusion_matrix.json")
    assert sum(matrix["counts"][index][index] for index in range(3)) == round(accuracy * 150)
    assert set(description.files) >= {"feature_importances.svg", "confusion_matrix.svg"}


def test_a_regressor_has_errors_and_residuals() -> None:
    description = describe(Fit(Ridge().fit(PEOPLE, PROGRESS), PEOPLE, PROGRESS))
    metrics = description.metrics
    assert metrics["training_score"] == metrics["training_r2_score"] > 0.4
    assert metrics["training_root_mean_squared_error"] ** 2 == pytest.approx(metrics["training_mean_squared_error"])
    assert set(description.files) == {
        "estimator.json",
        "feature_importances.json",
        "feature_importances.svg",
        "residuals.svg",
    }


def test_importances_of_a_pipeline_have_the_names_of_the_columns_its_last_step_saw() -> None:
    pipeline = make_pipeline(PolynomialFeatures(2, include_bias=False), StandardScaler(), LinearRegression())
    pipeline.fit(PEOPLE[["age", "bmi"]], PROGRESS)
    description = describe(Fit(pipeline, PEOPLE[["age", "bmi"]], PROGRESS))
    assert set(facts(description, "feature_importances.json")["features"]) == {
        "age",
        "bmi",
        "age^2",
        "age bmi",
        "bmi^2",
    }


def test_coefficients_of_several_classes_stand_by_class_and_the_largest_come_first() -> None:
    model = LogisticRegression(max_iter=500).fit(FLOWERS, KINDS)
    said = facts(describe(Fit(model, FLOWERS, KINDS)), "feature_importances.json")
    assert list(said["features"]) == ["0", "1", "2"]
    first = next(iter(said["features"]["0"]))
    assert first == FLOWERS.columns[np.abs(model.coef_).mean(axis=0).argmax()]


def test_a_search_is_described_with_its_best_and_its_table() -> None:
    search = GridSearchCV(LogisticRegression(max_iter=500), {"C": [0.001, 1.0]}, cv=2).fit(FLOWERS, KINDS)
    description = describe(Fit(search, FLOWERS, KINDS))
    assert facts(description)["best_params"] == {"C": 1.0}
    assert facts(description)["best_score"] == search.best_score_
    rows = description.files["cv_results.csv"].splitlines()
    assert len(rows) == 3
    assert "mean_test_score" in rows[0]
    assert "feature_importances.json" in description.files


def test_what_learns_without_a_target_is_described_too() -> None:
    description = describe(Fit(KMeans(2, n_init=1, random_state=0).fit(FLOWERS), FLOWERS))
    assert facts(description)["kind"] == "other"
    assert list(description.metrics) == ["training_score"]
    assert list(description.files) == ["estimator.json"]


@pytest.mark.parametrize(
    ("model", "x", "y"),
    [
        (SVC(kernel="rbf"), FLOWERS, KINDS),
        (SVC(kernel="linear"), csr_matrix(FLOWERS.to_numpy()), KINDS.to_numpy()),
        (LogisticRegression(max_iter=500), FLOWERS.to_numpy(), np.array(["a<b", "&", "\x07c"])[KINDS]),
        (LinearRegression(), PEOPLE, pd.DataFrame({"a": PROGRESS, "b": PROGRESS * 2})),
        (TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp), PEOPLE, PROGRESS),
        (RandomForestClassifier(2, random_state=0), FLOWERS, pd.DataFrame({"a": KINDS, "b": KINDS == 1})),
        (LogisticRegression(max_iter=500), FLOWERS.to_numpy().tolist(), KINDS.tolist()),
    ],
    ids=["no_importances", "sparse", "odd_labels", "several_targets", "inner", "several_classes", "lists"],
)
def test_whatever_is_fitted_is_described_and_pictures_can_be_read(model: Any, x: object, y: object) -> None:
    description = describe(Fit(model.fit(x, y), x, y))
    assert "training_score" in description.metrics or "missing" in facts(description)
    for name, text in description.files.items():
        if name.endswith(".svg"):
            ET.fromstring(text)


def test_a_part_that_fails_costs_no_other_part() -> None:
    class Mute(LogisticRegression):
        def predict(self, x: object) -> object:
            raise RuntimeError("not today")

    description = describe(Fit(Mute(max_iter=500).fit(FLOWERS, KINDS), FLOWERS, KINDS))
    assert facts(description)["missing"]["predictions"] == "RuntimeError: not today"
    assert "feature_importances.json" in description.files


def test_a_description_is_the_same_each_time_and_takes_nothing_from_the_global_generator() -> None:
    model = RandomForestClassifier(3, random_state=0).fit(FLOWERS, KINDS)
    np.random.seed(1)
    first, drawn = describe(Fit(model, FLOWERS, KINDS)), np.random.random()
    np.random.seed(1)
    assert np.random.random() == drawn
    assert describe(Fit(model, FLOWERS, KINDS)) == first


def test_parameters_are_plain_json_without_addresses_and_secrets() -> None:
    class Odd(LogisticRegression):
        def __init__(self, api_key: str = "", what: object = None, many: object = ()) -> None:
            self.api_key, self.what, self.many = api_key, what, many

    found = parameters_of(Odd("hf_abcdefghij0123456789klmn", object(), [np.float32(0.5), float("nan"), len, Ridge]))
    assert found == {
        "api_key": "***",
        "many": [0.5, "nan", "builtins.len", "sklearn.linear_model._ridge.Ridge"],
        "what": "<object object>",
    }


def test_long_values_are_cut_and_numbers_stay_numbers() -> None:
    assert len(str(plain("x" * 5000))) == 1000
    assert len(str(plain(np.arange(5000)))) <= 1000
    assert plain({"a": (np.int64(3), True, None)}) == {"a": [3, True, None]}


def test_pictures_are_drawn_of_extreme_values_too() -> None:
    for picture in (
        confusion_picture(["<a>", "b" * 100], [[0, 0], [3, 10**6]], "a & b"),
        residual_picture([1.0], [0.0], "one dot"),
        residual_picture([1e300, -1e300], [1e-300, 0.0], "far apart"),
        importance_picture([], [], "nothing"),
        importance_picture(["a", "b"], [0.0, -0.0], "no weight"),
    ):
        ET.fromstring(picture)
