"""`hpo gc` removes what no manifest knows, and nothing else."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hpo.cli.main import main
from hpo.executors.remote.seen import Probe
from hpo.scratch import new_scratch
from trackers.artifacts import ArtifactFolder
from trackers.opening import Store, open_store
from trackers.records import (
    LoggedModel,
    NewVersion,
    Query,
    RunDeleted,
    RunEnded,
    RunStarted,
    RunUpdated,
    Status,
    SweepFacts,
    TrialFacts,
)

SWEEP = "5" * 32
FACTS = SweepFacts("{}", "hash", "loss", "minimize", 1, 1)


def trial_id(number: int) -> str:
    return f"{number:032x}"


class Place:
    """A store with a sweep of two ended trials, each with a kept file, and room for mischief."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uri = f"sqlite:///{folder}/mlflow.db"
        self.kept: list[Path] = []
        with self.open() as store:
            store.tracker.experiment("s")
            store.tracker.record([RunStarted(SWEEP, "s", "s", 1, sweep=FACTS)])
            for number in (0, 1):
                self.trial(store, number)
            store.tracker.record([RunEnded(SWEEP, Status.FINISHED, 9)])

    def open(self) -> Store:
        return open_store(self.uri, artifacts=str(self.folder / "mlruns"))

    def trial(self, store: Store, number: int) -> None:
        facts = TrialFacts(number, {})
        store.tracker.record([RunStarted(trial_id(number), f"trial-{number}", "s", 2, SWEEP, trial=facts)])
        source = self.folder / "weights"
        source.write_text("w")
        uri = store.tracker.get(trial_id(number)).artifact_uri
        files = ArtifactFolder().save_file(uri, source, "model/weights")
        model = LoggedModel("m-" + trial_id(number), "model", "model")
        ended = replace(facts, state="COMPLETE", value=1.0)
        store.tracker.record(
            [RunEnded(trial_id(number), Status.FINISHED, 3, artifacts=files, models=[model], trial=ended)]
        )
        self.kept.append(Path(uri, "model/weights"))

    def artifacts(self, run_id: str) -> Path:
        with self.open() as store:
            return Path(store.tracker.get(run_id).artifact_uri)

    def litter(self, run_id: str, name: str = "lost/file.bin", text: str = "12345") -> Path:
        path = self.artifacts(run_id) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def gc(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["gc", "--tracker", self.uri, *arguments])

    def would_go(self) -> set[str]:
        result = self.gc("-f", "json")
        assert result.exit_code == 0, result.stderr
        return {row["path"] for row in json.loads(result.stdout)}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return Place(tmp_path)


def test_what_no_manifest_knows_is_listed_first_and_removed_when_told_to(place: Place) -> None:
    lost, half = place.litter(trial_id(0)), place.litter(trial_id(1), "model/.00ff.part", "abc")
    listed = place.gc()
    assert (listed.exit_code, "nothing was removed" in listed.stderr) == (0, True)
    assert str(lost) in listed.stdout
    assert "half written" in listed.stdout
    assert "2 places, 8 bytes" in listed.stderr
    assert lost.exists()
    assert half.exists()
    removed = place.gc("--yes")
    assert "removed 2 places, 8 bytes" in removed.stderr
    assert not lost.parent.exists()
    assert not half.exists()
    assert all(path.exists() for path in place.kept)
    assert "nothing to remove" in place.gc("--yes").stderr


def test_what_a_killed_driver_left_to_see_who_sees_it_goes_and_nothing_else(place: Place) -> None:
    left = Probe.left_in(place.artifacts(SWEEP).parent).path
    assert place.would_go() == {str(left)}

    assert "removed 1 place, 32 bytes" in place.gc("--yes").stderr

    assert not left.exists()
    assert left.parent.exists()


def test_what_runs_or_waits_is_left_alone(place: Place) -> None:
    with place.open() as store:
        for number, state in ((2, "RUNNING"), (3, "WAITING")):
            facts = TrialFacts(number, {}, state)
            store.tracker.record([RunStarted(trial_id(number), f"trial-{number}", "s", 2, SWEEP, trial=facts)])
    place.litter(trial_id(2))
    place.litter(trial_id(3))
    lost = place.litter(trial_id(0))
    assert place.would_go() == {str(lost)}


def test_a_sweep_at_work_is_left_alone_with_all_its_trials(place: Place) -> None:
    place.litter(trial_id(0))
    place.litter(SWEEP)
    with place.open() as store:
        store.tracker.record([RunStarted(SWEEP, "s", "s", 1, sweep=FACTS)])
    assert place.would_go() == set()


