"""The driver on the reference tracker: what it asks, records, keeps and tells."""

import json
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import cloudpickle
import pytest
from sweep_bench import Bench, Objective

from hpo.budget import Budget, Stop
from hpo.interruption import Interruption
from hpo.objective import TrialContext
from hpo.plan import Plan
from hpo.progress import Progress
from hpo.samplers.names import make_sampler
from hpo.space import FloatRange, Parameter, Params, Space
from hpo.sweep import SLOW_ASK
from hpo.trial import Goal, Outcome, Result, State, Trial
from hpo.watcher import Silence
from trackers.records import Status

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test file

SPACE = Space((Parameter("x", FloatRange(0.0, 1.0)), Parameter("y", FloatRange(1e-3, 1.0, log=True))))


def square(params: Params, trial: TrialContext) -> float:
    return (float(params["x"] or 0) - 0.3) ** 2


def every_third_fails(params: Params, trial: TrialContext) -> float:
    if trial.number % 3 == 2:
        raise ValueError("third")
    return float(params["x"] or 0)


def search(
    bench: Bench,
    objective: Objective = square,
    *,
    n_trials: int = 8,
    window: int | None = 1,
    slots: int = 1,
    backend: str = "serial",
    sampler: str = "random",
    watcher: Silence | None = None,
    interruption: Interruption | None = None,
    **budget: float,
) -> Stop:
    plan = Plan("loss", Goal.MINIMIZE, 7, window, Budget(n_trials, **budget))
    asked = make_sampler("optuna", sampler, SPACE, seed=7, goal=plan.goal, window=window, options={})
    return bench.drive(plan, asked, objective, backend=backend, slots=slots, watcher=watcher, interruption=interruption)


def facts(bench: Bench) -> list[tuple[int, str, Mapping[str, object]]]:
    return [(run.trial.number, run.trial.state, run.trial.params) for run in bench.trials() if run.trial]


def test_every_trial_is_a_child_run_with_typed_params_and_its_value(bench: Bench) -> None:
    assert search(bench, n_trials=5) is Stop.N_TRIALS
    runs = bench.trials()
    assert [run.trial.number for run in runs if run.trial] == [0, 1, 2, 3, 4]
    assert all(run.parent_id == bench.parent and run.status is Status.FINISHED for run in runs)
    for run in runs:
        assert run.trial is not None
        assert SPACE.contains(run.trial.params)
        assert run.metrics["loss"] == run.trial.value == pytest.approx((float(run.params["x"] or 0) - 0.3) ** 2)


def test_the_parent_tells_the_truth_when_the_sweep_is_over(bench: Bench) -> None:
    search(bench, every_third_fails, n_trials=6)
    parent = bench.tracker.get(bench.parent)
    assert parent.status is Status.FINISHED
    progress = json.loads(parent.tags["hpo.progress"])
    assert (progress["complete"], progress["failed"], progress["running"], progress["n_trials"]) == (4, 2, 0, 6)
    best = min(
        (run for run in bench.trials() if run.trial and run.trial.value is not None), key=lambda r: r.metrics["loss"]
    )
    assert best.trial is not None
    assert parent.tags["hpo.best_trial"] == str(best.trial.number)
    assert parent.metrics["loss"] == best.trial.value


def test_the_parent_tells_the_truth_while_the_sweep_runs(bench: Bench) -> None:
    seen: list[int] = []

    class Looking(Silence):
        def trial_ended(self, trial: Trial, outcome: Outcome, progress: Progress) -> None:
            seen.append(json.loads(bench.tags()["hpo.progress"])["complete"])
            recorded = [run for run in bench.trials() if run.trial and run.trial.number == trial.number]
            assert recorded[0].status is Status.FINISHED  # told only after it is on record

    search(bench, n_trials=3, watcher=Looking())
    assert seen == [1, 2, 3]


def test_a_failure_is_recorded_with_its_reason_and_does_not_stop_the_sweep(bench: Bench) -> None:
    assert search(bench, every_third_fails, n_trials=6) is Stop.N_TRIALS
    failed = [run.trial for run in bench.trials() if run.trial and run.trial.state == "FAILED"]
    assert [trial.number for trial in failed] == [2, 5]
    assert failed[0].reason == "exception"
    assert "ValueError: third" in failed[0].error
    assert "every_third_fails" in failed[0].traceback


def test_max_failures_stops_the_sweep_and_marks_the_parent(bench: Bench) -> None:
    assert search(bench, every_third_fails, n_trials=50, max_failures=2) is Stop.FAILURES
    assert len(bench.trials()) == 6
    assert bench.tracker.get(bench.parent).status is Status.FAILED


