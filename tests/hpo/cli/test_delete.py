"""`hpo delete`, `restore`, `ls --deleted` and `gc`: what is deleted can come back, until it goes for good."""

import json
import os
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hpo.cli.main import main
from hpo.driver import Driver
from trackers.artifacts import ArtifactFolder
from trackers.opening import Store, open_store
from trackers.records import (
    Change,
    Dataset,
    LoggedModel,
    NewVersion,
    Point,
    Query,
    RunDeleted,
    RunEnded,
    RunStarted,
    Status,
    SweepFacts,
    TrialFacts,
)

IRIS, WINE = "1" * 32, "2" * 32
FACTS = SweepFacts('{"name": "iris"}', "hash", "loss", "minimize", 1, 1, 3)
DAY = 86_400_000


def trial_id(sweep: str, number: int) -> str:
    return sweep[:16] + f"{number:016x}"


class Place:
    """A store with the sweeps `iris` and `wine` of three trials each, all with files, and a model of iris#1."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uri = f"sqlite:///{folder}/mlflow.db"
        with self.open() as store:
            for sweep, name in ((IRIS, "iris"), (WINE, "wine")):
                self.sweep(store, sweep, name)

    def sweep(self, store: Store, sweep: str, name: str) -> None:
        data = [Dataset("data", "d1")]
        store.tracker.record([RunStarted(sweep, name, "Default", 1000, sweep=FACTS, datasets=data, new_name=True)])
        for number in range(3):
            store.tracker.record(self.trial(store, sweep, number))
        store.tracker.record([RunEnded(sweep, Status.FINISHED, 9000)])

    def trial(self, store: Store, sweep: str, number: int) -> list[Change]:
        run_id = trial_id(sweep, number)
        trial = TrialFacts(number, {"x": number})
        start = RunStarted(run_id, f"trial-{number}", "Default", 2000, sweep, {"x": number}, trial=trial)
        store.tracker.record([start])
        source = self.folder / "weights"
        source.write_text(f"weights {number}")
        files = ArtifactFolder().save_file(store.tracker.get(run_id).artifact_uri, source, "model/weights")
        model = LoggedModel("m-" + run_id, "model", "model")
        ended = replace(trial, state="COMPLETE", value=float(number))
        points = [Point("loss", float(number))]
        return [RunEnded(run_id, Status.FINISHED, 3000, points, artifacts=files, models=[model], trial=ended)]

    def register(self, sweep: str, number: int, name: str = "clf") -> None:
        with self.open() as store:
            run = store.tracker.get(trial_id(sweep, number))
            store.registry.register(
                NewVersion(name, run.models[0].uri, run.id, run.id, who="ada", aliases=["champion"])
            )

    def open(self) -> Store:
        return open_store(self.uri, artifacts=str(self.folder / "mlruns"))

    def ask(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments, "--tracker", self.uri])

    def done(self, *arguments: str) -> Result:
        result = self.ask(*arguments)
        assert result.exit_code == 0, result.stderr
        return result

    def names(self, *more: str) -> list[str]:
        return [sweep["name"] for sweep in json.loads(self.done("ls", "-f", "json", *more).stdout)]

    def folders(self, sweep: str) -> set[str]:
        """The run ids of a sweep that have a folder."""
        return {path.name for path in (self.folder / "mlruns" / "0").iterdir() if path.name.startswith(sweep[:16])}

    def age(self, days: float = 31) -> None:
        """What is deleted was deleted so many days earlier."""
        self.sql(f"UPDATE runs SET deleted_time = deleted_time - {int(days * DAY)} WHERE lifecycle_stage = 'deleted'")

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.folder / "mlflow.db")) as connection:
            found = connection.execute(statement).fetchall()
            connection.commit()
        return found

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        """All rows of all tables, but those that only grow with use."""
        tables = [str(name) for (name,) in self.sql("SELECT name FROM sqlite_master WHERE type = 'table'")]
        kept = [name for name in tables if not name.startswith("sqlite_")]
        return {name: sorted(self.sql(f"SELECT * FROM {name}"), key=repr) for name in kept}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return Place(tmp_path)


def test_a_deleted_sweep_is_gone_with_its_trials_and_comes_back_as_it_was(place: Place) -> None:
    before = place.rows()
    done = place.done("delete", "iris", "--yes")
    assert "deleted sweep iris with 3 trials; back with: hpo restore 11111111" in done.stderr
    assert place.names() == ["wine"]
    assert place.names("--deleted") == ["iris"]
    assert place.ask("show", "iris").exit_code == 1
    [listed] = json.loads(place.done("ls", "--deleted", "-f", "json").stdout)
    assert (listed["trials"], listed["deleted"][:2]) == ({"COMPLETE": 3}, "20")
    assert "deleted" in place.done("ls", "--deleted").stdout.splitlines()[0]

    assert "restored iris and 3 runs below it" in place.done("restore", "iris").stderr
    assert place.rows() == before
    assert place.names("--deleted") == []


def test_several_are_deleted_at_once(place: Place) -> None:
    place.done("delete", "iris", "wine", "wine#1", "--yes")
    assert (place.names(), sorted(place.names("--deleted"))) == ([], ["iris", "wine"])


def test_one_trial_is_deleted_and_restored(place: Place) -> None:
    done = place.done("delete", "iris#1", "--yes")
    assert "deleted trial-1 of sweep iris" in done.stderr
    trials = json.loads(place.done("trials", "iris", "-f", "json").stdout)
    assert [trial["number"] for trial in trials] == [0, 2]
    place.done("restore", "iris#1")
    assert len(json.loads(place.done("trials", "iris", "-f", "json").stdout)) == 3
    assert place.ask("restore", "iris#1").exit_code == 1


def test_what_was_deleted_before_its_sweep_stays_deleted(place: Place) -> None:
    place.done("delete", "iris#1", "--yes")
    place.age(1)
    place.done("delete", "iris", "--yes")
    refused = place.ask("restore", "iris#2")
    assert refused.exit_code == 1
    assert "belongs to iris, which is deleted too" in refused.stderr
    place.done("restore", "iris")
    trials = json.loads(place.done("trials", "iris", "-f", "json").stdout)
    assert [trial["number"] for trial in trials] == [0, 2]


def test_without_a_terminal_nothing_is_deleted_unasked(place: Place) -> None:
    refused = place.ask("delete", "iris")
    assert refused.exit_code == 2
    assert "add --yes" in refused.stderr
    assert "iris" in place.names()


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, ["wine"]), ("n\n", 1, ["iris", "wine"])])
def test_at_a_terminal_it_asks(place: Place, answer: str, code: int, left: list[str]) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from hpo.cli.main import main; main()", "delete", "iris", "--tracker", place.uri]
    process = subprocess.Popen(command, stdin=theirs, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    os.write(ours, answer.encode())
    _, said = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == code, said
    assert "sweep iris with 3 trials" in said
    assert "delete? [y/N]" in said
    assert sorted(place.names()) == left


def test_what_is_not_there_is_named(place: Place) -> None:
    for arguments, message in (
        (("delete", "irs", "--yes"), "did you mean 'iris'"),
        (("delete", "iris", "wine#7", "--yes"), "no trial '7' in sweep 'wine'"),
        (("restore", "iris"), "no deleted sweep 'iris'"),
        (("restore", "iris#1"), "no trial '1' of sweep 'iris' is deleted"),
    ):
        refused = place.ask(*arguments)
        assert refused.exit_code == 1
        assert message in refused.stderr
    assert sorted(place.names()) == ["iris", "wine"]


@pytest.fixture
def living_driver(place: Place) -> Iterator[int]:
    """Another process that drives `iris`."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19]
    with place.open() as store:
        store.ownership.claim(IRIS, replace(Driver.here(), pid=process.pid, start=start).text, taking_from=None)
    yield process.pid
    process.communicate(b"\n")


