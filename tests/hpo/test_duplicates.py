"""Points that come twice: taken over, drawn again or run again, alike for any workers and after interruptions."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from sweep_bench import Bench

from hpo.budget import Budget, Stop
from hpo.duplicates import REUSED_TAG, Duplicates
from hpo.interruption import Interruption
from hpo.objective import TrialContext
from hpo.plan import Plan
from hpo.progress import Progress
from hpo.samplers.names import make_sampler
from hpo.space import Choice, IntRange, Parameter, Params, Space
from hpo.sweep import AT_ONCE
from hpo.trial import Goal, Outcome, Trial
from hpo.watcher import Silence
from trackers.records import Run

SPACE = Space((Parameter("x", IntRange(1, 4)), Parameter("same", Choice((True, 1, 1.0)))))
ONE = Space((Parameter("x", Choice(("only",))),))


def odd_fail(params: Params, trial: TrialContext) -> Mapping[str, float]:
    if params["x"] == 3:
        raise ValueError("three")
    trial.log_metric("reported", 7.0, step=2)
    return {"loss": float(trial.number), "other": -1.5}


def search(
    bench: Bench,
    duplicates: str,
    *,
    n_trials: int = 30,
    slots: int = 1,
    cut: int = 0,
    sampler: str = "random",
    space: Space = SPACE,
    window: int | None = 3,
) -> Stop:
    plan = Plan("loss", Goal.MINIMIZE, 7, window, Budget(n_trials))
    interruption = Interruption()

    class Interrupting(Silence):
        def trial_ended(self, trial: Trial, outcome: Outcome, progress: Progress) -> None:
            if progress.ended == cut:
                interruption.ask(grace=0.0)

    def objective(params: Params, trial: TrialContext) -> Mapping[str, float]:
        bench.ran.append(trial.number)
        return odd_fail(params, trial) if "same" in params else {"loss": 1.0}

    return bench.drive(
        plan,
        make_sampler("optuna", sampler, space, seed=7, goal=plan.goal, window=window, options={}),
        objective,
        backend="threading" if slots > 1 else "serial",
        slots=slots,
        watcher=Interrupting(),
        interruption=interruption,
        duplicates=duplicates,
    )


def facts(bench: Bench) -> list[tuple[object, ...]]:
    source = {run.id: run.trial.number for run in bench.trials() if run.trial}
    return [
        (t.number, repr(t.params), t.state, t.value, source.get(run.tags.get(REUSED_TAG, "")), dict(run.metrics))
        for run in bench.trials()
        if (t := run.trial)
    ]


def point(run: Run) -> str:
    return repr(run.trial.params) if run.trial else ""


def test_a_known_point_takes_the_metrics_of_the_first_trial_that_ran_it(bench: Bench) -> None:
    assert search(bench, "reuse") is Stop.N_TRIALS
    runs = bench.trials()
    reused = [run for run in runs if REUSED_TAG in run.tags]
    assert len(runs) == 30
    assert sorted(bench.ran) == [run.trial.number for run in runs if run.trial and run not in reused]
    assert len(reused) > 5
    by_id = {run.id: run for run in runs}
    for run in reused:
        source = by_id[run.tags[REUSED_TAG]]
        assert run.trial
        assert source.trial
        assert run.trial.number - source.trial.number >= 3
        assert point(run) == point(source)
        assert REUSED_TAG not in source.tags
        assert run.metrics == source.metrics == {"loss": source.trial.value, "other": -1.5, "reported": 7.0}
        assert (run.trial.state, run.trial.seconds) == ("COMPLETE", 0.0)
    failed = [run for run in runs if run.trial and run.trial.state == "FAILED"]
    assert len(failed) > 4
    assert not any(REUSED_TAG in run.tags for run in failed)


@pytest.mark.everyday(count=2)
@pytest.mark.parametrize("sampler", ["random", "tpe"])
@pytest.mark.parametrize("rule", ["reuse", "resample"])
def test_the_trials_are_the_same_for_any_workers_and_after_any_interruption(
    bench: Bench, tmp_path: Path, rule: str, sampler: str
) -> None:
    search(bench, rule, sampler=sampler)
    golden = [of[:5] if of[4] is None else of for of in facts(bench)]
    for slots, cut in ((3, 0), (2, 9), (1, 1), (1, 17)):
        again = Bench(tmp_path)
        search(again, rule, slots=slots, cut=cut, sampler=sampler)
        if cut:
            assert len(again.trials()) < 30
            search(again, rule, slots=slots, sampler=sampler)
        assert [of[:5] if of[4] is None else of for of in facts(again)] == golden


def test_points_are_drawn_again_until_they_are_new_as_far_as_there_are_any(bench: Bench) -> None:
    search(bench, "resample", n_trials=11)
    assert set(Counter(map(point, bench.trials())).values()) == {1}
    search(bench, "resample", n_trials=40)
    assert len(bench.trials()) == 40
    assert len(set(map(point, bench.trials()))) == 12


def test_points_are_run_again_where_nothing_else_is_asked_for(bench: Bench) -> None:
    search(bench, "replicate")
    assert sorted(bench.ran) == list(range(30))
    assert len(set(map(point, bench.trials()))) < 13


@pytest.mark.parametrize("window", [1, 3, None])
def test_a_space_of_one_point_is_run_as_often_as_the_window_asks(bench: Bench, window: int | None) -> None:
    count = 2 * AT_ONCE + 50
    assert search(bench, "reuse", n_trials=count, space=ONE, window=window) is Stop.N_TRIALS
    assert len(bench.trials()) == count
    assert bench.ran == list(range(window or 1))
    assert all(run.trial and run.trial.state == "COMPLETE" for run in bench.trials())


def test_a_sampler_that_has_no_other_point_is_taken_at_its_word() -> None:
    rule = Duplicates("resample")
    rule.asked({"x": 1})
    assert rule.fresh(1, {"x": 1}, lambda number, attempt: None) == {"x": 1}
    assert rule.fresh(1, {"x": 1}, lambda number, attempt: {"x": attempt}) == {"x": 2}
    assert rule.fresh(1, {"x": 1.0}, lambda number, attempt: None) == {"x": 1.0}
