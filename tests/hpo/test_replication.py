"""Points that are run several times: the aggregate, the runs below the trial, failures, pruning, models."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo import run
from hpo.cli.trial_view import trial_details, trial_fields
from hpo.executors.names import make_executor
from hpo.executors.result_folder import ResultFolder
from hpo.objective import Objective, TrialContext
from hpo.replication import COUNT_TAG, Replication, replicate_of
from hpo.space import Params
from hpo.sweep_records import REPLICATE_TAG
from hpo.trial import Goal, Outcome, Question, State, Trial
from trackers.opening import open_store
from trackers.records import Query, Run

TRIAL = Trial(5, {"x": 1.0}, seed=42, run_id="c" * 32, artifact_uri=f"mem/{'c' * 32}/artifacts-2", attempt=2)
THREE = Replication(3, "mean")


def by_seed(params: Params, trial: TrialContext) -> Mapping[str, float]:
    trial.report(1, 100.0)
    trial.set_tag("seed", trial.seed)
    return {"loss": float(trial.seed % 7), "loss_std": 9.0, "other": float(trial.seed % 5)}


def outcome_of(objective: Objective, replication: Replication = THREE, **settings: object) -> Outcome:
    executor = make_executor(
        "serial", slots=1, objective=objective, metric="loss", goal=Goal.MINIMIZE, files=None,
        scratch=Path("unused"), inner_threads=None, replication=replication, asks="answer" in settings,
    )  # fmt: skip
    try:
        executor.submit(TRIAL)
        answer = settings.get("answer", lambda _: False)
        (outcome,) = executor.wait(None, answer)  # type: ignore[arg-type]
        return outcome
    finally:
        executor.close()


def test_each_replicate_has_a_seed_and_a_run_of_its_own_that_follow_from_the_trial() -> None:
    replicates = [replicate_of(TRIAL, index) for index in range(3)]
    assert [again.seed for again in replicates] == [42, replicate_of(TRIAL, 1).seed, replicate_of(TRIAL, 2).seed]
    assert len({again.seed for again in replicates} | {again.run_id for again in replicates} | {TRIAL.run_id}) == 7
    assert all(again.artifact_uri == f"mem/{again.run_id}/artifacts-2" for again in replicates)
    again = replicate_of(replace(TRIAL, attempt=3), 1)
    assert (again.seed, again.run_id) == (replicates[1].seed, replicates[1].run_id)


def test_the_metrics_are_the_aggregates_and_say_how_far_they_spread() -> None:
    outcome = outcome_of(by_seed)
    losses = [float(replicate_of(TRIAL, index).seed % 7) for index in range(3)]
    assert [again.metrics["loss"] for again in outcome.replicates] == losses
    assert outcome.metrics["loss"] == pytest.approx(statistics.fmean(losses))
    assert outcome.metrics["loss_std"] == pytest.approx(statistics.stdev(losses))
    assert outcome.metrics.keys() == {"loss", "loss_std", "other", "other_std"}
    assert outcome.tags == {COUNT_TAG: "3", "seed": "42"}
    means = [statistics.fmean(losses[:count]) for count in (1, 2, 3)]
    assert [report.step for report in outcome.reports] == [1, 2, 3]
    assert [report.value for report in outcome.reports] == pytest.approx(means)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=9), st.floats(0, 5))
def test_aggregates_are_what_their_formulas_say(values: list[float], margin: float) -> None:
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / math.sqrt(len(values))
    for goal, sign in ((Goal.MINIMIZE, 1), (Goal.MAXIMIZE, -1)):
        bound = Replication(len(values), "lcb", margin).value(values, goal)
        assert bound == pytest.approx(mean + sign * margin * error, abs=1e-5)
    assert Replication(2, "lcb", margin).value(values, None) == pytest.approx(mean, abs=1e-6)
    assert Replication(2, "median").value(values, Goal.MINIMIZE) == pytest.approx(float(np.median(values)))


def test_huge_and_infinite_values_do_no_harm() -> None:
    assert Replication(2, "mean").value([1.5e308, 1.7e308], Goal.MINIMIZE) == pytest.approx(1.6e308)
    found = [{"loss": 1e200, "other": math.inf}, {"loss": 3e200, "other": 1.0}]
    metrics = Replication(2, "lcb").metrics(found, {"loss": Goal.MAXIMIZE})
    assert metrics["loss"] == pytest.approx(2e200 - math.sqrt(2) * 1e200 / math.sqrt(2))
    assert metrics["loss_mean"] == pytest.approx(2e200)
    assert math.isnan(metrics["other"])
    assert "other_std" not in metrics


def test_a_failing_replicate_fails_the_trial_and_the_rest_is_not_run() -> None:
    seeds: list[int] = []

    def second_fails(params: Params, trial: TrialContext) -> float:
        seeds.append(trial.seed)
        if len(seeds) == 2:
            raise ValueError("unlucky")
        return 1.0

    outcome = outcome_of(second_fails)
    assert (outcome.state, outcome.reason) == (State.FAILED, "exception")
    assert outcome.error.startswith("replicate 2 of 3 (seed 1): ValueError: unlucky")
    assert [again.state for again in outcome.replicates] == [State.COMPLETE, State.FAILED]
    assert outcome.metrics == {}
    assert len(seeds) == 2


@pytest.mark.parametrize("each", [False, True])
def test_a_pruner_is_asked_between_replicates_with_the_aggregate_so_far(each: bool) -> None:
    asked: list[float] = []

    def answer(question: Question) -> bool:
        asked.extend(report.value for report in question.reports)
        return len(asked) == 2

    outcome = outcome_of(by_seed, Replication(4, "mean", each=each), answer=answer)
    losses = [float(replicate_of(TRIAL, index).seed % 7) for index in range(2)]
    assert outcome.state is State.PRUNED
    assert asked == [losses[0], losses[1] if each else statistics.fmean(losses)]
    assert len(outcome.replicates) == 2
    assert outcome.tags[COUNT_TAG] == "2"


def test_what_a_worker_wrote_down_is_read_back_with_its_replicates(tmp_path: Path) -> None:
    outcome = replace(outcome_of(by_seed), seconds=1.0)
    folder = ResultFolder(tmp_path)
    folder.save(outcome)
    assert folder.adopt([TRIAL]) == [outcome]


SWEEP = """
name: lucky
metric: {name: loss}
objective: {python: "lucky:objective"}
parameters: {x: {type: float, low: 0, high: 1}}
replicates: {seeds: 3, aggregate: mean}
engine: {sampler: tpe, seed: 3, options: {n_startup_trials: 3}}
budget: {n_trials: 8}
parallel: {backend: serial, window: 2}
"""
OBJECTIVE = """
from random import Random