@pytest.mark.parametrize("what", ["iris", "iris#1"])
def test_what_a_driver_is_at_work_on_is_not_deleted(place: Place, living_driver: int, what: str) -> None:
    refused = place.ask("delete", "wine", what, "--yes")
    assert refused.exit_code == 5
    assert f"pid {living_driver}" in refused.stderr
    assert sorted(place.names()) == ["iris", "wine"]


@pytest.mark.slow
def test_what_a_dead_driver_left_open_can_go_on_after_a_restoration(place: Place) -> None:
    with place.open() as store:
        store.tracker.record([RunStarted(IRIS, "iris", "Default", 1000, sweep=FACTS)])
        store.tracker.record(
            [RunStarted(trial_id(IRIS, 3), "trial-3", "Default", 5000, IRIS, trial=TrialFacts(3, {"x": 1}))]
        )
        store.ownership.claim(IRIS, replace(Driver.here(), start="1").text, taking_from=None)
    place.done("delete", "iris", "--yes")
    place.done("restore", "iris")
    with place.open() as store:
        assert store.ownership.holder(IRIS) is None
        trial = store.tracker.get(trial_id(IRIS, 3)).trial
        assert trial is not None
        assert trial.state == "WAITING"
        assert store.tracker.get(IRIS).status is Status.KILLED


