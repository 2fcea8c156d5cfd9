"""One attempt: everything an objective can do, and the Outcome it becomes."""

import math
import pickle
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from hpo.attempt import run_attempt
from hpo.live_trial import LiveTrial
from hpo.objective import TrialContext
from hpo.trial import Goal, Outcome, SavedFile, SavedModel, State, Trial

HERE = Path(__file__).name


class FolderFiles:
    """Real files in a folder; a model is its repr in a file."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def save_file(self, artifact_uri: str, source: Path, name: str) -> list[SavedFile]:
        target = self.root / artifact_uri / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
            kept = sorted(path for path in target.rglob("*") if path.is_file())
        else:
            shutil.copyfile(source, target)
            kept = [target]
        return [SavedFile(str(f.relative_to(self.root / artifact_uri)), f.stat().st_size, "0" * 64) for f in kept]

    def save_model(
        self, artifact_uri: str, model: object, *, name: str, run_id: str, input_example: object
    ) -> tuple[SavedModel, list[SavedFile]]:
        path = self.root / artifact_uri / name / "model.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{model!r} {run_id} {input_example!r}")
        saved = SavedFile(f"{name}/model.txt", path.stat().st_size, "0" * 64)
        return SavedModel("m-" + "0" * 32, name, name, "test"), [saved]


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(3, {"x": 1}, seed=9, run_id="abc", attempt=2, directory=str(tmp_path / "3-2"), artifact_uri="run3")


Attempt = Callable[..., Outcome]


@pytest.fixture
def attempt(trial: Trial, tmp_path: Path) -> Attempt:
    def attempt(objective: Callable[..., object], bar: float | None = None, goal: Goal = Goal.MAXIMIZE) -> Outcome:
        outcome = run_attempt(
            objective,  # type: ignore[arg-type]  # wrong results are what is tested
            replace(trial, bar=bar),
            metric="score",
            goal=goal,
            files=FolderFiles(tmp_path / "kept"),
        )
        assert pickle.loads(pickle.dumps(outcome)) == outcome or math.isnan(outcome.metrics["score"])
        assert (outcome.number, outcome.attempt) == (3, 2)
        return outcome

    return attempt


def gives(result: object) -> Callable[..., object]:
    return lambda params, trial: result


NUMBERS = {
    "int": 3,
    "float": 3.0,
    "numpy float32": np.float32(3),
    "numpy int64": np.int64(3),
    "numpy array without dimensions": np.array(3.0),
    "Decimal": Decimal("3.0"),
    "Fraction": Fraction(6, 2),
    "a mapping": {"score": np.float64(3)},
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_a_number_is_the_value_of_the_metric(kind: str, attempt: Attempt) -> None:
    outcome = attempt(gives(NUMBERS[kind]))

    assert (outcome.state, outcome.reason, outcome.error) == (State.COMPLETE, "", "")
    assert outcome.metrics == {"score": 3.0}
    assert type(outcome.metrics["score"]) is float


WRONG = {
    "NaN": (float("nan"), "nonfinite", "score = nan"),
    "inf": (float("inf"), "nonfinite", "score = inf"),
    "numpy NaN": (np.float32("nan"), "nonfinite", "score = nan"),
    "Decimal sNaN": (Decimal("sNaN"), "nonfinite", "score = nan"),
    "NaN in a mapping": ({"score": float("-inf"), "other": 1}, "nonfinite", "score = -inf"),
    "None": (None, "invalid_result", "got None; does the objective return?"),
    "bool": (True, "invalid_result", "got bool True"),
    "numpy bool": (np.bool_(True), "invalid_result", "got bool"),
    "text": ("0.5", "invalid_result", "got str '0.5'"),
    "complex": (1 + 2j, "invalid_result", "got complex (1+2j)"),
    "huge int": (10**400, "invalid_result", "must fit into a float, got int of about 10**400"),
    "list": ([0.5], "invalid_result", "got list [0.5]"),
    "numpy array": (np.array([0.5, 0.6]), "invalid_result", "got ndarray"),
    "object": (object(), "invalid_result", "got object"),
    "text in a mapping": ({"score": 1.0, "other": "high"}, "invalid_result", "other of the result must be a number"),
    "a metric without a name": ({"score": 1.0, "": 2.0}, "invalid_result", "must have 1 to 250 characters"),
    "a long name": ({"score": 1.0, "n" * 251: 2.0}, "invalid_result", "got 251"),
    "a number as a name": ({1: 2.0}, "invalid_result", "the name of a metric must be a string, got int 1"),
    "other metrics": ({"f1": 1, "auc": 2}, "no_result", "must hold the sweep's metric 'score', got 'f1', 'auc'"),
    "an empty mapping": ({}, "no_result", "got no metric at all"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_anything_else_fails_with_its_reason(kind: str, attempt: Attempt) -> None:
    result, reason, message = WRONG[kind]
    outcome = attempt(gives(result))

    assert (outcome.state, outcome.reason) == (State.FAILED, reason)
    assert message in outcome.error


def test_other_metrics_may_be_infinite_and_keep_plain_names(attempt: Attempt) -> None:
    class Name(StrEnum):
        SCORE = "score"

    outcome = attempt(gives({Name.SCORE: 1, np.str_("ratio"): float("inf")}))

    assert outcome.metrics == {"score": 1.0, "ratio": float("inf")}
    assert {type(name) for name in outcome.metrics} == {str}


def raises(error: BaseException | type[BaseException]) -> Callable[..., object]:
    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        raise error

    return objective


class Speechless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Unpicklable(BaseException):
    def __init__(self) -> None:
        super().__init__("held")
        self.frame = sys._getframe()


RAISED = {
    "an exception": (ValueError("bad eta\nsecond line"), "exception", "ValueError: bad eta"),
    "sys.exit": (SystemExit(2), "exception", "SystemExit: 2"),
    "without a message": (ValueError(), "exception", "ValueError"),
    "out of memory": (MemoryError("20 GiB"), "oom", "MemoryError: 20 GiB"),
    "an exception that cannot say what it is": (Speechless(), "exception", "Speechless: its message cannot be shown"),
    "an exception that cannot be pickled": (Unpicklable(), "exception", "Unpicklable: held"),
    "text that is not Unicode": (OSError("file \udcff\x00"), "exception", "OSError: file \\udcff\\x00"),
    "an exception group": (ExceptionGroup("both", [ValueError("a")]), "exception", "ExceptionGroup: both"),
}


@pytest.mark.parametrize("kind", RAISED)
def test_what_an_objective_raises_is_recorded(kind: str, attempt: Attempt) -> None:
    error, reason, line = RAISED[kind]
    outcome = attempt(raises(error))

    assert (outcome.state, outcome.reason) == (State.FAILED, reason)
    assert outcome.error.startswith(line)
    assert "\n" not in outcome.error
    outcome.traceback.encode("utf-8")
    assert type(error).__name__ in outcome.traceback


def test_a_traceback_begins_in_the_objective_and_keeps_the_cause(attempt: Attempt) -> None:
    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        try:
            return 1 / 0
        except ZeroDivisionError as error:
            raise ValueError("no division") from error

    lines = attempt(objective).traceback.splitlines()

    assert lines[-1] == "ValueError: no division"
    assert "The above exception was the direct cause of the following exception:" in lines
    assert all(HERE in line for line in lines if line.startswith("  File"))


def test_a_huge_message_is_cut_and_says_so(attempt: Attempt) -> None:
    outcome = attempt(raises(ValueError("start " + "x" * 50_000_000 + " end")))

    assert outcome.error.startswith("ValueError: start xxx")
    assert len(outcome.error) == 500
    assert len(outcome.traceback) < 20_100
    assert "characters were cut here" in outcome.traceback
    assert outcome.traceback.rstrip().endswith(" end")


def test_endless_recursion_is_an_exception_like_others(attempt: Attempt) -> None:
    def objective(params: Mapping[str, object], trial: TrialContext) -> object:
        return objective(params, trial)

    outcome = attempt(objective)

    assert outcome.error.startswith("RecursionError")
    assert len(outcome.traceback) < 20_100


def test_ctrl_c_in_the_main_thread_is_not_the_trials_failure(attempt: Attempt) -> None:
    with pytest.raises(KeyboardInterrupt):
        attempt(raises(KeyboardInterrupt))


def test_what_was_gathered_before_a_failure_is_kept(attempt: Attempt) -> None:
    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        trial.report(0, 0.25)
        trial.log_metric("speed", np.float32(2), step=np.int64(7))  # type: ignore[arg-type]
        trial.log_metric("speed", float("inf"))
        trial.set_tag("kind", 5)
        (trial.dir / "a.txt").write_text("a")
        trial.log_artifact(trial.dir / "a.txt")
        raise ValueError("late")

    outcome = attempt(objective)

    assert outcome.state is State.FAILED
    assert [(r.metric, r.value, r.step) for r in outcome.reports] == [
        ("score", 0.25, 0),
        ("speed", 2.0, 7),
        ("speed", float("inf"), 0),
    ]
    assert {type(r.step) for r in outcome.reports} == {int}
    assert all(abs(r.timestamp - outcome.started) < 60_000 for r in outcome.reports)
    assert outcome.tags == {"kind": "5"}
    assert [file.path for file in outcome.files] == ["a.txt"]


def test_time_is_measured(attempt: Attempt) -> None:
    outcome = attempt(gives(1))

    assert outcome.started > 1_700_000_000_000
    assert 0 <= outcome.seconds < 60


def test_the_context_shows_number_seed_and_an_empty_folder(attempt: Attempt, tmp_path: Path) -> None:
    (tmp_path / "3-2").mkdir()
    (tmp_path / "3-2/of-an-earlier-driver").touch()

    def objective(params: Mapping[str, object], trial: TrialContext) -> Mapping[str, float]:
        assert list(trial.dir.iterdir()) == []
        assert trial.dir is trial.dir
        return {"score": trial.number, "seed": trial.seed}

    assert attempt(objective).metrics == {"score": 3.0, "seed": 9.0}


def test_a_folder_is_kept_with_all_it_holds(attempt: Attempt, tmp_path: Path) -> None:
    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        (trial.dir / "plots/deep").mkdir(parents=True)
        (trial.dir / "plots/deep/a.txt").touch()
        (trial.dir / "plots/b.txt").touch()
        trial.log_artifact(str(trial.dir / "plots"), name="figures/all")
        return 1

    assert [file.path for file in attempt(objective).files] == ["figures/all/b.txt", "figures/all/deep/a.txt"]


MISUSES: Mapping[str, tuple[Callable[[TrialContext], object], str]] = {
    "a report that is no number": (lambda t: t.report(0, "0.5"), "metric 'score' must be a number, got str '0.5'"),  # type: ignore[arg-type]
    "a bool as a metric": (lambda t: t.log_metric("a", True), "metric 'a' must be a number, got bool True"),
    "a fraction of a step": (lambda t: t.report(0.5, 1.0), "step must be a whole number, got float 0.5"),  # type: ignore[arg-type]
    "a step beyond 64 bits": (lambda t: t.report(2**63, 1.0), "step must be a whole number of 64 bits"),
    "a metric without a name": (lambda t: t.log_metric(" ", 1), "the name of a metric must have 1 to 250 characters"),
    "a tag with a newline": (lambda t: t.set_tag("a\nb", 1), "the name of a tag must be printable"),
    "a path that climbs": (lambda t: t.log_artifact(__file__, "../x"), "must be a relative path"),
    "an absolute path": (lambda t: t.log_artifact(__file__, "/x"), "must be a relative path"),
    "a Windows path": (lambda t: t.log_artifact(__file__, "C:\\x"), "must be a relative path"),
    "a missing file": (lambda t: t.log_artifact("nowhere.png"), "there is no file or folder"),
    "a model that climbs": (lambda t: t.log_model(1, "../model"), "must be a relative path"),
    "no model": (lambda t: t.log_model(None), "needs a fitted model"),
}


@pytest.mark.parametrize("kind", MISUSES)
def test_a_misuse_of_the_context_says_the_rule(kind: str, attempt: Attempt) -> None:
    outcome = attempt(lambda params, trial: MISUSES[kind][0](trial))

    assert (outcome.state, outcome.reason) == (State.FAILED, "exception")
    assert MISUSES[kind][1] in outcome.error


def test_a_model_is_kept_only_if_the_value_reaches_the_bar(attempt: Attempt, tmp_path: Path) -> None:
    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        trial.log_model("a model", input_example=[1])
        assert not (tmp_path / "kept").exists()
        return 0.5

    assert attempt(objective, bar=0.51).models == ()
    assert attempt(objective, bar=float("nan")).models == ()
    assert not (tmp_path / "kept").exists()
    kept = attempt(objective, bar=0.5)
    assert [model.name for model in kept.models] == ["model"]
    assert [file.path for file in kept.files] == ["model/model.txt"]
    assert (tmp_path / "kept/run3/model/model.txt").read_text() == "'a model' abc [1]"
    shutil.rmtree(tmp_path / "kept")
    assert len(attempt(objective, bar=0.6, goal=Goal.MINIMIZE).models) == 1


def test_a_model_is_made_only_if_it_is_kept(attempt: Attempt, tmp_path: Path) -> None:
    made = []

    def make(name: str) -> str:
        made.append(name)
        return name

    def objective(params: Mapping[str, object], trial: TrialContext) -> float:
        trial.log_model(lambda: make("first"), "first")
        trial.log_model(partial(make, "second"), "second")
        return 0.5

    assert attempt(objective, bar=0.9).state is State.COMPLETE
    assert made == []
    assert [model.name for model in attempt(objective, bar=0.1).models] == ["first", "second"]
    assert made == ["first", "second"]


def test_a_callable_object_is_itself_a_model(attempt: Attempt, tmp_path: Path) -> None:
    class Network:
        def __call__(self) -> None:
            raise AssertionError("was called")

        def __repr__(self) -> str:
            return "network"

    attempt(lambda params, trial: trial.log_model(Network()) or 1.0)

    assert (tmp_path / "kept/run3/model/model.txt").read_text().startswith("network")


def test_a_failed_trial_keeps_no_model(attempt: Attempt) -> None:
    assert attempt(lambda params, trial: trial.log_model("m") or math.nan).models == ()


def test_a_maker_that_fails_fails_the_trial_and_keeps_its_metrics(attempt: Attempt) -> None:
    outcome = attempt(lambda params, trial: trial.log_model(lambda: 1 / 0) or 0.5)

    assert (outcome.state, outcome.reason) == (State.FAILED, "exception")
    assert outcome.metrics == {"score": 0.5}


@pytest.mark.parametrize("what", ["log_artifact", "log_model"])
def test_files_that_cannot_be_saved_fail_the_trial(what: str, attempt: Attempt, tmp_path: Path) -> None:
    (tmp_path / "kept").touch()  # a file where the folder should be

    outcome = attempt(lambda params, trial: getattr(trial, what)(__file__, name="x") or 0.5)

    assert (outcome.state, outcome.reason) == (State.FAILED, "artifact")
    assert outcome.error.startswith("SaveFailed: cannot save ")
    assert "FileExistsError" in outcome.error or "NotADirectoryError" in outcome.error
    assert outcome.models == ()


def test_without_a_place_for_files_saving_is_a_clear_error(trial: Trial) -> None:
    def attempt(objective: Callable[..., float]) -> Outcome:
        return run_attempt(objective, trial, metric="score", goal=Goal.MAXIMIZE, files=None)

    outcome = attempt(lambda params, trial: trial.log_artifact(__file__) or 1.0)

    assert outcome.reason == "artifact"
    assert "started without a place for artifacts" in outcome.error
    assert attempt(lambda params, trial: 1.0).state is State.COMPLETE


def test_the_live_trial_shows_what_the_protocol_says_and_no_more() -> None:
    def public(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert public(LiveTrial) == public(TrialContext)
