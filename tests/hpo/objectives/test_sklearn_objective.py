"""The scikit-learn objective: what it measures, what it keeps, and what it never sees."""

import logging
import pickle
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score, cross_validate, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from hpo.attempt import run_attempt
from hpo.errors import ObjectiveError
from hpo.executors.names import make_executor
from hpo.objectives import data
from hpo.objectives.data import DataSource
from hpo.objectives.gathered_warnings import gathered_warnings
from hpo.objectives.model_plan import ModelPlan
from hpo.objectives.sklearn_objective import SklearnObjective
from hpo.objectives.validation import Validation
from hpo.space import Choice, Constant, FloatRange, IntRange, Parameter, Space
from hpo.trial import Goal, Outcome, SavedFile, SavedModel, State, Trial

CANCER = DataSource(loader="sklearn.datasets.load_breast_cancer")
DIABETES = DataSource(loader="sklearn.datasets.load_diabetes")
SCALED = (("scale", "sklearn.preprocessing.StandardScaler"), ("clf", "sklearn.svm.SVC"))
CLF = {"clf": {"svc": "sklearn.svm.SVC", "forest": "sklearn.ensemble.RandomForestClassifier"}}

CLASSIFIER = SklearnObjective(CANCER, ModelPlan(steps=SCALED, components=CLF), ("roc_auc",), Validation(folds=3))
REGRESSOR = SklearnObjective(
    replace(DIABETES, test=0.25, seed=7), ModelPlan("sklearn.linear_model.Ridge"), ("rmse", "r2"), Validation(seed=1)
)
CLF_SPACE = Space(
    (
        Parameter("clf", Choice(("svc", "forest"))),
        Parameter("clf__C", FloatRange(0.1, 10), when={"clf": ["svc"]}),
        Parameter("clf__max_depth", IntRange(2, 4), when={"clf": ["forest"]}),
    )
)


@dataclass
class Kept:
    """Keeps the fitted models themselves."""

    models: list[tuple[object, object]] = field(default_factory=list)

    def save_file(self, artifact_uri: str, source: Path, name: str) -> list[SavedFile]:
        return []

    def save_model(
        self, artifact_uri: str, model: object, *, name: str, run_id: str, input_example: object
    ) -> tuple[SavedModel, list[SavedFile]]:
        self.models.append((model, input_example))
        return SavedModel("m-" + "0" * 32, name, name, "sklearn"), []


def attempt(
    objective: SklearnObjective, params: Mapping[str, object], *, bar: float = np.nan, kept: Kept | None = None
) -> Outcome:
    trial = Trial(2, params, seed=11, bar=bar)  # type: ignore[arg-type]
    return run_attempt(objective, trial, metric=objective.scoring[0], goal=Goal.MAXIMIZE, files=kept or Kept())


@pytest.fixture(autouse=True)
def _fresh_data() -> Iterator[None]:
    yield
    data.forget()


def test_scores_are_those_of_scikit_learns_own_cross_validation() -> None:
    outcome = attempt(CLASSIFIER, {"clf": "svc", "clf__C": 0.5})
    x, y = load_breast_cancer(return_X_y=True, as_frame=True)
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    expected = cross_val_score(make_pipeline(StandardScaler(), SVC(C=0.5)), x, y, cv=folds, scoring="roc_auc")

    assert outcome.state is State.COMPLETE, outcome.traceback
    assert outcome.metrics == pytest.approx({"roc_auc": expected.mean(), "roc_auc_std": expected.std()})
    assert [(r.metric, r.step) for r in outcome.reports] == [
        ("fold_roc_auc", 0),
        ("fold_roc_auc", 1),
        ("fold_roc_auc", 2),
    ]
    assert [r.value for r in outcome.reports] == pytest.approx(list(expected))


def test_errors_are_positive_and_the_test_part_is_split_away_first() -> None:
    metrics = attempt(REGRESSOR, {"alpha": 0.1}).metrics
    x, y = load_diabetes(return_X_y=True, as_frame=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=7)
    folds = KFold(5, shuffle=True, random_state=1)
    scoring = ["neg_root_mean_squared_error", "r2"]
    expected = cross_validate(Ridge(alpha=0.1), x_train, y_train, cv=folds, scoring=scoring)

    assert metrics["rmse"] == pytest.approx(-expected["test_neg_root_mean_squared_error"].mean())
    assert metrics["rmse_std"] == pytest.approx(expected["test_neg_root_mean_squared_error"].std())
    assert metrics["r2"] == pytest.approx(expected["test_r2"].mean())
    fitted = Ridge(alpha=0.1).fit(x_train, y_train)
    assert REGRESSOR.score_test({"alpha": 0.1}, 0) == pytest.approx(
        {
            "test_rmse": mean_squared_error(y_test, fitted.predict(x_test)) ** 0.5,
            "test_r2": fitted.score(x_test, y_test),
        }
    )