def objective(params, trial):
    if trial.number == 4 and trial.seed % 2:
        raise ValueError("odd")
    from sklearn.linear_model import Ridge
    trial.log_model(lambda: Ridge(alpha=trial.seed % 1000 + 1).fit([[0.0], [1.0]], [0.0, 1.0]))
    return params["x"] + Random(trial.seed).gauss(0, 1)
"""

MOODY = """
from pathlib import Path

def objective(params, trial):
    mood = Path("mood").read_text()
    if mood == "bad" or (mood == "mixed" and trial.seed % 3 == 0):
        raise OSError(mood)
    return 1.0
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("HPO_TRACKER", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "lucky.py").write_text(OBJECTIVE)
    (tmp_path / "lucky.yaml").write_text(SWEEP)
    return tmp_path


def recorded(run_id: str) -> list[tuple[Run, list[Run]]]:
    with open_store("sqlite:///mlflow.db", read_only=True) as store:
        trials = store.tracker.find(Query(parent=run_id))
        return [(trial, list(store.tracker.find(Query(parent=trial.id)))) for trial in trials]


def test_replicates_are_runs_below_their_trial_and_the_best_is_the_aggregate_s(folder: Path) -> None:
    result = run("lucky.yaml")
    found = recorded(result.run_id)
    assert len(found) == len(result.trials()) == 8
    for trial, below in found:
        facts = trial.trial
        assert facts
        assert [(again.name, again.tags[REPLICATE_TAG]) for again in below] == [
            (f"trial-{facts.number}-seed-{index}", str(index)) for index in range(len(below))
        ]
        assert all(again.params == trial.params and again.parent_id == trial.id for again in below)
        if facts.state == State.COMPLETE:
            values = [again.trial.value for again in below if again.trial and again.trial.value is not None]
            assert facts.value == trial.metrics["loss"] == pytest.approx(statistics.fmean(values))
            assert trial.metrics["loss_std"] == pytest.approx(statistics.stdev(values))
    assert {state for trial, _ in found if (state := trial.trial and trial.trial.state)} == {"COMPLETE", "FAILED"}
    best = min((trial for trial, _ in found if trial.trial and trial.trial.value is not None), key=_value)
    assert result.best_trial
    assert result.best_trial.id == best.id
    assert [model.name for model in best.models] == ["model"]
    assert [trial.id for trial, below in found if trial.models or any(again.models for again in below)] == [best.id]


