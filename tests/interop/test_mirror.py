"""What a real MLflow server has of a sweep that was sent to it."""

import json
import math
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trackers.artifacts import ArtifactFolder
from trackers.errors import MirrorUnavailable
from trackers.mirror_view import typed_params
from trackers.records import Dataset, Point, RunDeleted, RunRestored, RunStarted, RunUpdated, Status, TrialFacts

STARTED = 1_760_000_000_000
PARAMS = {"lr": 0.1 + 0.2, "depth": 3, "flag": True, "kind": "3", "none": None, "tiny": 5e-324, "big": 2**62}
POINTS = [
    Point("acc", 0.1 + 0.2, 0, STARTED + 1),
    Point("acc", 1 / 3, 7, STARTED + 2),
    Point("odd", math.nan, 1, STARTED + 3),
    Point("odd", math.inf, 2, STARTED + 4),
    Point("odd", -math.inf, 3, STARTED + 4),
]


def histories(mirrored: Any, remote: str, names: list[str]) -> list[tuple[str, str, int, int]]:
    found = [(name, point) for name in names for point in mirrored.client.get_metric_history(remote, name)]
    return sorted((name, repr(point.value), point.step, point.timestamp) for name, point in found)


def remote_id(run: Any) -> str:
    return str(run["info"]["run_id"])


def test_a_sweep_is_there_with_its_trials_nested_and_all_states_times_and_users(mirrored: Any) -> None:
    data = Dataset("iris", "d1", source=json.dumps({"uri": "iris.csv"}), schema='{"x": 1}', context="training")
    mirrored.start(tags={"team": "x", "mlflow.note.content": "a sweep"}, datasets=[data])
    ids = [mirrored.trial(number, {"x": number}) for number in range(5)]
    for run_id, state in zip(ids, ("COMPLETE", "PRUNED", "FAILED", "WAITING"), strict=False):
        why = {"reason": "exception", "traceback": "Traceback"} if state == "FAILED" else {}
        mirrored.end(run_id, state, facts=why, datasets=[data] if state == "COMPLETE" else [])

    assert mirrored.send().runs == 6
    runs = mirrored.runs()
    parent = runs.pop(mirrored.name)
    states = [run["info"]["status"] for run in runs.values()]
    assert states == ["FINISHED", "KILLED", "FAILED", "SCHEDULED", "RUNNING"]
    assert {run["tags"]["mlflow.parentRunId"] for run in runs.values()} == {remote_id(parent)}
    assert [run["tags"]["hpo.run_id"] for run in runs.values()] == ids
    first = runs["trial-0"]["info"]
    assert (int(first["start_time"]), int(first["end_time"])) == (STARTED, STARTED + 5000)
    assert (parent["tags"]["mlflow.user"], parent["tags"]["team"]) == ("ada", "x")
    assert parent["info"]["status"] == "RUNNING"
    [used] = mirrored.client.get_run(remote_id(parent)).inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest, used.tags[0].value) == ("iris", "d1", "training")
    [read] = mirrored.client.get_run(remote_id(runs["trial-0"])).inputs.dataset_inputs
    assert (read.dataset.name, read.tags[0].value) == ("iris", "training")
    failed = mirrored.client.list_artifacts(remote_id(runs["trial-2"]), "hpo")
    assert [file.path for file in failed] == ["hpo/traceback.txt"]

    mirrored.end_sweep()
    assert mirrored.pending() == 1
    mirrored.send()
    ended = mirrored.runs()[mirrored.name]["info"]
    assert (ended["status"], int(ended["end_time"])) == ("FINISHED", STARTED + 90_000)