def test_a_hold_out_gives_one_split_and_no_spread() -> None:
    objective = replace(REGRESSOR, validation=Validation(holdout=0.3, seed=2))
    outcome = attempt(objective, {})

    assert set(outcome.metrics) == {"rmse", "r2"} == set(objective.metrics)
    assert [report.step for report in outcome.reports] == [0, 0]


def test_a_hold_out_without_shuffling_is_the_last_rows() -> None:
    table = data.load(DIABETES, stratify=False).train
    ((fit, score),) = Validation(holdout=0.25, shuffle=False).splits(table, stratify=False)

    assert list(fit) == list(range(332))
    assert list(score) == list(range(332, 442))


def test_the_test_part_of_a_classifier_keeps_the_shares_of_classes() -> None:
    parts = data.load(replace(CANCER, test=0.2), stratify=True)
    assert parts.test is not None

    assert parts.test.rows == 114
    assert np.mean(parts.test.y) == pytest.approx(np.mean(parts.train.y), abs=0.01)  # type: ignore[call-overload]


def test_choices_of_a_component_are_put_into_their_step_before_their_params() -> None:
    forest = CLASSIFIER.model.build({"clf__max_depth": 3, "clf": "forest"}, seed=5)

    assert isinstance(forest.get_params()["clf"], RandomForestClassifier)
    assert forest.get_params()["clf__max_depth"] == 3


def test_every_random_state_is_the_trials_seed_unless_given() -> None:
    plan = ModelPlan(steps=(("pca", "sklearn.decomposition.PCA"), SCALED[1]))

    for given in (3, None):
        params = plan.build({"clf__random_state": given}, seed=5).get_params()
        assert (params["pca__random_state"], params["clf__random_state"]) == (5, given)


def test_one_attempt_repeats_exactly() -> None:
    params = {"clf": "forest", "clf__max_depth": 2}

    assert attempt(CLASSIFIER, params).metrics == attempt(CLASSIFIER, params).metrics


def test_the_kept_model_is_fitted_on_all_rows_but_the_test_part() -> None:
    kept = Kept()
    outcome = attempt(REGRESSOR, {"alpha": 0.1}, bar=-np.inf, kept=kept)
    x, y = load_diabetes(return_X_y=True, as_frame=True)
    x_train, _, y_train, _ = train_test_split(x, y, test_size=0.25, random_state=7)

    ((model, example),) = kept.models
    assert outcome.state is State.COMPLETE, outcome.traceback
    assert isinstance(model, Ridge)
    assert list(model.coef_) == pytest.approx(list(Ridge(alpha=0.1).fit(x_train, y_train).coef_))
    assert isinstance(example, pd.DataFrame)
    assert example.equals(x_train.iloc[:5])


def test_a_model_that_is_not_kept_is_not_fitted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fits = []
    fit = Ridge.fit
    monkeypatch.setattr(Ridge, "fit", lambda self, *rows: fits.append(len(rows[0])) or fit(self, *rows))

    attempt(REGRESSOR, {}, bar=np.nan)
    assert len(fits) == 5
    attempt(REGRESSOR, {}, bar=-np.inf)
    assert len(fits) == 11
    assert fits[-1] == 331


def test_a_fold_that_fails_fails_the_trial() -> None:
    outcome = attempt(REGRESSOR, {"alpha": -1.0})

    assert (outcome.state, outcome.reason) == (State.FAILED, "exception")
    assert outcome.error.startswith("InvalidParameterError: The 'alpha' parameter of ")


def test_warnings_of_all_folds_are_one_log_line(caplog: pytest.LogCaptureFixture) -> None:
    plan = ModelPlan("sklearn.neural_network.MLPRegressor")
    objective = replace(REGRESSOR, model=plan, validation=Validation(folds=3))
    with caplog.at_level(logging.WARNING):
        outcome = attempt(objective, {"max_iter": 2, "hidden_layer_sizes": 3})

    assert outcome.state is State.COMPLETE, outcome.traceback
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("trial 2: ConvergenceWarning: Stochastic Optimizer: Maximum iterations (2)")
    assert caplog.messages[0].endswith("(3 times)")


