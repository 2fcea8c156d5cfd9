"""The driver of a sweep by several metrics, on the reference tracker: the same trials always, and a front."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from sweep_bench import Bench

from hpo.attempt import run_attempt
from hpo.budget import Budget, Judge, Stop
from hpo.front import front
from hpo.front_on_record import front_of, goals_of, several_of
from hpo.interruption import Interruption
from hpo.kept_models import FrontModels
from hpo.objective import TrialContext
from hpo.plan import Plan
from hpo.samplers.names import make_sampler
from hpo.space import FloatRange, Parameter, Params, Space
from hpo.trial import Goal, Result, SavedFile, SavedModel, State, Trial
from trackers.records import LoggedModel, Run, RunUpdated, Status, SweepFacts

SPACE = Space((Parameter("x", FloatRange(0.0, 1.0)), Parameter("y", FloatRange(0.0, 1.0))))
GOALS = {"gain": Goal.MAXIMIZE, "cost": Goal.MINIMIZE}
CONFIG = {"metrics": [{"name": name, "goal": goal.value} for name, goal in GOALS.items()]}
OPTIONS = {"tpe": {"n_startup_trials": 6}, "nsga2": {"population_size": 4}}


def objective(params: Params, trial: TrialContext) -> Mapping[str, float]:
    if trial.number % 9 == 4:
        raise ValueError("now and then")
    x, y = float(params["x"] or 0), float(params["y"] or 0)
    return {"cost": x + y / 2, "gain": x**0.5 - y / 4, "beside": y}


def new_bench(scratch: Path) -> Bench:
    """A sweep by gain and cost."""
    return Bench(scratch, SweepFacts(json.dumps(CONFIG), "hash", "gain", "maximize", 1, 4))


def search(
    bench: Bench,
    sampler: str = "nsga2",
    *,
    n_trials: int = 20,
    slots: int = 1,
    interruption: Interruption | None = None,
    **more: int,
) -> Stop:
    plan = Plan("gain", Goal.MAXIMIZE, 7, 4, Budget(n_trials, **more), {"cost": Goal.MINIMIZE})
    asked = make_sampler(
        "optuna",
        sampler,
        SPACE,
        seed=7,
        goal=plan.goal,
        others=[Goal.MINIMIZE],
        window=4,
        options=OPTIONS.get(sampler, {}),
    )
    backend = "serial" if slots == 1 else "threading"
    return bench.drive(plan, asked, objective, backend=backend, slots=slots, interruption=interruption)


def params_of(bench: Bench) -> list[Params]:
    return [run.trial.params for run in bench.trials() if run.trial]


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "random"])
def test_the_trials_are_the_same_for_any_number_of_slots_and_after_a_break(tmp_path: Path, sampler: str) -> None:
    benches = [new_bench(tmp_path / str(n)) for n in range(4)]
    for bench, slots in zip(benches, (1, 2, 4), strict=False):
        assert search(bench, sampler, slots=slots) is Stop.N_TRIALS
    for n_trials in (3, 11, 20):
        search(benches[3], sampler, n_trials=n_trials)
    assert len(params_of(benches[0])) == 20
    assert all(params_of(bench) == params_of(benches[0]) for bench in benches)


def test_the_parent_says_how_large_the_front_is_and_names_no_best(tmp_path: Path) -> None:
    bench = new_bench(tmp_path)
    search(bench)
    parent = bench.tracker.get(bench.parent)
    found = front_of(bench.tracker, parent)
    assert json.loads(parent.tags["hpo.progress"])["front"] == len(found.members) > 1
    assert parent.status is Status.FINISHED
    assert "hpo.best_trial" not in parent.tags
    assert parent.metrics == {}


def test_the_front_on_record_is_that_of_the_complete_trials(tmp_path: Path) -> None:
    bench = new_bench(tmp_path)
    search(bench, "random")
    parent = bench.tracker.get(bench.parent)
    complete = [run for run in bench.trials() if run.trial and run.trial.state == State.COMPLETE]
    points = [(run.metrics["gain"], run.metrics["cost"]) for run in complete]
    found = front_of(bench.tracker, parent)
    assert [run.id for run in found.members] == [complete[n].id for n in front(points, list(GOALS.values()))]
    gains = [run.metrics["gain"] for run in found.members]
    assert gains == sorted(gains, reverse=True)
    assert found.hypervolume is not None
    assert found.hypervolume > 0
    cheap = front_of(bench.tracker, parent, "metrics.cost < 0.4")
    assert cheap.members
    assert all(run.metrics["cost"] < 0.4 for run in cheap.members)


def test_a_sweep_by_one_metric_has_no_front() -> None:
    facts = SweepFacts("{}", "hash", "loss", "minimize", 1, 1)
    assert goals_of(facts) == {"loss": Goal.MINIMIZE}
    parent = Run("a" * 32, "bench", "bench", Status.RUNNING, started=1, ended=None, artifact_uri="", sweep=facts)
    assert several_of(parent) == {}


def test_patience_waits_for_the_front_to_reach_farther() -> None:
    judge = Judge(Budget(100, patience=3), Goal.MAXIMIZE, [Goal.MINIMIZE])
    values = [(1.0, 1.0), (0.0, 0.0), (0.5, 2.0), (1.0, 1.0), (2.0, 3.0), (1.5, 3.0), (1.5, 3.0), (0.5, 1.0)]
    stopped = []
    for number, point in enumerate(values):
        judge.tell(Trial(number, {}, 0), Result(State.COMPLETE, point[0], values=point))
        stopped.append(judge.verdict(number, 0.0))
    assert stopped == [None] * 7 + [Stop.PATIENCE]  # two that are beaten or equal, one that is news, and three more


def test_patience_ends_a_sweep(tmp_path: Path) -> None:
    bench = new_bench(tmp_path)
    assert search(bench, "random", n_trials=500, patience=12) is Stop.PATIENCE
    assert 12 < len(bench.trials()) < 200


@pytest.mark.parametrize(
    ("result", "reason", "words"),
    [
        ({"gain": 1.0}, "no_result", "'cost'"),
        ({"gain": 1.0, "cost": float("nan")}, "nonfinite", "cost = nan"),
        (1.0, "invalid_result", "a mapping of the metrics gain, cost"),
    ],
)
def test_a_trial_without_one_of_the_metrics_fails(result: object, reason: str, words: str) -> None:
    outcome = run_attempt(
        lambda params, trial: result,  # type: ignore[arg-type]  # that is the point
        Trial(0, {}, 0),
        metric="gain",
        goal=Goal.MAXIMIZE,
        others={"cost": Goal.MINIMIZE},
        files=None,
    )
    assert (outcome.state, outcome.reason) == (State.FAILED, reason)
    assert words in outcome.error


def model(number: int) -> Sequence[LoggedModel]:
    return [LoggedModel(f"m-{number}", "model", "model", "sklearn")]


def test_models_stay_as_long_as_nobody_beats_their_trial() -> None:
    deleted: list[int] = []
    models = FrontModels(
        tuple(GOALS.values()), lambda trial, path: deleted.append(trial.number), lambda run: run == "4"
    )

    def add(number: int, *values: float) -> list[RunUpdated]:
        trial = Trial(number, {}, 0, run_id=str(number))
        return models.add(trial, values[0] if values else None, model(number), values)

    assert add(0, 1.0, 1.0) == []
    assert add(1, 1.0, 1.0) == []  # an equal one is no worse
    assert [change.run_id for change in add(2, 0.5, 1.5)] == ["2"]
    assert [change.run_id for change in add(3)] == ["3"]
    assert [change.run_id for change in add(4, 1.0, 0.5)] == ["0", "1"]
    assert models.place(Trial(5, {}, 0)).front == ((1.0, 0.5),)
    assert add(5, 2.0, 0.1) == []  # somebody has registered number 4 meanwhile
    models.delete_dropped()
    assert deleted == [2, 3, 0, 1]


@pytest.mark.parametrize(("cost", "is_kept"), [(0.5, True), (1.0, True), (1.5, False)])
def test_a_worker_makes_no_model_for_a_trial_that_is_beaten_already(cost: float, is_kept: bool) -> None:
    made: list[str] = []

    class Files:
        def save_file(self, artifact_uri: str, source: Path, name: str) -> list[SavedFile]:
            raise AssertionError("there are none")

        def save_model(
            self, artifact_uri: str, model: object, *, name: str, run_id: str, input_example: object
        ) -> tuple[SavedModel, list[SavedFile]]:
            made.append(name)
            return SavedModel("m-1", name, name, "sklearn"), []

    def fitting(params: Params, trial: TrialContext) -> Mapping[str, float]:
        trial.log_model({"weights": [1, 2]})
        return {"gain": 1.0, "cost": cost}

    run_attempt(
        fitting,
        Trial(0, {}, 0, front=[(1.0, 1.0)]),
        metric="gain",
        goal=Goal.MAXIMIZE,
        others={"cost": Goal.MINIMIZE},
        files=Files(),
    )
    assert bool(made) is is_kept