def test_a_sweep_that_a_registered_model_came_from_is_not_deleted(place: Place) -> None:
    place.register(IRIS, 1)
    for what in ("iris", "iris#1"):
        refused = place.ask("delete", what, "--yes")
        assert refused.exit_code == 1
        assert "nothing was deleted: version 1 of model clf (champion) came from" in refused.stderr
    assert "iris" in place.names()
    place.done("delete", "iris#2", "--yes")


def test_with_keep_registered_all_goes_but_what_models_came_from(place: Place) -> None:
    place.register(IRIS, 1)
    done = place.done("delete", "iris", "--yes", "--keep-registered")
    assert "which version 1 of clf came from" in done.stderr
    assert place.names() == ["wine"]
    with place.open() as store:
        assert [run.id for run in store.tracker.find(Query(parent=IRIS))] == [trial_id(IRIS, 1)]
    assert place.done("promote", "clf", "1", "other").exit_code == 0  # its files are verified
    model = json.loads(place.done("models", "-f", "json").stdout)[0]
    assert (model["sweep"], model["trial"]) == ("iris", 1)


def test_a_name_is_free_after_a_deletion_and_then_taken(place: Place) -> None:
    place.done("delete", "iris", "--yes")
    with place.open() as store:
        place.sweep(store, "3" * 32, "iris")
    refused = place.ask("restore", "iris")
    assert refused.exit_code == 1
    assert "iris cannot be restored: sweep 'iris' is run 33333333" in refused.stderr
    place.done("delete", "iris", "--yes")
    place.done("restore", "1111")
    assert sorted(place.names()) == ["iris", "wine"]
    with place.open() as store:
        assert store.tracker.get(IRIS).deleted is None