def test_runs_of_mlflow_alone_and_unknown_runs_are_left_alone(place: Place) -> None:
    with place.open() as store:
        store.tracker.record([RunStarted("e" * 32, "theirs", "s", 1), RunEnded("e" * 32, Status.FINISHED, 2)])
    place.litter("e" * 32)
    unknown = place.artifacts(trial_id(0)).parents[1] / ("d" * 32) / "artifacts" / "file"
    unknown.parent.mkdir(parents=True)
    unknown.write_text("of another store")
    assert place.would_go() == set()
    assert "nothing to remove" in place.gc("--yes").stderr
    assert unknown.exists()


def test_files_of_a_registered_model_stay_even_if_the_manifest_forgot_them(place: Place) -> None:
    with place.open() as store:
        source = f"{store.tracker.get(trial_id(0)).artifact_uri}/model"
        store.registry.register(NewVersion("m", source, trial_id(0), "k", who="me"))
        for number in (0, 1):
            store.tracker.record([RunUpdated(trial_id(number), removed_artifacts=["model/"])])
    assert place.would_go() == {str(place.kept[1])}


def test_a_database_cannot_name_any_folder_of_the_machine(place: Place) -> None:
    import sqlite3

    victim = place.folder / "home" / "letter.txt"
    victim.parent.mkdir()
    victim.write_text("dear")
    connection = sqlite3.connect(place.folder / "mlflow.db")
    connection.execute("UPDATE runs SET artifact_uri = ?", (str(victim.parent),))
    connection.commit()
    connection.close()
    assert place.would_go() == set()


def test_a_link_is_removed_and_not_followed(place: Place) -> None:
    outside = place.folder / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    (place.artifacts(trial_id(0)) / "folder").symlink_to(outside)
    (place.artifacts(trial_id(0)) / "file").symlink_to(outside / "precious")
    place.gc("--yes")
    assert (outside / "precious").exists()
    assert not (place.artifacts(trial_id(0)) / "file").is_symlink()


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_folders_of_dead_drivers_go_and_those_of_living_ones_stay(
    place: Place, wait_for_hour: Callable[[Path], None]
) -> None:
    alive, young = new_scratch(), place.folder / "tmp" / f"hpo-scratch-{dead_pid()}-young"
    dead = place.folder / "tmp" / f"hpo-scratch-{dead_pid()}-x1y2"
    for folder in (young, dead):
        folder.mkdir()
    (dead / "slot-0.log").write_text("123")
    for folder in (alive, dead):
        wait_for_hour(folder)
    assert place.would_go() == {str(dead)}
    place.gc("--yes")
    assert [folder.exists() for folder in (alive, young, dead)] == [True, True, False]


@pytest.fixture
def wait_for_hour() -> Callable[[Path], None]:
    """Makes a folder look two hours old."""
    return lambda folder: os.utime(folder, (0, folder.stat().st_mtime - 7200))


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["gc", "--tracker", f"sqlite:///{tmp_path}/mlflow.db"])
    assert (result.exit_code, list(tmp_path.iterdir())) == (1, [])


OTHER = "6" * 32


def delete_all(place: Place) -> None:
    with place.open() as store:
        store.tracker.record([RunDeleted(run_id, 10) for run_id in (SWEEP, trial_id(0), trial_id(1))])


def test_a_sweep_whose_files_are_out_of_reach_stays_and_the_others_go(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("HPO_ARTIFACTS_RETRIES", "0")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with place.open() as store:
        store.tracker.experiment("far", "s3://bucket/far")
        store.tracker.record([RunStarted(OTHER, "far", "far", 1, sweep=FACTS)])
        store.tracker.record([RunEnded(OTHER, Status.FINISHED, 5), RunDeleted(OTHER, 6)])
    delete_all(place)
    gone = place.gc("--yes", "--older-than", "0s")
    assert gone.exit_code == 75
    assert "left alone: sweep far: " in gone.stderr
    with place.open() as store:
        assert [run.id for run in store.tracker.find(Query(deleted=None))] == [OTHER]
    assert not any(path.exists() for path in place.kept)


def test_what_a_driver_kept_aside_goes_with_its_sweep(place: Place) -> None:
    delete_all(place)
    spools = [place.folder / f".hpo-spool-{run_id}.jsonl" for run_id in (SWEEP, OTHER)]
    for spool in spools:
        spool.write_text("{}\n")
    assert place.gc("--yes", "--older-than", "0s").exit_code == 0
    assert [spool.exists() for spool in spools] == [False, True]
