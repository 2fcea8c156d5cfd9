"""`trial.autolog()`: what a trial's fits leave on its run, and that nothing about it can fail the trial."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from hpo.attempt import run_attempt
from hpo.autolog.described_model import DescribedModel, Description
from hpo.errors import TrialPruned
from hpo.masking import Secrets
from hpo.objective import TrialContext, TrialFiles
from hpo.replication import Replication, run_replicates
from hpo.secret_keeping import SecretKeepingFiles
from hpo.space import Params
from hpo.trial import Goal, Outcome, State, Trial
from hpo.trial_files import StoredFiles
from trackers.artifacts import ArtifactFolder

FLOWERS, KINDS = load_iris(return_X_y=True, as_frame=True)
Objective = Callable[[Params, TrialContext], float]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


def run(objective: Objective, place: Path, *, bar: float | None = None, files: TrialFiles | None = None) -> Outcome:
    trial = Trial(3, {}, seed=1, run_id="a" * 32, artifact_uri=str(place), bar=bar)
    kept = files or StoredFiles(ArtifactFolder())
    return run_attempt(objective, trial, metric="loss", goal=Goal.MINIMIZE, files=kept)


def paths(outcome: Outcome) -> set[str]:
    return {file.path for file in outcome.files}


def steps(outcome: Outcome, metric: str) -> list[int]:
    return [report.step for report in outcome.reports if report.metric == metric]


def fit_twice(_: Params, trial: TrialContext) -> float:
    LogisticRegression(max_iter=5000).fit(FLOWERS, KINDS)
    trial.autolog()
    trial.autolog()
    scaled = StandardScaler().fit_transform(FLOWERS)
    LogisticRegression(C=0.5).fit(scaled, KINDS)
    Ridge().fit(FLOWERS, KINDS)
    return 1.0


def test_fits_after_it_are_logged_with_scores_at_their_number(place: Path) -> None:
    outcome = run(fit_twice, place, bar=math.nan)
    assert outcome.state is State.COMPLETE
    assert outcome.tags == {"hpo.autolog": "2"}
    assert json.loads((place / "autolog/0/estimator.json").read_text())["params"]["C"] == 0.5
    assert {"autolog/0/confusion_matrix.svg", "autolog/1/residuals.svg"} < paths(outcome)
    assert steps(outcome, "training_score") == [0, 1]
    assert outcome.metrics == {"loss": 1.0}


def test_the_model_of_the_last_fit_is_kept_where_the_trial_is_good(place: Path) -> None:
    outcome = run(fit_twice, place)
    assert [model.path for model in outcome.models] == ["model"]
    assert "Ridge" in (place / "model/model.skops").read_bytes().decode("latin-1")
    assert "signature" in (place / "model/MLmodel").read_text()


def test_a_model_that_the_objective_offers_itself_is_the_one(place: Path) -> None:
    def objective(params: Params, trial: TrialContext) -> float:
        trial.log_model(LogisticRegression(max_iter=5000).fit(FLOWERS, KINDS), name="mine")
        return fit_twice(params, trial)

    assert [model.name for model in run(objective, place).models] == ["mine"]


def test_fits_of_other_trials_and_of_models_made_afterwards_are_not_logged(place: Path) -> None:
    def objective(_: Params, trial: TrialContext) -> float:
        trial.autolog()
        trial.log_model(lambda: Ridge().fit(FLOWERS, KINDS))
        return 1.0

    assert "hpo.autolog" not in run(objective, place).tags
    assert run(lambda params, trial: Ridge().fit(FLOWERS, KINDS).alpha, place).tags == {}


def test_of_many_fits_the_first_ones_and_the_last_are_described(place: Path) -> None:
    def objective(_: Params, trial: TrialContext) -> float:
        trial.autolog()
        for number in range(30):
            Ridge(alpha=number).fit(FLOWERS, KINDS)
        return 1.0

    outcome = run(objective, place, bar=math.nan)
    assert outcome.tags == {"hpo.autolog": "30"}
    assert steps(outcome, "training_score") == [*range(10), 29]
    assert json.loads((place / "autolog/29/estimator.json").read_text())["params"]["alpha"] == 29


def test_what_was_fitted_before_a_trial_failed_or_was_pruned_is_logged(place: Path) -> None:
    for error, state in ((RuntimeError("later"), State.FAILED), (TrialPruned("enough"), State.PRUNED)):

        def objective(_: Params, trial: TrialContext, error: Exception = error) -> float:
            trial.autolog()
            Ridge().fit(FLOWERS, KINDS)
            raise error

        outcome = run(objective, place)
        assert outcome.state is state
        assert "autolog/0/estimator.json" in paths(outcome)
        assert not outcome.models


def test_the_sweeps_own_metric_is_left_to_the_objective(place: Path) -> None:
    def objective(_: Params, trial: TrialContext) -> float:
        trial.autolog()
        Ridge().fit(FLOWERS, KINDS)
        return 0.25

    trial = Trial(0, {}, 1, run_id="a" * 32, artifact_uri=str(place), bar=math.nan)
    outcome = run_attempt(objective, trial, metric="training_score", goal=Goal.MAXIMIZE, files=None)
    assert outcome.metrics == {"training_score": 0.25}
    assert steps(outcome, "training_score") == []
    assert steps(outcome, "training_r2_score") == [0]


def test_nothing_that_goes_wrong_with_logging_fails_the_trial(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Hidden(Ridge):
        @property
        def predict(self) -> object:
            raise RuntimeError("nobody may look")

    class Unsafe(Ridge):
        """No type that a model file may hold."""

    def objective(_: Params, trial: TrialContext) -> float:
        trial.autolog()
        Hidden().fit(FLOWERS, KINDS)
        Unsafe().fit(FLOWERS, KINDS)
        return 1.0

    outcome = run(objective, place)
    assert outcome.state is State.COMPLETE, outcome.traceback
    assert outcome.tags["hpo.autolog"] == "1"
    assert "nobody may look" in outcome.tags["hpo.autolog_lost"]
    assert "cannot save model 'model': ModelError" in outcome.tags["hpo.autolog_lost"]
    assert "trial 3: not logged" in caplog.text
    caplog.clear()
    assert run(objective, place).tags == outcome.tags
    assert not caplog.text


def test_without_a_place_for_files_only_metrics_are_logged() -> None:
    trial = Trial(0, {}, 1)
    outcome = run_attempt(fit_twice, trial, metric="loss", goal=Goal.MINIMIZE, files=None)
    assert outcome.state is State.COMPLETE
    assert steps(outcome, "training_score") == [0, 1]
    assert not outcome.files


def test_secrets_among_parameters_are_not_written_down(place: Path) -> None:
    class Remote(Ridge):
        def __init__(self, alpha: float = 1.0, account: str = "") -> None:
            super().__init__(alpha)
            self.account = account

    def objective(_: Params, trial: TrialContext) -> float:
        trial.autolog()
        Remote(account="tomato-soup").fit(FLOWERS, KINDS)
        return 1.0

    keeping = SecretKeepingFiles(StoredFiles(ArtifactFolder()), Secrets(values=frozenset({"tomato-soup"})))
    outcome = run(objective, place, bar=math.nan, files=keeping)
    assert "autolog/0/estimator.json" in paths(outcome)
    assert "tomato" not in (place / "autolog/0/estimator.json").read_text()
    assert json.loads((place / "autolog/0/estimator.json").read_text())["params"]["account"] == "***"


def test_a_function_given_to_log_model_may_describe_what_it_made(place: Path) -> None:
    def objective(_: Params, trial: TrialContext) -> float:
        model = Ridge().fit(FLOWERS, KINDS)
        trial.log_model(lambda: DescribedModel(model, lambda: Description({"a.json": "{}"}, {"training_r2": 0.5})))
        return 1.0

    outcome = run(objective, place)
    assert (place / "model/autolog/a.json").read_text() == "{}"
    assert [(report.metric, report.value) for report in outcome.reports] == [("training_r2", 0.5)]
    assert not run(objective, place / "other", bar=0.5).files


def test_a_model_whose_description_fails_is_kept(place: Path) -> None:
    def objective(_: Params, trial: TrialContext) -> float:
        trial.log_model(lambda: DescribedModel(Ridge().fit(FLOWERS, KINDS), lambda: Description({}, {"x": 1 / 0})))
        return 1.0

    outcome = run(objective, place)
    assert outcome.models
    assert "division by zero" in outcome.tags["hpo.autolog_lost"]


def test_replicates_log_their_own_fits_and_the_trial_keeps_the_first_ones_model(place: Path) -> None:
    trial = Trial(0, {}, 1, run_id="b" * 32, artifact_uri=str(place / ("b" * 32)))
    files = StoredFiles(ArtifactFolder())
    goals = {"loss": Goal.MINIMIZE}
    outcome = run_replicates(
        lambda own, gathered: run_attempt(
            fit_twice, own, metric="loss", goal=Goal.MINIMIZE, files=files, gathered=gathered
        ),
        trial,
        Replication(2, "mean"),
        goals=goals,
        files=files,
        keeps=lambda _: True,
    )
    assert outcome.state is State.COMPLETE, outcome.traceback
    assert all("autolog/1/estimator.json" in paths(each) for each in outcome.replicates)
    assert [model.path for model in outcome.models] == ["model"]


def test_a_described_model_of_replicates_leaves_its_scores_on_the_trial(place: Path) -> None:
    def objective(_: Params, trial: TrialContext) -> float:
        model = Ridge().fit(FLOWERS, KINDS)
        trial.log_model(lambda: DescribedModel(model, lambda: Description({"a.json": "{}"}, {"training_r2": 0.5})))
        return 1.0

    files = StoredFiles(ArtifactFolder())
    outcome = run_replicates(
        lambda own, gathered: run_attempt(
            objective, own, metric="loss", goal=Goal.MINIMIZE, files=files, gathered=gathered
        ),
        Trial(0, {}, 1, run_id="b" * 32, artifact_uri=str(place / ("b" * 32))),
        Replication(2, "mean"),
        goals={"loss": Goal.MINIMIZE},
        files=files,
        keeps=lambda _: True,
    )
    assert "model/autolog/a.json" in paths(outcome)
    assert steps(outcome, "training_r2") == [0]
    assert outcome.metrics == {"loss": 1.0, "loss_std": 0.0}