def test_a_grid_smaller_than_the_budget_ends_early(
    tmp_path: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = Space((Parameter("x", FloatRange(0.0, 1.0, step=0.25)),))
    monkeypatch.setitem(globals(), "SPACE", space)
    assert search(bench, n_trials=20, sampler="grid") is Stop.EXHAUSTED
    assert sorted(float(params["x"]) for _, _, params in facts(bench)) == [0.0, 0.25, 0.5, 0.75, 1.0]  # type: ignore[arg-type]


def test_where_nobody_learns_a_long_trial_holds_up_no_other(bench: Bench) -> None:
    others_ran = threading.Event()

    def objective(params: Params, trial: TrialContext) -> float:
        if trial.number == 7:
            others_ran.set()
        if trial.number == 0 and not others_ran.wait(60):
            raise TimeoutError("trial 7 was not started")
        return 0.0

    plan = Plan("loss", Goal.MINIMIZE, 7, 2, Budget(8, max_failures=2), learns=False)
    sampler = make_sampler("optuna", "random", SPACE, seed=7, goal=plan.goal, window=2, options={})

    assert bench.drive(plan, sampler, objective, backend="threading", slots=2) is Stop.N_TRIALS
    assert [state for _, state, _ in facts(bench)] == ["COMPLETE"] * 8


class SlowSampler:
    """Takes its time; notes which trial it was asked for knowing how many."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.told = 0
        self.third = threading.Event()

    def ask(self, numbers: range) -> list[Params]:
        time.sleep(2 * SLOW_ASK)
        self.asked.append((numbers[0], self.told))
        if numbers[0] == 2:
            self.third.set()
        return [{"x": 0.5}]

    def redraw(self, number: int, attempt: int) -> None:
        return None

    def tell(self, trial: Trial, result: Result) -> None:
        self.told += 1


def test_trials_are_asked_for_while_others_run_and_know_what_they_would_know_later(bench: Bench) -> None:
    sampler = SlowSampler()

    def objective(params: Params, trial: TrialContext) -> float:
        if not sampler.third.wait(60):
            raise TimeoutError("trial 2 was not asked for")
        return 0.0

    plan = Plan("loss", Goal.MINIMIZE, 7, 3, Budget(9, max_failures=1))
    assert bench.drive(plan, sampler, objective, backend="threading", slots=2) is Stop.N_TRIALS
    assert sampler.asked == [(number, max(0, number - 2)) for number in range(9)]


def test_the_time_of_a_sweep_ends_for_trials_that_are_asked_for_already(bench: Bench) -> None:
    sampler = SlowSampler()

    def objective(params: Params, trial: TrialContext) -> float:
        sampler.third.wait(60)
        time.sleep(0.3)
        return 0.0

    plan = Plan("loss", Goal.MINIMIZE, 7, 3, Budget(9, timeout=0.2))
    assert bench.drive(plan, sampler, objective, backend="threading", slots=2) is Stop.TIMEOUT
    assert len(sampler.asked) > len(bench.trials()) == 2


@pytest.mark.parametrize("sampler", ["random", "tpe"])
@pytest.mark.parametrize(("backend", "slots"), [("serial", 1), ("threading", 2), ("threading", 4), ("loky", 2)])
def test_the_same_window_gives_the_same_trials_for_any_workers(
    bench: Bench, tmp_path: Path, backend: str, slots: int, sampler: str
) -> None:
    golden = Bench(tmp_path)
    search(golden, every_third_fails, n_trials=24, window=4, sampler=sampler)
    search(bench, every_third_fails, n_trials=24, window=4, sampler=sampler, backend=backend, slots=slots)
    assert facts(bench) == facts(golden)


def test_patience_ends_at_the_same_trial_for_any_workers(bench: Bench, tmp_path: Path) -> None:
    golden = Bench(tmp_path)
    assert search(golden, n_trials=100, window=4, patience=5) is Stop.PATIENCE
    assert search(bench, n_trials=100, window=4, patience=5, backend="threading", slots=4) is Stop.PATIENCE
    assert facts(bench) == facts(golden)


@pytest.mark.parametrize("sampler", ["random", "tpe"])
@pytest.mark.parametrize("cut", [1, 4, 9])
def test_an_interrupted_sweep_goes_on_to_the_same_trials(bench: Bench, tmp_path: Path, cut: int, sampler: str) -> None:
    golden = Bench(tmp_path)
    search(golden, every_third_fails, n_trials=15, window=3, sampler=sampler)
    interruption = Interruption()

    class Interrupting(Silence):
        def trial_ended(self, trial: Trial, outcome: Outcome, progress: Progress) -> None:
            if progress.ended == cut:
                interruption.ask(grace=0.0)

    stop = search(bench,
        every_third_fails, n_trials=15, window=3, sampler=sampler, backend="threading", slots=2,
        watcher=Interrupting(), interruption=interruption,
    )  # fmt: skip
    assert stop is Stop.INTERRUPTED
    assert "RUNNING" not in {state for _, state, _ in facts(bench)}
    assert bench.tracker.get(bench.parent).status is Status.KILLED
    assert search(bench, every_third_fails, n_trials=15, window=3, sampler=sampler) is Stop.N_TRIALS
    assert facts(bench) == facts(golden)


def test_a_complete_sweep_grows_to_what_a_larger_budget_gives_at_once(bench: Bench, tmp_path: Path) -> None:
    golden = Bench(tmp_path)
    search(golden, n_trials=20, sampler="tpe")
    search(bench, n_trials=12, sampler="tpe")
    search(bench, n_trials=20, sampler="tpe")
    assert facts(bench) == facts(golden)


def test_ctrl_c_in_a_trial_leaves_nothing_running(bench: Bench) -> None:
    def interrupted(params: Params, trial: TrialContext) -> float:
        if trial.number == 2:
            raise KeyboardInterrupt
        return 1.0

    with pytest.raises(KeyboardInterrupt):
        search(bench, interrupted, n_trials=5)
    states = [state for _, state, _ in facts(bench)]
    assert states == [State.COMPLETE, State.COMPLETE, State.WAITING]