def test_gathering_warnings_in_threads_leaves_the_filters_as_they_were(caplog: pytest.LogCaptureFixture) -> None:
    before, inside = list(warnings.filters), threading.Barrier(2)
    left = threading.Event()

    def first() -> None:
        with gathered_warnings("first"):
            inside.wait(60)
            warnings.warn("one", UserWarning, stacklevel=1)
        left.set()

    thread = threading.Thread(target=first)
    thread.start()
    with gathered_warnings("second"):
        inside.wait(60)
        assert left.wait(60)
        warnings.warn("two", UserWarning, stacklevel=1)
    thread.join()

    assert caplog.messages == ["first: UserWarning: one", "second: UserWarning: two"]
    assert warnings.filters == before


def test_it_runs_in_worker_processes(tmp_path: Path) -> None:
    executor = make_executor(
        "loky", slots=1, objective=CLASSIFIER, metric="roc_auc", goal=Goal.MAXIMIZE, files=None, scratch=tmp_path
    )
    try:
        executor.submit(Trial(2, {"clf": "svc"}, seed=11, bar=float("nan")))
        (outcome,) = executor.wait(60)
    finally:
        executor.close()

    assert outcome.metrics == attempt(CLASSIFIER, {"clf": "svc"}).metrics


def test_data_is_loaded_once_by_all_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "counting_loader.py").write_text(
        "calls = []\ndef load():\n    calls.append(1)\n    return [[1.0], [2.0]], [1.0, 2.0]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    source = DataSource(loader="counting_loader.load")
    threads = [threading.Thread(target=data.load, args=(source,), kwargs={"stratify": False}) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sys.modules.pop("counting_loader").calls == [1]


FRAME = pd.DataFrame({"size": range(20), "rooms": [1.5] * 20, "price": [float(n) for n in range(20)]})


@pytest.fixture
def csv(tmp_path: Path) -> Callable[..., DataSource]:
    def write(frame: pd.DataFrame = FRAME, name: str = "homes.csv", **more: object) -> DataSource:
        file = tmp_path / name
        if file.suffix == ".csv":
            frame.to_csv(file, index=False)
        else:
            frame.to_parquet(file)
        return replace(DataSource(path=str(file), target="price"), **more)  # type: ignore[arg-type]

    return write


@pytest.mark.parametrize("name", ["homes.csv", "homes.parquet"])
def test_files_give_all_columns_but_the_target(name: str, csv: Callable[..., DataSource]) -> None:
    table = data.load(csv(name=name), stratify=False).train

    assert isinstance(table.x, pd.DataFrame)
    assert list(table.x.columns) == ["size", "rooms"]
    assert list(table.y) == list(FRAME["price"])  # type: ignore[call-overload]


def test_a_test_file_is_the_test_part_with_columns_in_our_order(csv: Callable[..., DataSource]) -> None:
    other = csv(FRAME[["price", "rooms", "size"]].iloc[:5], name="test.csv")
    parts = data.load(csv(test=other.path), stratify=False)

    assert parts.train.rows == 20
    assert parts.test is not None
    assert list(parts.test.x.columns) == ["size", "rooms"]  # type: ignore[attr-defined]


def test_the_description_names_columns_rows_and_both_parts(csv: Callable[..., DataSource]) -> None:
    source = csv(test=0.25)
    objective = replace(REGRESSOR, source=source)
    training, test = objective.describe_data()

    assert (training.name, training.context, training.rows, training.target) == ("homes", "training", 15, "price")
    assert (test.name, test.context, test.rows) == ("homes", "test", 5)
    assert training.source == test.source == source.path
    assert training.columns == (("size", "int64"), ("rooms", "float64"))
    assert len({training.digest, test.digest}) == 2
    assert all(len(part.digest) == 36 for part in (training, test))


def test_the_digest_changes_with_values_names_and_types_only(csv: Callable[..., DataSource]) -> None:
    def digest(frame: pd.DataFrame) -> str:
        data.forget()
        return replace(REGRESSOR, source=csv(frame, name="homes.parquet")).describe_data()[0].digest

    changed = FRAME.copy()
    changed.loc[3, "rooms"] = 1.6
    others = [changed, FRAME.rename(columns={"rooms": "baths"}), FRAME.astype({"size": "int32"}), FRAME.iloc[::-1]]
    digests = [digest(frame) for frame in [FRAME, *others]]

    assert digest(FRAME) == digests[0]
    assert len(set(digests)) == 5


def test_settings_travel_by_pickle() -> None:
    assert pickle.loads(pickle.dumps(CLASSIFIER)) == CLASSIFIER


def test_a_right_sweep_passes_the_check() -> None:
    CLASSIFIER.check(CLF_SPACE, "roc_auc")
    REGRESSOR.check(Space((Parameter("alpha", FloatRange(0.1, 1)), Parameter("solver", Constant("svd")))), "rmse_std")


def problems(objective: SklearnObjective, *parameters: Parameter, metric: str | None = None) -> list[str]:
    with pytest.raises(ObjectiveError) as caught:
        objective.check(Space(parameters), *([metric] if metric else []))
    return str(caught.value).splitlines()


def test_all_mistakes_are_said_together() -> None:
    objective = SklearnObjective(
        DataSource(loader="sklearn.datasets.load_breast_cancr"),
        ModelPlan("sklearn.svm.SVC"),
        ("roc_acu",),
    )
    found = problems(objective, Parameter("CC", FloatRange(0, 1)))

    assert len(found) == 3
    assert found[0].startswith("scoring: there is no scorer 'roc_acu'; did you mean 'roc_auc'?; all: accuracy, ")
    assert found[1].startswith("parameters.CC: SVC has no such parameter; did you mean 'C'?; it has C, break_ties, ")
    assert found[2].startswith("sklearn.datasets.load_breast_cancr: there is no 'load_breast_cancr' in ")
    assert found[2].endswith("did you mean 'load_breast_cancer'?")


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (ModelPlan("sklearn.svm.SCV"), "estimator: sklearn.svm.SCV: there is no 'SCV' in .*; did you mean 'SVC'"),
        (ModelPlan("sklearn.smv.SVC"), "estimator: sklearn.smv: there is no module 'sklearn.smv' .*did you mean 'svm'"),
        (ModelPlan("SVC"), "estimator: SVC: must be a dotted path"),
        (ModelPlan("math.pi"), "estimator: math.pi must be an estimator class, got float"),
        (ModelPlan("collections.OrderedDict"), "must have fit and set_params, got OrderedDict"),
        (ModelPlan("sklearn.multioutput.MultiOutputRegressor"), r"MultiOutputRegressor\(\) failed: TypeError"),
        (ModelPlan(steps=(("clf", "sklearn.svm.SCV"),)), r"pipeline\.clf: sklearn.svm.SCV: there is no 'SCV'"),
    ],
)
def test_an_estimator_that_cannot_be_made_is_said(plan: ModelPlan, message: str) -> None:
    with pytest.raises(ObjectiveError, match=message):
        replace(REGRESSOR, model=plan).check(Space(()))


