"""Earlier sweeps: which of their trials are told to a sampler, what is said of the rest, and that this is frozen."""

import json
from collections.abc import Mapping

import pytest

from hpo.errors import ConfigError
from hpo.space import Choice, Constant, FloatRange, IntRange, Parameter, Space, Value
from hpo.trial import Goal
from hpo.warm_start import KnownTrial, Today, take_known, told_by, told_of, with_told
from trackers.memory_tracker import MemoryTracker
from trackers.records import STATUS_OF_STATE, Point, RunEnded, RunStarted, SweepFacts, TrialFacts

SPACE = Space(
    (
        Parameter("lr", FloatRange(0.01, 1.0)),
        Parameter("depth", IntRange(1, 9)),
        Parameter("kind", Choice(("a", "b"))),
        Parameter("leaves", IntRange(1, 4), when={"kind": ("b",)}),
        Parameter("epochs", Constant(10)),
    )
)
GOOD: Mapping[str, Value] = {"lr": 0.1, "depth": 3, "kind": "a", "epochs": 10}
CONFIG = json.dumps({"objective": {"python": "a:b"}, "parameters": []})


def today(**changes: object) -> Today:
    facts: dict[str, object] = {"config": CONFIG, "space": SPACE, "goals": {"loss": Goal.MINIMIZE}, "data": {}}
    return Today(**{**facts, **changes})  # type: ignore[arg-type]


class Store:
    """A tracker with sweeps in it."""

    def __init__(self) -> None:
        self.tracker = MemoryTracker()
        self.tracker.experiment("bench")

    def sweep(self, name: str, *, goal: str = "minimize", config: str = CONFIG, tags: Mapping[str, str] = {}) -> str:
        run_id = name.encode().hex().ljust(32, "0")
        facts = SweepFacts(config, "hash", "loss", goal, 1, 1)
        self.tracker.record([RunStarted(run_id, name, "bench", started=1, sweep=facts, tags=tags)])
        return run_id

    def trial(
        self,
        sweep: str,
        number: int,
        params: Mapping[str, Value],
        value: float | None,
        state: str = "COMPLETE",
        **metrics: float,
    ) -> None:
        run_id = f"{sweep[:24]}{number + 1:08x}"
        facts = TrialFacts(number, params)
        self.tracker.record([RunStarted(run_id, f"trial-{number}", "bench", 2, sweep, params, trial=facts)])
        ended = TrialFacts(number, params, state, value=value)
        points = [Point(name, number, 0, 3) for name, number in metrics.items()]
        self.tracker.record([RunEnded(run_id, STATUS_OF_STATE[state], 3, points, trial=ended)])


@pytest.fixture
def store() -> Store:
    return Store()


def test_trials_that_fit_are_taken_and_the_rest_is_named(store: Store) -> None:
    before = store.sweep("before")
    odd: list[Mapping[str, Value]] = [
        {**GOOD, "lr": 2.0},
        {**GOOD, "lr": 3.0},
        {key: value for key, value in GOOD.items() if key != "depth"},
        {**GOOD, "epochs": 20},
        {**GOOD, "momentum": 0.9},
        {**GOOD, "kind": "b"},
    ]
    store.trial(before, 0, GOOD, 0.5)
    store.trial(before, 1, {**GOOD, "kind": "b", "leaves": 2}, 0.4)
    store.trial(before, 2, {key: value for key, value in GOOD.items() if key != "epochs"}, 0.3)
    for number, params in enumerate(odd, start=3):
        store.trial(before, number, params, 0.1)
    store.trial(before, 9, GOOD, None, "FAILED")
    (taken,) = take_known(store.tracker, ["before"], 100, today())
    assert [trial.number for trial in taken.trials] == [0, 1, 2]
    assert all(SPACE.contains(trial.params) for trial in taken.trials)
    assert taken.text == (
        "took 3 of 10 trials of before: 2 outside lr, 1 without depth, 1 outside epochs, "
        "1 with momentum, which today has no place, 1 without leaves, 1 failed"
    )


@pytest.mark.parametrize(("goal", "best"), [(Goal.MINIMIZE, [1, 3]), (Goal.MAXIMIZE, [0, 2])])
def test_the_best_ones_are_taken_in_number_order(store: Store, goal: Goal, best: list[int]) -> None:
    before = store.sweep("before", goal=goal.value)
    for number, value in enumerate((0.9, 0.1, 0.8, 0.2)):
        store.trial(before, number, GOOD, value)
    (taken,) = take_known(store.tracker, ["before"], 2, today(goals={"loss": goal}))
    assert [trial.number for trial in taken.trials] == best
    assert taken.text == "took 2 of 4 trials of before: 2 not among the best 2"