def test_values_survive_with_their_types_and_every_digit(mirrored: Any) -> None:
    mirrored.start()
    trial = mirrored.trial(0, PARAMS)
    mirrored.end(trial, points=POINTS, facts={"value": 0.1 + 0.2})
    mirrored.send()

    run = mirrored.runs()["trial-0"]
    read = typed_params(run["tags"])
    assert read == PARAMS
    assert [type(value) for value in read.values()] == [type(value) for value in PARAMS.values()]
    assert run["params"] == {name: str(value) for name, value in PARAMS.items()}
    facts = json.loads(run["tags"]["hpo.trial"])
    assert (facts["value"], facts["attempt"], facts["state"]) == (0.1 + 0.2, 1, "COMPLETE")
    ours = sorted((p.metric, repr(p.value), p.step, p.timestamp) for p in mirrored.tracker.history(trial))
    assert histories(mirrored, remote_id(run), ["acc", "odd"]) == ours


@pytest.mark.slow
def test_more_than_a_request_takes_is_sent_in_several(mirrored: Any) -> None:
    mirrored.start()
    params = {f"p{number}": "é" * 1000 for number in range(230)}
    trial = mirrored.trial(0, params, tags={f"t{number}": "y" * 4000 for number in range(210)})
    mirrored.end(trial, points=[Point("loss", 1 / (step + 1), step, STARTED + step) for step in range(2300)])
    assert not mirrored.send().refused

    run = mirrored.runs()["trial-0"]
    assert len(run["params"]) == 230
    assert sum(name.startswith("t") for name in run["tags"]) == 210
    assert len(mirrored.client.get_metric_history(remote_id(run), "loss")) == 2300


def test_names_and_texts_that_mlflow_does_not_take_are_written_otherwise_and_said(mirrored: Any) -> None:
    mirrored.start()
    trial = mirrored.trial(0, {"a@b": 1, "c//d": 2, "..": 3}, tags={"long": "z" * 7000})
    mirrored.end(trial, points=[Point("loss@5", 1.0, 0, STARTED)])
    assert not mirrored.send().refused

    run = mirrored.runs()["trial-0"]
    names = json.loads(run["tags"]["hpo.names"])
    assert {names[name]: value for name, value in run["params"].items()} == {"a@b": "1", "c//d": "2", "..": "3"}
    assert {names[name] for name in run["metrics"]} == {"loss@5"}
    path = mirrored.client.download_artifacts(remote_id(run), "hpo/long.json")
    assert json.loads(Path(path).read_text()) == {"long": "z" * 7000}


def test_what_was_sent_is_not_sent_again(mirrored: Any, mlflow_proxy: Any) -> None:
    mirrored.start()
    mirrored.end(mirrored.trial(0, {"x": 1}), points=POINTS)
    mirrored.end_sweep()
    assert mirrored.send(mlflow_proxy.uri).runs == 2
    mlflow_proxy.seen.clear()

    assert mirrored.pending(mlflow_proxy.uri) == 0
    assert mirrored.send(mlflow_proxy.uri).runs == 0
    assert {path.rpartition("/")[2] for path in mlflow_proxy.seen} <= {"get", "get-by-name"}


def test_marks_noted_in_the_middle_of_a_look_are_still_known(mirrored: Any) -> None:
    pause = 1000.0
    mirrored.start()
    trials = [mirrored.trial(number, {"x": number}) for number in range(3)]
    for trial in trials:
        mirrored.end(trial)
    mirroring = mirrored.mirroring(note_every=lambda: pause)
    mirroring.send_new()
    mirrored.tracker.record([RunUpdated(trials[0], tags={"late": "yes"})])
    mirrored.end_sweep()
    pause = 0.0
    mirroring.send_all()
    assert [run["info"]["run_name"] for run in mirrored.remote.runs(mirrored.name)] == [
        "trial-0",
        "trial-1",
        "trial-2",
        mirrored.name,
    ]