def test_a_choice_that_cannot_be_made_is_said() -> None:
    plan = replace(CLASSIFIER.model, components={"clf": {"svc": "sklearn.svm.SVC", "forest": "sklearn.svm.Forest"}})

    found = problems(replace(CLASSIFIER, model=plan), *CLF_SPACE.parameters)
    assert len(found) == 1
    assert found[0].startswith("parameters.clf.choices.forest: sklearn.svm.Forest: there is no 'Forest' in ")


def test_a_parameter_is_checked_against_the_component_that_switches_it_on() -> None:
    clf = CLF_SPACE["clf"]

    (found,) = problems(CLASSIFIER, clf, Parameter("clf__C", FloatRange(0, 1), when={"clf": ["forest"]}))
    assert found.startswith("parameters.clf__C: RandomForestClassifier with clf: forest has no such parameter; it has ")
    (found,) = problems(CLASSIFIER, clf, Parameter("clf__max_dept", IntRange(1, 2), when={"clf": ["forest"]}))
    assert "did you mean 'clf__max_depth'?" in found or "did you mean 'max_depth'?" in found
    (found,) = problems(CLASSIFIER, clf, Parameter("clf__C", FloatRange(0, 1)))  # active under both
    assert "with clf: forest" in found
    (found,) = problems(CLASSIFIER, clf, Parameter("scale__with_maen", Choice((True, False))))
    assert "StandardScaler" in found
    (found,) = problems(CLASSIFIER, clf, Parameter("clff__C", FloatRange(0, 1)))
    assert found.startswith("parameters.clff__C: Pipeline with clf: svc has no such parameter")