def test_another_meaning_of_a_choice_is_not_the_same_value(store: Store) -> None:
    def config(path: str) -> str:
        kinds = {"name": "kind", "components": [["a", path], ["b", "sklearn.svm.SVC"]]}
        return json.dumps({"objective": {"python": "a:b"}, "parameters": [kinds]})

    before = store.sweep("before", config=config("sklearn.svm.SVC"))
    store.trial(before, 0, GOOD, 0.5)
    store.trial(before, 1, {**GOOD, "kind": "b", "leaves": 2}, 0.5)
    (taken,) = take_known(store.tracker, ["before"], 9, today(config=config("sklearn.svm.NuSVC")))
    assert [trial.number for trial in taken.trials] == [1]
    assert taken.left_out == {"where kind stood for something else": 1}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("befor", "warm_start.from: no sweep 'befor' in the store - did you mean 'before'?"),
        ("other", "sweep 'other' is ranked by loss (maximize) and this one by loss (minimize)"),
    ],
)
def test_what_cannot_be_compared_is_refused(store: Store, source: str, message: str) -> None:
    store.sweep("before")
    store.sweep("other", goal="maximize")
    with pytest.raises(ConfigError) as caught:
        take_known(store.tracker, [source], 9, today())
    assert message in str(caught.value)
    assert str(caught.value).endswith("nothing was run")


def test_one_sweep_under_two_names_is_refused(store: Store) -> None:
    before = store.sweep("before")
    with pytest.raises(ConfigError, match="names the sweep 'before' twice"):
        take_known(store.tracker, ["before", before[:8]], 9, today())


def test_other_data_and_another_objective_are_said(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    config = json.dumps({"objective": {"python": "c:d"}, "parameters": []})
    store.sweep("before", config=config, tags={"hpo.data.train": "1"})
    take_known(store.tracker, ["before"], 9, today(data={"hpo.data.train": "2"}))
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "sweep before saw other data (train); its values may mislead the sampler",
        "sweep before had another objective; its values may mislead the sampler",
    ]


def test_what_was_taken_is_read_back_as_it_was(store: Store) -> None:
    before = store.sweep("before")
    store.trial(before, 4, {**GOOD, "lr": 1.0}, 0.25)
    told = told_by(take_known(store.tracker, ["before"], 9, today()))
    again = store.tracker.get(store.sweep("now", config=with_told(CONFIG, told)))
    assert told_of(again) == told == [KnownTrial("before", 4, {**GOOD, "lr": 1.0}, 0.25)]
    assert repr(told_of(again)) == repr(told)
    assert with_told(CONFIG, ()) == CONFIG
    assert told_of(store.tracker.get(before)) == []


def test_of_several_metrics_all_are_told_and_the_front_is_best(store: Store) -> None:
    goals = {"loss": "minimize", "speed": "maximize"}
    config = json.dumps({**json.loads(CONFIG), "metrics": [{"name": n, "goal": g} for n, g in goals.items()]})
    before = store.sweep("before", config=config)
    values = [(0.5, 1.0), (0.1, 1.0), (0.9, 9.0), (0.6, 0.5), (0.2, 2.0)]
    for number, (loss, speed) in enumerate(values):
        store.trial(before, number, GOOD, None, loss=loss, speed=speed)
    store.trial(before, 5, GOOD, None, loss=0.1)
    now = today(config=config, goals={name: Goal(goal) for name, goal in goals.items()})
    (taken,) = take_known(store.tracker, ["before"], 3, now)
    assert [(trial.number, trial.values) for trial in taken.trials] == [(n, values[n]) for n in (1, 2, 4)]
    assert taken.left_out == {"without a finite value": 1, "not among the best 3": 2}
    again = store.tracker.get(store.sweep("now", config=with_told(config, taken.trials)))
    assert told_of(again) == taken.trials
    with pytest.raises(ConfigError, match=r"ranked by loss \(minimize\), speed \(maximize\) and this one by loss"):
        take_known(store.tracker, ["before"], 3, today())


def test_what_violates_the_constraints_of_today_is_left_out(store: Store) -> None:
    before = store.sweep("before")
    for number, (depth, memory) in enumerate(((3, 10.0), (7, 10.0), (4, 99.0))):
        store.trial(before, number, {**GOOD, "depth": depth}, 0.5, memory=memory)
    store.trial(before, 3, GOOD, 0.5)
    config = json.dumps({**json.loads(CONFIG), "constraints": ["depth < 6", "metrics.memory <= 50"]})
    (taken,) = take_known(store.tracker, ["before"], 9, today(config=config))
    assert [(trial.number, trial.violation) for trial in taken.trials] == [(0, 0.0)]
    assert taken.left_out == {"outside the constraints": 3}
