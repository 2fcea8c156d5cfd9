"""A sweep that prunes, on the reference tracker: what is recorded, counted, told, and that it repeats."""

import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import cloudpickle
import pytest
from sweep_bench import Bench, Objective

from hpo import ranking
from hpo.budget import Budget, Stop
from hpo.errors import TrialPruned
from hpo.interruption import Interruption
from hpo.objective import TrialContext
from hpo.plan import Plan
from hpo.progress import Progress
from hpo.pruners.names import make_pruner
from hpo.samplers.names import make_sampler
from hpo.space import FloatRange, Parameter, Params, Space
from hpo.trial import Goal, Outcome, State, Trial
from hpo.watcher import Silence
from trackers.records import Run, Status

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test file

SPACE = Space((Parameter("level", FloatRange(0.0, 1.0)), Parameter("speed", FloatRange(0.1, 1.0))))
Facts = list[tuple[int, str, Mapping[str, object], list[int]]]


def learning(params: Params, trial: TrialContext) -> float:
    """A learning curve; some trials fail on the way, some end without a report."""
    level, speed = float(params["level"] or 0), float(params["speed"] or 0)
    if trial.number % 11 == 7:
        return 2.0
    for step in range(1, 9):
        if trial.number % 7 == 6 and step == 4:
            raise ValueError("diverged")
        trial.report(step, level + (1 - speed) ** step)
    return level + (1 - speed) ** 8


def search(
    bench: Bench,
    objective: Objective = learning,
    *,
    pruner: str = "asha",
    n_trials: int = 30,
    window: int | None = 4,
    slots: int = 1,
    backend: str = "serial",
    engine: str = "optuna",
    watcher: Silence | None = None,
    interruption: Interruption | None = None,
    **budget: float,
) -> Stop:
    options = {"asha": {"min_resource": 1, "reduction_factor": 2}, "median": {"n_startup_trials": 3}}
    plan = Plan("loss", Goal.MINIMIZE, 7, window, Budget(n_trials, **budget))
    early = {"n_startup_trials": 5} if engine == "optuna" else {"n_startup_jobs": 5}
    return bench.drive(
        plan,
        make_sampler(engine, "tpe", SPACE, seed=7, goal=plan.goal, window=window, options=early),
        objective,
        backend=backend,
        slots=slots,
        watcher=watcher,
        interruption=interruption,
        pruner=make_pruner(pruner, goal=plan.goal, seed=7, window=window, options=options[pruner]),
    )


def facts(bench: Bench) -> Facts:
    """Number, state, params and the steps reported of every trial."""
    return [
        (of.trial.number, of.trial.state, of.trial.params, [p.step for p in bench.tracker.history(of.id, "loss")])
        for of in bench.trials()
        if of.trial
    ]


def test_a_pruned_trial_is_killed_with_its_reports_and_without_a_value(bench: Bench) -> None:
    ended: list[Outcome] = []

    class Looking(Silence):
        def trial_ended(self, trial: Trial, outcome: Outcome, progress: Progress) -> None:
            ended.append(outcome)

    assert search(bench, watcher=Looking()) is Stop.N_TRIALS
    pruned = bench.trials("PRUNED")
    assert 5 < len(pruned) < 25
    assert {(run.status, run.trial.value, run.trial.reason) for run in pruned if run.trial} == {
        (Status.KILLED, None, "")
    }
    for outcome in ended:
        if outcome.state is State.PRUNED:
            run = next(run for run in pruned if run.trial and run.trial.number == outcome.number)
            points = bench.tracker.history(run.id, "loss")
            assert [(p.step, p.value) for p in points] == [(r.step, r.value) for r in outcome.reports]
            assert len(points) < 8
    assert len(bench.trials()) == 30


def test_a_pruned_trial_is_never_among_the_best(bench: Bench) -> None:
    search(bench)
    best = ranking.best(bench.tracker, bench.parent, "loss", Goal.MINIMIZE, limit=100)
    assert {run.trial.state for run in best if run.trial} == {"COMPLETE"}
    assert len(best) == len(bench.trials("COMPLETE"))


def test_pruned_trials_count_neither_as_failures_nor_against_patience(bench: Bench) -> None:
    def all_but_three(params: Params, trial: TrialContext) -> float:
        if trial.number not in (0, 6, 12):
            raise TrialPruned
        return 1.0

    assert search(bench, all_but_three, n_trials=40, window=1, max_failures=1, patience=2) is Stop.PATIENCE
    assert len(bench.trials()) == 13  # 0 is the best, 6 and 12 are no better
    assert len(bench.trials("PRUNED")) == 10