def test_nothing_of_an_earlier_attempt_is_left_below_a_trial_that_runs_again(folder: Path) -> None:
    (folder / "moody.py").write_text(MOODY)

    def reasons_in(mood: str) -> list[list[str]]:
        (folder / "mood").write_text(mood)
        overrides = ["objective.python=moody:objective", "budget.n_trials=4", "budget.max_failures=null"]
        found = recorded(run("lucky.yaml", overrides=overrides, retry_failed=True).run_id)
        return [[one.trial.reason for one in below if one.trial] for _, below in found]

    first = reasons_in("mixed")
    assert [""] * 3 in first
    assert ["", "", "exception"] in first
    assert reasons_in("bad") == [reasons if reasons == [""] * 3 else ["exception"] for reasons in first]
    assert reasons_in("good") == [[""] * 3] * 4


def test_a_trial_is_shown_with_its_replicates(folder: Path) -> None:
    result = run("lucky.yaml", overrides=["budget.n_trials=1"])
    with open_store("sqlite:///mlflow.db", read_only=True) as store:
        trial = result.trials()[0]
        details, fields = trial_details(store.tracker, trial), trial_fields(store.tracker, trial)
    replicates = details["replicates"]
    assert isinstance(replicates, list)
    assert [again["name"] for again in replicates] == ["trial-0-seed-0", "trial-0-seed-1", "trial-0-seed-2"]
    shown = fields["replicates"]
    assert isinstance(shown, Mapping)
    value, seed = replicates[1]["value"], replicates[1]["seed"]
    assert shown["trial-0-seed-1"] == f"COMPLETE {value:.6g} with seed {seed}"


@pytest.mark.slow
def test_pruned_between_replicates_they_repeat_for_any_slots_and_after_an_interruption(folder: Path) -> None:
    pruner = ["pruner={name: median, options: {n_startup_trials: 2}}", "budget.n_trials=12"]
    golden = recorded(run("lucky.yaml", overrides=pruner).run_id)
    pruned = [below for trial, below in golden if trial.trial and trial.trial.state == "PRUNED"]
    assert pruned
    assert {len(below) for below in pruned} <= {1, 2}
    threads = ["name=threads", "parallel.n_jobs=2", "parallel.backend=threading", "budget.n_trials=6"]
    run("lucky.yaml", overrides=[*pruner, *threads])
    again = recorded(run("lucky.yaml", overrides=[*pruner, *threads[:3]]).run_id)
    assert [_facts(trial, below) for trial, below in again] == [_facts(trial, below) for trial, below in golden]


def test_replicates_repeat_for_any_number_of_slots(folder: Path) -> None:
    golden = recorded(run("lucky.yaml").run_id)
    threads = ["name=threads", "parallel.n_jobs=2", "parallel.backend=threading"]
    again = recorded(run("lucky.yaml", overrides=threads).run_id)
    assert [_facts(trial, below) for trial, below in again] == [_facts(trial, below) for trial, below in golden]


def test_finalists_are_run_again_with_seeds_that_the_search_has_not_seen(folder: Path) -> None:
    register = "register={name: m, top: 2, seeds: 2}"
    result = run("lucky.yaml", overrides=[register, "replicates.seeds=2", "budget.n_trials=4"])
    assert result.registered
    finalists = [(trial, below) for trial, below in recorded(result.run_id) if len(below) > 2]
    assert len(finalists) == 2
    for trial, below in finalists:
        assert [again.name for again in below] == [f"{trial.name}-seed-{index}" for index in range(4)]
        assert len({again.trial.seed for again in below if again.trial}) == 4
        values = [again.metrics["loss"] for again in below[2:]]
        assert trial.metrics["seeds_mean_loss"] == pytest.approx(statistics.fmean(values))


def _value(run: Run) -> float:
    return run.trial.value if run.trial and run.trial.value is not None else math.inf


def _facts(trial: Run, below: list[Run]) -> list[object]:
    runs = [one.trial for one in (trial, *below) if one.trial]
    return [(one.number, one.params, one.state, one.value, one.seed) for one in runs]