def erasable(place: Place, *more: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(place.done("gc", "-f", "json", *more).stdout)
    return found


def test_what_was_deleted_a_month_ago_goes_with_rows_and_files(place: Place) -> None:
    other = place.rows()
    place.done("delete", "iris", "--yes")
    assert erasable(place) == []
    place.age(29)
    assert erasable(place) == []
    place.age(2)
    [item] = erasable(place)
    assert (item["path"], item["bytes"]) == (str(place.folder / "mlruns" / "0" / IRIS), 27)
    assert str(item["why"]).startswith("sweep iris: 4 runs deleted ")
    assert "nothing was removed, do it with: hpo gc --yes" in place.done("gc", "--dry-run").stderr
    assert len(place.folders(IRIS)) == 3

    assert "removed 1 place, 27 bytes" in place.done("gc", "--yes").stderr
    assert place.folders(IRIS) == set()
    assert len(place.folders(WINE)) == 3
    after = place.rows()
    for table, rows in after.items():
        assert not [row for row in rows if any(IRIS[:16] in str(value) for value in row)], table
        assert rows == [row for row in other[table] if not any(IRIS[:16] in str(value) for value in row)] or (
            table in ("input_tags", "datasets", "hpo_owners")
        ), table
    assert len(after["input_tags"]) == 1
    assert "no deleted sweep 'iris'" in place.ask("restore", "iris").stderr
    assert "nothing to remove" in place.done("gc", "--yes").stderr


def test_how_long_ago_is_told_by_an_option(place: Place) -> None:
    place.done("delete", "iris", "--yes")
    place.age(0.5)
    assert erasable(place, "--older-than", "13h") == []
    assert len(erasable(place, "--older-than", "11h59m")) == 1
    for wrong in ("30", "a month", ""):
        refused = place.ask("gc", "--older-than", wrong)
        assert refused.exit_code == 2
    assert place.ask("gc", "--yes", "--dry-run").exit_code == 2


def test_what_registered_models_came_from_is_never_removed(place: Place) -> None:
    place.register(IRIS, 1)
    place.done("delete", "iris", "--yes", "--keep-registered")
    place.sql(f"UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = 1 WHERE run_uuid = '{trial_id(IRIS, 1)}'")
    place.done("gc", "--yes", "--older-than", "0s")
    assert place.folders(IRIS) == {trial_id(IRIS, 1)}
    assert place.done("promote", "clf", "1", "other").exit_code == 0
    model = json.loads(place.done("models", "-f", "json").stdout)[0]
    assert (model["sweep"], model["trial"]) == ("iris", 1)
    assert "nothing to remove" in place.done("gc", "--yes", "--older-than", "0s").stderr


def test_a_trial_deleted_by_itself_loses_its_files_and_stays_known_to_samplers(place: Place) -> None:
    place.done("delete", "iris#1", "--yes")
    place.age()
    assert len(erasable(place)) == 1
    place.done("gc", "--yes")
    assert trial_id(IRIS, 1) not in place.folders(IRIS)
    with place.open() as store:
        run = store.tracker.get(trial_id(IRIS, 1))
        assert (run.trial is not None, run.models, list(store.tracker.artifacts(run.id))) == (True, [], [])
    assert erasable(place) == []
    refused = place.ask("restore", "iris#1")
    assert refused.exit_code == 1
    assert "its files were removed by hpo gc" in refused.stderr
    place.done("delete", "iris", "--yes")
    place.age()
    place.done("gc", "--yes")
    assert place.sql("SELECT count(*) FROM runs") == [(4,)]


def test_a_sweep_with_a_driver_is_left_alone(place: Place, living_driver: int) -> None:
    ids = [IRIS, *(trial_id(IRIS, number) for number in range(3))]
    with place.open() as store:  # as MLflow would do it, who asks no driver
        store.tracker.record([RunDeleted(run_id, 1) for run_id in ids])
    done = place.done("gc", "--yes")
    assert f"left alone: the sweep 'iris' is run by pid {living_driver}" in done.stderr
    assert len(place.folders(IRIS)) == 3


def test_deleted_runs_of_mlflow_alone_are_left_to_mlflow(place: Place) -> None:
    with place.open() as store:
        store.tracker.record(
            [
                RunStarted("e" * 32, "theirs", "Default", 1),
                RunEnded("e" * 32, Status.FINISHED, 2),
                RunDeleted("e" * 32, 3),
            ]
        )
    assert erasable(place) == []


def test_runs_below_trials_go_with_them(place: Place) -> None:
    run_id, trial = "4" * 32, TrialFacts(0, {"x": 1})
    with place.open() as store:
        store.tracker.record([RunStarted(run_id, "again", "Default", 5000, trial_id(IRIS, 1), trial=trial)])
        store.tracker.record(
            [RunEnded(run_id, Status.FINISHED, 6000, trial=replace(trial, state="COMPLETE", value=1.0))]
        )
    place.done("delete", "iris", "--yes")
    with place.open() as store:
        assert store.tracker.get(run_id).deleted is not None
    assert "4 runs below it" in place.done("restore", "iris").stderr
    place.done("delete", "iris", "--yes")
    place.age()
    place.done("gc", "--yes")
    assert place.sql("SELECT count(*) FROM runs") == [(4,)]


def test_a_database_cannot_name_any_folder_to_be_removed(place: Place) -> None:
    victim = place.folder / "home" / "artifacts"
    victim.mkdir(parents=True)
    (victim / "letter.txt").write_text("dear")
    place.done("delete", "iris", "--yes")
    place.age()
    place.sql(f"UPDATE runs SET artifact_uri = '{victim}' WHERE lifecycle_stage = 'deleted'")
    place.done("gc", "--yes")
    assert (victim / "letter.txt").exists()
    assert place.sql("SELECT count(*) FROM runs") == [(4,)]


def test_a_link_is_removed_and_not_followed(place: Place) -> None:
    outside = place.folder / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    (place.folder / "mlruns" / "0" / trial_id(IRIS, 0) / "artifacts" / "link").symlink_to(outside)
    place.done("delete", "iris", "--yes")
    place.age()
    place.done("gc", "--yes")
    assert (outside / "precious").exists()
    assert place.folders(IRIS) == set()


@pytest.mark.slow
def test_an_order_of_thousands_of_runs_goes_in_batches(place: Place) -> None:
    ids: Sequence[str] = [f"{number:032x}" for number in range(1200)]
    with place.open() as store:
        store.tracker.record(
            [
                RunStarted(run_id, "t", "Default", 1, WINE, trial=TrialFacts(number + 10, {}, "WAITING"))
                for number, run_id in enumerate(ids)
            ]
        )
    place.done("delete", "wine", "--yes")
    place.age()
    place.done("gc", "--yes")
    assert place.sql("SELECT count(*) FROM runs") == [(4,)]