def test_a_run_that_was_made_and_not_filled_is_filled_and_not_made_again(mirrored: Any, mlflow_proxy: Any) -> None:
    mirrored.start()
    mirrored.end(mirrored.trial(0, {"x": 1}))
    mirroring = mirrored.mirroring(mlflow_proxy.uri)
    mlflow_proxy.rule = lambda path: "fail" if path.endswith("log-batch") else "pass"
    with pytest.raises(MirrorUnavailable):
        mirroring.send_new()
    mlflow_proxy.rule = lambda path: "pass"
    mirroring.send_all()
    assert [run["info"]["run_name"] for run in mirrored.remote.runs(mirrored.name)] == ["trial-0", mirrored.name]
    assert mirrored.runs()["trial-0"]["params"] == {"x": "1"}


def test_runs_are_found_again_without_any_mark(mirrored: Any, tmp_path: Path) -> None:
    mirrored.start()
    for number in range(3):
        mirrored.end(mirrored.trial(number, {"x": number}), points=POINTS)
    mirrored.send()
    before = {name: remote_id(run) for name, run in mirrored.runs().items()}
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("DELETE FROM hpo_mirrored")
        database.commit()

    assert mirrored.pending() == 4
    mirrored.send()
    assert {name: remote_id(run) for name, run in mirrored.runs().items()} == before
    remote = before["trial-0"]
    assert len(histories(mirrored, remote, ["acc", "odd"])) == len(POINTS)


def test_what_a_server_lost_is_sent_again(mirrored: Any, mlflow_proxy: Any) -> None:
    mirrored.start()
    mirrored.end(mirrored.trial(0, {"x": 1}))
    mirrored.send(mlflow_proxy.uri)
    known = mirrored.store.outbox.marks(mlflow_proxy.uri, "run", [mirrored.sweep_id])[mirrored.sweep_id]
    mirrored.store.outbox.note(mlflow_proxy.uri, [replace(known, remote="0" * 32)])
    for run in mirrored.runs().values():
        mirrored.client.set_tag(remote_id(run), "hpo.run_id", "another")

    assert mirrored.send(mlflow_proxy.uri).runs == 2
    runs = mirrored.remote.runs(mirrored.name)
    assert sum(run["tags"]["hpo.run_id"] != "another" for run in runs) == 2


def test_re_runs_are_nested_below_their_trials_and_there_once(mirrored: Any, tmp_path: Path) -> None:
    mirrored.start()
    trials = [mirrored.trial(number, {"x": number}) for number in range(2)]
    for number, trial in enumerate(trials):
        mirrored.end(trial)
        for index in range(2):
            again = mirrored.trial(index, {"x": number}, name=f"trial-{number}-seed-{index}", parent_id=trial)
            mirrored.end(again, points=[Point("acc", 0.5, 0, STARTED)])
    mirrored.end_sweep()
    assert mirrored.pending() == mirrored.send().runs == 7
    runs = mirrored.runs()
    for number in range(2):
        below = {name for name, run in runs.items() if is_below(run, runs[f"trial-{number}"])}
        assert below == {f"trial-{number}-seed-0", f"trial-{number}-seed-1"}

    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("DELETE FROM hpo_mirrored")
        database.commit()
    mirrored.send()
    assert {name: remote_id(run) for name, run in mirrored.runs().items()} == {
        name: remote_id(run) for name, run in runs.items()
    }
    assert mirrored.pending() == 0


def test_a_re_run_whose_answer_was_lost_is_not_there_twice(mirrored: Any, mlflow_proxy: Any) -> None:
    mirrored.start()
    trial = mirrored.trial(0, {"x": 0})
    mirrored.end(trial)
    mirrored.end(mirrored.trial(0, {"x": 0}, name="trial-0-seed-0", parent_id=trial))
    mirrored.end_sweep()
    made = iter(["pass", "pass", "lose"])
    mlflow_proxy.rule = lambda path: next(made, "pass") if path.endswith("runs/create") else "pass"
    with pytest.raises(MirrorUnavailable):
        mirrored.send(mlflow_proxy.uri)
    mirrored.send(mlflow_proxy.uri)
    assert sorted(mirrored.runs()) == sorted(["trial-0", "trial-0-seed-0", mirrored.name])


