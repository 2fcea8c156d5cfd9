"""Finalists run again with other seeds: below their trials, none of the sweep, each ended one once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import pytest

from hpo.errors import BrokenOff
from hpo.executor import Executor
from hpo.executors.serial_executor import SerialExecutor
from hpo.executors.work import Work
from hpo.interruption import Interruption
from hpo.objective import TrialContext
from hpo.replicates import ReRuns
from hpo.space import Params
from hpo.sweep_records import REPLICATE_TAG, SweepRecords
from hpo.trial import Goal, Metrics, State, Trial, derive_seed
from trackers.memory_tracker import MemoryTracker
from trackers.records import Point, Query, Run, RunEnded, RunStarted, Status, SweepFacts, TrialFacts

SWEEP = "5" * 32


@dataclass
class Objective:
    """Gives x plus the last digit of the seed; fails or raises where it is told to."""

    ran: list[tuple[float, int]] = field(default_factory=list)
    fails_at: int = -1
    stops_at: int = -1
    stop: Callable[[], None] = lambda: None

    def __call__(self, params: Params, trial: TrialContext) -> Metrics:
        if len(self.ran) == self.stops_at:
            self.stop()
        self.ran.append((float(params["x"] or 0), trial.seed))
        if len(self.ran) - 1 == self.fails_at:
            raise ValueError("no luck")
        value = float(params["x"] or 0) + trial.seed % 10
        return {"loss": value, "loss_std": 1.0, "size": 3.0, "odd": float("nan")}


@dataclass
class World:
    """A sweep in memory with three complete trials, and what runs them again."""

    folder: Path
    objective: Objective = field(default_factory=Objective)
    interruption: Interruption = field(default_factory=Interruption)
    tracker: MemoryTracker = field(default_factory=lambda: MemoryTracker("/artifacts"))
    made: list[Executor] = field(default_factory=list)
    ids: Iterator[int] = field(default_factory=lambda: count(1000))

    def __post_init__(self) -> None:
        self.tracker.experiment("e")
        facts = SweepFacts("{}", "h", "loss", "minimize", 42, 1, 3)
        self.tracker.record([RunStarted(SWEEP, "sweep", "e", 1, sweep=facts)])
        for number in range(3):
            trial = TrialFacts(number, {"x": number})
            ended = replace(trial, state="COMPLETE", value=float(number), seconds=1.0)
            run_id = f"{number:032x}"
            self.tracker.record(
                [
                    RunStarted(run_id, f"trial-{number}", "e", 1, SWEEP, {"x": number}, trial=trial),
                    RunEnded(run_id, Status.FINISHED, 2, [Point("loss", float(number))], trial=ended),
                ]
            )

    @property
    def trials(self) -> Sequence[Run]:
        return self.tracker.find(Query(parent=SWEEP))

    def below(self, number: int) -> list[TrialFacts]:
        found = self.tracker.find(Query(parent=f"{number:032x}"))
        assert all(REPLICATE_TAG in run.tags for run in found)
        return [run.trial for run in found if run.trial]

    def run_again(self, count: int = 3, numbers: Sequence[int] = (0, 2), **changes: bool) -> dict[str, str]:
        records = SweepRecords(
            SWEEP, "e", "loss", "/artifacts/1", "me", lambda: 5, lambda: f"{next(self.ids):032x}", {"team": "x"}
        )
        settings = ReRuns(
            self.tracker,
            "loss",
            42,
            count,
            lambda run: replace(records, parent_id=run.id),
            self._executor,
            self.interruption,
            **changes,  # type: ignore[arg-type]
        )
        return dict(settings.of([self.trials[number] for number in numbers]))

    def _executor(self) -> Executor:
        work = Work(self.objective, "loss", Goal.MINIMIZE, None, self.folder)
        self.made.append(SerialExecutor(work))
        return self.made[-1]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_finalists_run_again_with_seeds_derived_from_the_sweeps(world: World) -> None:
    assert world.run_again() == {}
    seeds = [[derive_seed(42, number, f"replicate {index}") for index in range(3)] for number in (0, 2)]
    assert world.objective.ran == [(0.0, seed) for seed in seeds[0]] + [(2.0, seed) for seed in seeds[1]]
    assert [(trial.number, trial.seed, trial.state) for trial in world.below(2)] == [
        (index, seed, "COMPLETE") for index, seed in enumerate(seeds[1])
    ]
    [first, *_] = world.tracker.find(Query(parent=f"{2:032x}"))
    assert (first.name, first.tags[REPLICATE_TAG], first.tags["team"]) == ("trial-2-seed-0", "0", "x")
    assert len({seed for both in seeds for seed in both}) == 6


def test_the_mean_and_the_spread_stand_on_the_trial(world: World) -> None:
    world.run_again()
    values = [2.0 + derive_seed(42, 2, f"replicate {index}") % 10 for index in range(3)]
    metrics = world.trials[2].metrics
    mean = sum(values) / 3
    assert metrics["seeds_mean_loss"] == pytest.approx(mean)
    assert metrics["seeds_std_loss"] == pytest.approx((sum((value - mean) ** 2 for value in values) / 2) ** 0.5)
    assert (metrics["seeds_mean_size"], metrics["seeds_std_size"]) == (3.0, 0.0)
    assert not {"seeds_mean_loss_std", "seeds_mean_odd"} & set(metrics)
    assert metrics["loss"] == 2.0
    assert not [name for name in world.trials[1].metrics if name.startswith("seeds_")]


def test_re_runs_are_none_of_the_sweep(world: World) -> None:
    world.run_again()
    assert [run.name for run in world.trials] == ["trial-0", "trial-1", "trial-2"]
    assert dict(world.tracker.counts([SWEEP])[SWEEP])["COMPLETE"] == 3
    assert [run.id for run in world.tracker.find(Query(sweeps=True))] == [SWEEP]


def test_what_has_ended_is_not_run_again_and_needs_no_worker(world: World) -> None:
    world.run_again()
    before = [run.metrics for run in world.trials]
    assert world.run_again() == {}
    assert len(world.objective.ran) == 6
    assert len(world.made) == 1
    assert [run.metrics for run in world.trials] == before


def test_more_seeds_run_only_what_is_new_and_change_the_mean(world: World) -> None:
    world.run_again(2, [0])
    before = world.trials[0].metrics["seeds_mean_loss"]
    world.run_again(4, [0])
    assert len(world.objective.ran) == 4
    values = [derive_seed(42, 0, f"replicate {index}") % 10 for index in range(4)]
    assert world.trials[0].metrics["seeds_mean_loss"] == pytest.approx(sum(values) / 4)
    world.run_again(2, [0])
    assert world.trials[0].metrics["seeds_mean_loss"] == before
    assert len(world.objective.ran) == 4


def test_a_re_run_that_fails_takes_its_finalist_out_and_spares_the_rest_of_it(world: World) -> None:
    world.objective.fails_at = 1
    failures = world.run_again()
    assert failures == {f"{0:032x}": "re-run 2 of 3 FAILED: exception (ValueError: no luck)"}
    assert [trial.state for trial in world.below(0)] == ["COMPLETE", "FAILED"]
    assert len(world.below(2)) == 3
    assert "seeds_mean_loss" not in world.trials[0].metrics
    assert world.run_again() == failures
    assert len(world.objective.ran) == 5


def test_a_re_run_that_failed_is_tried_again_where_that_is_wished(world: World) -> None:
    world.objective.fails_at = 1
    world.run_again()
    assert world.run_again(retry_failed=True) == {}
    assert [(trial.state, trial.attempt) for trial in world.below(0)] == [
        ("COMPLETE", 1), ("COMPLETE", 2), ("COMPLETE", 1),
    ]  # fmt: skip
    assert "seeds_mean_loss" in world.trials[0].metrics


def test_an_interruption_leaves_nothing_running_and_the_rest_is_done_later(world: World) -> None:
    world.objective.stops_at, world.objective.stop = 2, lambda: world.interruption.ask(10.0)
    with pytest.raises(BrokenOff):
        world.run_again()
    assert [trial.state for trial in world.below(0)] == ["COMPLETE"] * 3  # the open one had its time
    assert world.below(2) == []
    world.interruption = Interruption()
    world.run_again()
    assert len(world.objective.ran) == 6


def test_a_re_run_broken_off_is_waiting_and_runs_as_the_next_attempt(world: World) -> None:
    def stop() -> None:
        raise BrokenOff

    world.objective.stops_at, world.objective.stop = 1, stop
    with pytest.raises(BrokenOff):
        world.run_again()
    assert [(trial.state, trial.attempt) for trial in world.below(0)] == [("COMPLETE", 1), ("WAITING", 1)]
    world.objective.stops_at = -1
    world.run_again()
    assert [(trial.state, trial.attempt) for trial in world.below(0)] == [
        ("COMPLETE", 1), ("COMPLETE", 2), ("COMPLETE", 1),
    ]  # fmt: skip


def test_what_a_dead_driver_left_running_is_lost_and_runs_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    submitted: list[Trial] = []
    submit = SerialExecutor.submit

    def watched(executor: SerialExecutor, trial: Trial) -> None:
        submitted.append(trial)
        submit(executor, trial)

    monkeypatch.setattr(SerialExecutor, "submit", watched)
    seed = derive_seed(42, 0, "replicate 0")
    left = RunStarted(
        "e" * 32, "trial-0-seed-0", "e", 3, f"{0:032x}", {"x": 0}, {REPLICATE_TAG: "0"},
        trial=TrialFacts(0, {"x": 0}, seed=seed),
    )  # fmt: skip
    world.tracker.record([left])
    world.run_again(is_lost=True)
    first = world.below(0)[0]
    assert (first.state, first.attempt) == (State.COMPLETE, 2)
    run = world.tracker.get("e" * 32)
    assert run.tags["hpo.lost"] == "1"
    assert run.artifact_uri == f"/artifacts/1/{'e' * 32}/artifacts-2"
    assert run.artifact_uri in [trial.artifact_uri for trial in submitted]