def test_a_component_must_be_a_parameter_and_a_place_in_the_estimator() -> None:
    plan = replace(CLASSIFIER.model, components={"clff": CLF["clf"]})

    (found,) = problems(replace(CLASSIFIER, model=plan), Parameter("clff", Choice(("svc", "forest"))))
    assert found.startswith("parameters.clff: Pipeline with clff: svc has no such parameter; did you mean 'clf'?")
    (found,) = problems(replace(CLASSIFIER, model=plan))
    assert found == "parameters: the component 'clff' is no parameter of the space"


def test_a_component_within_a_component_is_set_after_it() -> None:
    plan = ModelPlan(
        steps=(("clf", "sklearn.svm.SVC"),),
        components={
            "clf__estimator": {"tree": "sklearn.tree.DecisionTreeClassifier", "svc": "sklearn.svm.SVC"},
            "clf": {"bag": "sklearn.ensemble.BaggingClassifier"},
        },
    )
    objective = replace(CLASSIFIER, model=plan)
    space = Space(
        (
            Parameter("clf", Constant("bag")),
            Parameter("clf__estimator", Choice(("tree", "svc"))),
            Parameter("clf__estimator__max_depth", IntRange(1, 3), when={"clf__estimator": ["tree"]}),
        )
    )
    objective.check(space)
    built = plan.build({"clf__estimator__max_depth": 2, "clf__estimator": "tree", "clf": "bag"}, seed=1)

    assert built.get_params()["clf__estimator__max_depth"] == 2


def test_a_metric_that_is_not_measured_is_said() -> None:
    (found,) = problems(CLASSIFIER, *CLF_SPACE.parameters, metric="roc_acu")

    assert found == "metric.name: 'roc_acu' is not measured; did you mean 'roc_auc'?; add it to scoring"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": "prise"}, "has no column 'prise'; did you mean 'price'?; it has size, rooms, price"),
        ({"path": "{folder}/home.csv"}, "there is no file {folder}/home.csv; did you mean 'homes.csv'?"),
        ({"path": "{folder}/homes.xlsx"}, "homes.xlsx must be a .csv or .parquet file"),
        ({"path": "{folder}/broken.parquet"}, "broken.parquet cannot be read: "),
        ({"test": "{folder}/narrow.csv"}, "must have the columns of {folder}/homes.csv; only one has rooms"),
        ({"test": 0.999}, "cannot split off a share of 0.999"),
        ({"loader": "json.loads", "path": ""}, "json.loads failed: TypeError"),
        ({"loader": "builtins.dict", "path": ""}, "must return X and y, or an object with data and target, got dict"),
        ({"loader": "math.pi", "path": ""}, "math.pi must be a function, got float"),
    ],
)
def test_data_that_cannot_be_used_is_said(
    change: dict[str, object], message: str, csv: Callable[..., DataSource], tmp_path: Path
) -> None:
    source = csv()
    csv(FRAME[["size", "price"]], name="narrow.csv")
    (tmp_path / "broken.parquet").write_text("no parquet")
    placed = {k: v.replace("{folder}", str(tmp_path)) if isinstance(v, str) else v for k, v in change.items()}

    with pytest.raises(ObjectiveError) as caught:
        data.load(replace(source, **placed), stratify=False)  # type: ignore[arg-type]
    assert message.replace("{folder}", str(tmp_path)) in str(caught.value)


def test_missing_target_values_are_counted(csv: Callable[..., DataSource]) -> None:
    frame = FRAME.copy()
    frame.loc[[2, 5], "price"] = None

    with pytest.raises(ObjectiveError, match=r"2 of 20 rows of .*homes\.csv have no target value"):
        data.load(csv(frame), stratify=False)


def test_columns_of_text_need_a_first_step_that_takes_them(csv: Callable[..., DataSource]) -> None:
    source = csv(FRAME.assign(city=["Rome", "Oslo"] * 10))
    plain = replace(REGRESSOR, source=source)

    (found,) = problems(plain)
    assert "has columns that are not numbers: city; begin the pipeline with an encoder" in found
    encoder = ("encode", "sklearn.preprocessing.OneHotEncoder")
    encoded = replace(plain, model=ModelPlan(steps=(encoder, ("fit", "sklearn.linear_model.Ridge"))))
    encoded.check(Space(()))
    outcome = attempt(encoded, {"encode__handle_unknown": "ignore"})
    assert outcome.state is State.COMPLETE, outcome.traceback