@pytest.mark.everyday(count=6)
@pytest.mark.parametrize("engine", ["optuna", "hyperopt"])
@pytest.mark.parametrize("pruner", ["asha", "median"])
@pytest.mark.parametrize(("backend", "slots"), [("threading", 2), ("loky", 2), ("loky", 4)])
def test_the_same_trials_are_pruned_at_the_same_steps_for_any_workers(
    bench: Bench, tmp_path: Path, pruner: str, backend: str, slots: int, engine: str
) -> None:
    golden = Bench(tmp_path / "golden")
    search(golden, pruner=pruner, engine=engine)
    search(bench, pruner=pruner, engine=engine, backend=backend, slots=slots)
    assert facts(bench) == facts(golden)
    assert len(golden.trials("PRUNED")) > 5


@pytest.mark.parametrize("cut", [1, 6, 17])
@pytest.mark.parametrize("engine", ["optuna", "hyperopt"])
def test_an_interrupted_sweep_goes_on_to_the_same_trials(bench: Bench, tmp_path: Path, cut: int, engine: str) -> None:
    golden = Bench(tmp_path / "golden")
    search(golden, engine=engine)
    interruption = Interruption()

    class Interrupting(Silence):
        def trial_ended(self, trial: Trial, outcome: Outcome, progress: Progress) -> None:
            if progress.ended == cut:
                interruption.ask(grace=0.0)

    stop = search(bench, engine=engine, backend="threading", slots=3, watcher=Interrupting(), interruption=interruption)
    assert stop is Stop.INTERRUPTED
    assert search(bench, engine=engine, backend="threading", slots=2) is Stop.N_TRIALS
    assert facts(bench) == facts(golden)


def test_odd_values_are_judged_alike_after_they_were_read_back(bench: Bench, tmp_path: Path) -> None:
    def odd(params: Params, trial: TrialContext) -> float:
        values = [float("inf"), float("nan"), -1.0 + trial.number % 5, 0.1, float("-inf")]
        for step, value in enumerate(values[trial.number % 4 :]):
            trial.report(step % 3 + 1, value + float(params["level"] or 0))  # some steps twice, and out of order
        return float(params["level"] or 0)

    golden = Bench(tmp_path / "golden")
    search(golden, odd, pruner="median")
    for n_trials in (3, 11, 18, 30):
        search(bench, odd, pruner="median", n_trials=n_trials)
    assert facts(bench) == facts(golden)
    assert len(golden.trials("PRUNED")) > 3


def test_a_trial_that_runs_again_is_judged_by_its_new_reports_alone(bench: Bench) -> None:
    def lost_once(params: Params, trial: TrialContext) -> float:
        marker = bench.scratch / f"lost{trial.number}"
        if trial.number == 2 and not marker.exists():
            marker.touch()
            trial.report(1, 99.0)
            raise KeyboardInterrupt
        for step in range(1, 4):
            trial.report(step, 1.0 - trial.number / 100)
        return 1.0 - trial.number / 100

    with pytest.raises(KeyboardInterrupt):
        search(bench, lost_once, n_trials=6, window=1, pruner="median")
    assert search(bench, lost_once, n_trials=6, window=1, pruner="median") is Stop.N_TRIALS
    assert [state for _, state, _, _ in facts(bench)] == ["COMPLETE"] * 6


def test_it_is_said_once_that_nothing_is_reported(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        search(bench, lambda params, trial: 1.0, n_trials=5, window=1)
    said = [record.getMessage() for record in caplog.records]
    assert said == ["trial 0 reported nothing, so the pruner cannot judge it: call trial.report(step, value)"]


def test_a_trial_that_runs_again_waits_for_those_it_is_judged_by(bench: Bench) -> None:
    def objective(params: Params, trial: TrialContext) -> float:
        if trial.number == 0:
            time.sleep(0.3)
            (bench.scratch / "ended").touch()
        trial.set_tag("after", (bench.scratch / "ended").exists())
        return 1.0

    search(bench, objective, n_trials=8, window=2)
    (bench.scratch / "ended").unlink()
    found = bench.tracker.find

    def as_waiting(run: Run) -> Run:  # as a failed one that is retried
        again = run.trial is not None and run.trial.number in (0, 6)
        return replace(run, trial=replace(run.trial, state="WAITING")) if again and run.trial else run

    bench.tracker.find = lambda query: [as_waiting(run) for run in found(query)]  # type: ignore[method-assign]
    search(bench, objective, n_trials=8, window=2, backend="threading", slots=2)
    bench.tracker.find = found  # type: ignore[method-assign]
    assert [run.tags["after"] for run in bench.trials() if run.trial and run.trial.number in (0, 6)] == ["True"] * 2
    assert [run.trial.attempt for run in bench.trials() if run.trial] == [2, 1, 1, 1, 1, 1, 2, 1]
