"""The winner and the commands that a sweep's page shows are true of that sweep."""

import json
from dataclasses import replace
from pathlib import Path

from hpo.decision import Decision
from trackers.opening import open_store
from trackers.records import (
    STATUS_OF_STATE,
    LoggedModel,
    Point,
    RunEnded,
    RunStarted,
    RunUpdated,
    Status,
    SweepFacts,
    TrialFacts,
)

MODEL = LoggedModel("m-" + "0" * 32, "m", "m")


def begun(config: str, metric: str = "loss") -> RunStarted:
    return RunStarted("a" * 32, "a", "Default", 1, sweep=SweepFacts(config, "h", metric, "minimize", 1, 1, 2))


def ended(number: int, metrics: dict[str, float], state: str = "COMPLETE") -> tuple[RunStarted, RunEnded]:
    run_id, value = f"{number}" * 32, next(iter(metrics.values()), None)
    points = [Point(name, each) for name, each in metrics.items()]
    facts = TrialFacts(number, {"x": 1.0}, state, value=value)
    start = RunStarted(run_id, f"t{number}", "Default", 2, "a" * 32, trial=TrialFacts(number, {"x": 1.0}))
    return start, RunEnded(run_id, STATUS_OF_STATE[state], 3, points, trial=facts)


def commands_of(site) -> dict[str, str]:
    return {each["name"]: each["command"] for each in site.ask(f"/api/sweeps/{'a' * 32}").json["commands"]}


def test_registering_is_offered_where_there_is_something_to_register(tmp_path: Path, make_site) -> None:
    for at, (file, models, expected) in enumerate(
        [
            ("", [], False),
            ("version: 1\nregister: {name: m}\n", [], True),
            ("", [MODEL], True),
        ]
    ):
        with open_store("memory://", artifacts=str(tmp_path / str(at))) as store:
            start, end = ended(1, {"loss": 1.0})
            store.tracker.record([begun(json.dumps({"file": file})), start, replace(end, models=models)])
            assert ("register" in commands_of(make_site(store=store))) is expected


def test_a_sweep_of_which_all_failed_is_resumed_with_what_failed(tmp_path: Path, make_site) -> None:
    with open_store("memory://", artifacts=str(tmp_path)) as store:
        last = RunEnded("a" * 32, Status.FAILED, 9, tags={"hpo.stopped_by": "n_trials"})
        store.tracker.record([begun("{}"), *ended(1, {}, "FAILED"), *ended(2, {}, "FAILED"), last])
        assert "--retry-failed" in commands_of(make_site(store=store))["resume"]


def test_of_several_metrics_nothing_is_the_winner_until_it_is_picked(tmp_path: Path, make_site) -> None:
    config = json.dumps({"metrics": [{"name": "a", "goal": "minimize"}, {"name": "b", "goal": "minimize"}]})
    picked = Decision([], winner=2, picked_by="knee").as_json()
    with open_store("memory://", artifacts=str(tmp_path)) as store:
        trials = [*ended(1, {"a": 1.0, "b": 3.0}), *ended(2, {"a": 2.0, "b": 2.0})]
        store.tracker.record([begun(config, "a"), *trials])
        site = make_site(store=store)
        assert site.ask(f"/api/sweeps/{'a' * 32}").json["winner"] is None
        store.tracker.record([RunUpdated("a" * 32, tags={"hpo.promotion": picked})])
        winner = site.ask(f"/api/sweeps/{'a' * 32}").json["winner"]
        assert (winner["number"], winner["picked_by"]) == (2, "knee")