def test_too_few_rows_of_a_class_are_said(csv: Callable[..., DataSource]) -> None:
    source = csv(FRAME.assign(price=["a", "b"] + ["c"] * 18), test=0.5)

    (found,) = problems(replace(CLASSIFIER, source=source), *CLF_SPACE.parameters)
    assert found.startswith("data.test: cannot split off a share of 0.5: The least populated class")


def test_more_folds_than_rows_are_said(csv: Callable[..., DataSource]) -> None:
    (found,) = problems(replace(REGRESSOR, source=csv(), validation=Validation(folds=50)))

    assert found.startswith("cv: Cannot have number of splits n_splits=50 greater than the number of samples")


def test_more_folds_than_rows_of_any_class_are_said_with_a_number_that_works(csv: Callable[..., DataSource]) -> None:
    source = csv(FRAME.assign(price=["a"] * 3 + ["b"] * 3 + [str(n) for n in range(14)]))

    (found,) = problems(replace(CLASSIFIER, source=source, scoring=("accuracy",), validation=Validation(folds=5)),
                        *CLF_SPACE.parameters)  # fmt: skip

    assert "the largest, a, has 3; cv: {folds: 3} or fewer" in found


def test_a_scorer_that_cannot_score_the_classes_is_said_before_any_trial(csv: Callable[..., DataSource]) -> None:
    source = csv(FRAME.assign(price=["a", "b", "c", "a"] * 5))
    three = replace(CLASSIFIER, source=source, scoring=("accuracy", "roc_auc", "f1", "log_loss", "roc_auc_ovr"))

    auc, f1 = problems(three, *CLF_SPACE.parameters)

    assert auc.startswith("scoring: roc_auc cannot score this target (multiclass):")
    assert auc.endswith("for more than two classes write roc_auc_ovr")
    assert f1.endswith("for more than two classes write f1_macro")


def test_without_a_test_part_there_is_nothing_to_score_on() -> None:
    with pytest.raises(ObjectiveError, match="there is no test part"):
        CLASSIFIER.score_test({"clf": "svc"}, 0)


def test_rows_need_not_be_a_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trips_loader.py").write_text(
        "def load():\n"
        "    trips = [{'zone': str(n % 3), 'miles': float(n)} for n in range(30)]\n"
        "    return trips, [2 * trip['miles'] for trip in trips]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    source = DataSource(loader="trips_loader.load", test=0.2)
    steps = (("vector", "sklearn.feature_extraction.DictVectorizer"), ("fit", "sklearn.linear_model.Ridge"))
    objective = SklearnObjective(source, ModelPlan(steps=steps), ("rmse",), Validation(folds=3))
    kept = Kept()

    objective.check(Space((Parameter("fit__alpha", FloatRange(0.1, 1)),)), "rmse")
    assert attempt(objective, {"fit__alpha": 0.5}, bar=-1.0, kept=kept).state is State.COMPLETE
    assert len(kept.models[0][1]) == 5  # type: ignore[arg-type]
    assert objective.describe_data()[0].rows == 24
    assert set(objective.score_test({}, 0)) == {"test_rmse"}
    del sys.modules["trips_loader"]


def test_a_time_is_measured_beside_scores() -> None:
    timed = replace(CLASSIFIER, scoring=("roc_auc", "fit_seconds", "score_seconds"))
    outcome = attempt(timed, {"clf": "svc", "clf__C": 0.5})
    assert outcome.state is State.COMPLETE, outcome.traceback
    assert outcome.metrics["roc_auc"] == attempt(CLASSIFIER, {"clf": "svc", "clf__C": 0.5}).metrics["roc_auc"]
    assert 0 < outcome.metrics["fit_seconds"] < 60
    assert 0 < outcome.metrics["score_seconds"] < 60
    assert [report.metric for report in outcome.reports].count("fold_fit_seconds") == 3


def test_a_time_alone_says_not_how_good_a_model_is() -> None:
    with pytest.raises(ObjectiveError, match="scoring: fit_seconds is a time and says not how good a model is"):
        replace(CLASSIFIER, scoring=("fit_seconds",)).check(CLF_SPACE, "fit_seconds")