def is_below(run: Any, parent: Any) -> bool:
    return bool(run["tags"].get("mlflow.parentRunId") == remote_id(parent))


def test_a_trial_that_ran_again_stays_one_run(mirrored: Any) -> None:
    mirrored.start()
    trial = mirrored.trial(0, {"x": 1})
    mirrored.end(trial, "WAITING")
    mirrored.send()
    before = remote_id(mirrored.runs()["trial-0"])
    again = TrialFacts(0, {"x": 1}, attempt=2)
    mirrored.tracker.record([
        RunStarted(trial, "trial-0", mirrored.name, STARTED + 9, mirrored.sweep_id, {"x": 1}, trial=again)
    ])  # fmt: skip
    mirrored.send()
    assert mirrored.runs()["trial-0"]["info"]["status"] == "RUNNING"
    mirrored.end(trial, points=POINTS[:1])
    mirrored.send()

    run = mirrored.runs()["trial-0"]
    assert (remote_id(run), run["info"]["status"]) == (before, "FINISHED")
    assert json.loads(run["tags"]["hpo.trial"])["attempt"] == 2


def test_deleted_runs_are_deleted_there_too_and_come_back(mirrored: Any) -> None:
    mirrored.start()
    trial = mirrored.trial(0, {"x": 1})
    mirrored.end(trial)
    mirrored.send()
    mirrored.tracker.record([RunDeleted(trial, STARTED + 9000)])
    mirrored.send()
    assert list(mirrored.runs()) == [mirrored.name]

    mirrored.tracker.record([RunRestored(trial)])
    mirrored.send()
    assert sorted(mirrored.runs()) == sorted([mirrored.name, "trial-0"])


def test_files_go_as_they_were_kept_and_one_that_was_altered_does_not(mirrored: Any, tmp_path: Path) -> None:
    mirrored.start()
    trial = mirrored.trial(0, {"x": 1})
    place = mirrored.tracker.get(trial).artifact_uri
    note = tmp_path / "note.txt"
    note.write_text("kept")
    files = ArtifactFolder().save_file(place, note, "notes/é note.txt")
    mirrored.end(trial, artifacts=files, points=POINTS[:1])
    kept = Path(place, "notes/é note.txt")
    kept.write_text("altered")

    sent = mirrored.send()
    assert "not what was saved" in sent.refused["trial-0"]
    run = mirrored.runs()["trial-0"]
    assert (run["info"]["status"], run["metrics"]["acc"]) == ("FINISHED", 0.1 + 0.2)
    assert not mirrored.client.list_artifacts(remote_id(run))
    assert mirrored.pending() == 1

    kept.write_text("kept")
    assert not mirrored.send().refused
    assert mirrored.pending() == 0
    path = mirrored.client.download_artifacts(remote_id(run), "notes")
    assert Path(path, "é note.txt").read_text() == "kept"


def test_an_experiment_that_is_deleted_there_is_named_with_the_way_out(mirrored: Any) -> None:
    made = mirrored.client.create_experiment(mirrored.name)
    mirrored.client.delete_experiment(made)
    mirrored.start()

    with pytest.raises(MirrorUnavailable, match=f"mlflow experiments restore -x {made}"):
        mirrored.send()


def test_a_changed_tag_of_an_ended_run_follows(mirrored: Any) -> None:
    mirrored.start()
    trial = mirrored.trial(0, {"x": 1})
    mirrored.end(trial)
    mirrored.send()
    mirrored.tracker.record([RunUpdated(trial, tags={"seen": "by a person"}, points=[Point("test_acc", 0.5, 0, 1)])])

    assert mirrored.pending() == 1
    mirrored.send()
    run = mirrored.runs()["trial-0"]
    assert (run["tags"]["seen"], run["metrics"]["test_acc"]) == ("by a person", 0.5)
    assert mirrored.tracker.get(trial).status is Status.FINISHED
