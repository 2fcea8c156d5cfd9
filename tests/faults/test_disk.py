"""A full disk, a forbidden one, a network one: nothing that was printed is lost, and the remedy is named."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hpo import patience
from trackers.artifacts import ArtifactFolder
from trackers.errors import StoreUnavailable
from trackers.opening import open_store
from trackers.records import Query
from trackers.sql import sqlite_files

QUICK = {"HPO_STORE_RETRY_FOR": "1s"}
LONG = {"HPO_STORE_RETRY_FOR": "60s"}


class SmallDisk:
    """A file system of its own, of a few megabytes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def ballast(self) -> Path:
        return self.path / "ballast"

    def fill(self) -> None:
        """Leaves not one page."""
        with self.ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass

    def free(self) -> None:
        self.ballast.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield SmallDisk(path)
    subprocess.run(["umount", "-l", str(path)], check=True)


def on_disk(sweep_folder: object, disk: SmallDisk) -> object:
    """The sweep folder with its database on the small disk."""
    sweep_folder.__class__ = type(
        "OnDisk", (type(sweep_folder),), {"database": property(lambda self: disk.path / "mlflow.db")}
    )
    sweep_folder.write(tracker={"uri": f"sqlite:///{disk.path}/mlflow.db"})
    return sweep_folder


def printed(driver: object) -> set[int]:
    """The trials whose end was printed."""
    words = [line.split() for line in driver.stderr.splitlines()]
    return {int(line[1]) for line in words if line[:1] == ["trial"] and line[2] == "COMPLETE"}


def complete(sweep_folder: object) -> set[int]:
    return {trial.number for trial in sweep_folder.trials() if trial.state == "COMPLETE"}


def test_a_full_disk_loses_nothing_and_names_path_and_remedy(
    sweep_folder, fork_driver: Callable[..., object], wait_for: Callable[..., None], small_disk: SmallDisk
) -> None:
    """F10."""
    folder = on_disk(sweep_folder, small_disk)
    folder.hold(3)
    driver = fork_driver(environment=QUICK)
    wait_for(lambda: folder.held(3))
    small_disk.fill()
    folder.release(3)
    assert driver.wait() == 75
    last = driver.stderr.splitlines()[-1]
    assert last == (
        f"Error: no space left on {small_disk.path}; free space, then: "
        f"hpo resume faults --tracker sqlite:///{small_disk.path}/mlflow.db"
    )
    assert "Traceback" not in driver.stderr
    [spooled] = (folder.path / "mlruns").glob(".hpo-spool-*.jsonl")
    assert f"what ended is kept in {spooled}" in driver.stderr
    assert printed(driver) == {0, 1, 2}
    small_disk.free()
    assert printed(driver) <= complete(folder)
    assert folder.integrity() == "ok"
    again = fork_driver()
    assert again.wait() == 0, again.stderr
    assert "1 result that the store had refused before are on record now" in again.stderr
    assert folder.states() == ["COMPLETE"] * 6
    assert folder.executions() == dict.fromkeys(range(6), 1)
    assert folder.integrity() == "ok"
    assert not spooled.exists()


def test_a_disk_that_is_freed_in_time_costs_nothing(
    sweep_folder, fork_driver: Callable[..., object], wait_for: Callable[..., None], small_disk: SmallDisk
) -> None:
    """F10."""
    folder = on_disk(sweep_folder, small_disk)
    folder.hold(2)
    driver = fork_driver(environment=LONG)
    wait_for(lambda: folder.held(2))
    small_disk.fill()
    folder.release(2)
    wait_for(lambda: f"no space left on {small_disk.path}: waiting" in driver.stderr)
    small_disk.free()
    assert driver.wait() == 0, driver.stderr
    assert "the store is back: reconnected after" in driver.stderr
    assert folder.executions() == dict.fromkeys(range(6), 1)
    assert folder.states() == ["COMPLETE"] * 6


def test_sigterm_ends_the_waiting_for_space_and_keeps_what_ended(
    sweep_folder, fork_driver: Callable[..., object], wait_for: Callable[..., None], small_disk: SmallDisk
) -> None:
    """F10, F2."""
    folder = on_disk(sweep_folder, small_disk)
    folder.hold(1)
    driver = fork_driver(environment=LONG)
    wait_for(lambda: folder.held(1))
    small_disk.fill()
    folder.release(1)
    wait_for(lambda: "no space left on" in driver.stderr)
    driver.send(signal.SIGTERM)
    wait_for(lambda: "stopping" in driver.stderr)
    driver.send(signal.SIGTERM)
    assert driver.wait() == 75
    small_disk.free()
    assert fork_driver().wait() == 0
    assert folder.executions() == dict.fromkeys(range(6), 1)


def test_a_disk_that_is_full_from_the_start_is_named(
    sweep_folder, fork_driver: Callable[..., object], small_disk: SmallDisk
) -> None:
    """F10."""
    folder = on_disk(sweep_folder, small_disk)
    small_disk.fill()
    driver = fork_driver(environment=QUICK)
    assert driver.wait() == 75
    assert f"no space left on {small_disk.path}" in driver.stderr.splitlines()[-1]
    assert folder.ledger() == []
    assert not folder.database.exists()
    small_disk.free()
    assert fork_driver().wait() == 0


def test_a_full_disk_of_artifacts_fails_the_trial_and_the_sweep_goes_on(
    sweep_folder, fork_driver: Callable[..., object], wait_for: Callable[..., None], small_disk: SmallDisk
) -> None:
    """F11."""
    sweep_folder.write(
        tracker={"artifacts": str(small_disk.path / "mlruns"), "log_models": "all"},
        objective={"python": "fault_objective:with_model"},
    )
    sweep_folder.hold(1, 3)
    driver = fork_driver()
    wait_for(lambda: sweep_folder.held(1))
    small_disk.fill()
    sweep_folder.release(1)
    wait_for(lambda: sweep_folder.held(3))
    small_disk.free()
    sweep_folder.release(3)
    assert driver.wait() == 0, driver.stderr
    trials = sweep_folder.trials()
    states = [trial.state for trial in trials]
    assert states == ["COMPLETE", "FAILED", "FAILED", "COMPLETE", "COMPLETE", "COMPLETE"]
    assert {trial.reason for trial in trials if trial.state == "FAILED"} == {"artifact"}
    assert "No space left" in trials[1].error
    with open_store(sweep_folder.uri, read_only=True) as store:
        for run in store.tracker.find(Query(parent=sweep_folder.sweep().id)):
            manifest = store.tracker.artifacts(run.id)
            assert bool(manifest) == (run.trial.state == "COMPLETE")
            assert ArtifactFolder().verify(run.artifact_uri, manifest) == []
            assert bool(run.models) == bool(manifest)
    assert not list(small_disk.path.rglob("*.part"))


@pytest.mark.slow
def test_artifacts_that_were_removed_under_the_driver_are_made_anew(
    sweep_folder, fork_driver: Callable[..., object], wait_for: Callable[..., None]
) -> None:
    """F11."""
    sweep_folder.write(objective={"python": "fault_objective:with_model"}, tracker={"log_models": "all"})
    sweep_folder.hold(2)
    driver = fork_driver()
    wait_for(lambda: sweep_folder.held(2))
    shutil.rmtree(sweep_folder.path / "mlruns")
    sweep_folder.release(2)
    assert driver.wait() == 0, driver.stderr
    assert sweep_folder.states() == ["COMPLETE"] * 6


def without_privilege() -> list[str]:
    """What turns root into somebody whom file modes bind."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is missing, and root may write everywhere")
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


def test_a_folder_that_may_not_be_written_is_named_with_the_user(sweep_folder, wait_for) -> None:
    """F26."""
    closed = sweep_folder.path / "closed"
    closed.mkdir(mode=0o555)
    sweep_folder.write(tracker={"uri": f"sqlite:///{closed}/mlflow.db"})
    command = [*without_privilege(), sys.executable, "-c", "from hpo.cli.main import main; main()", "run", "sweep.yaml"]
    refused = subprocess.run(
        command, cwd=sweep_folder.path, capture_output=True, text=True, check=False, env=clean_environment()
    )
    assert refused.returncode == 75, refused.stderr
    assert refused.stderr.splitlines()[-1] == (
        f"Error: the folder {closed} cannot be written by uid {os.geteuid()}; "
        "give it the right to, or name another place"
    )
    assert list(closed.iterdir()) == []
    assert sweep_folder.ledger() == []


def clean_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HPO_", "MLFLOW_"))}
    return {**kept, "PYTHONPATH": str(Path(__file__).parents[2])}


@pytest.mark.slow
def test_a_model_registered_by_hand_stays_while_the_sweep_finds_better_ones(
    sweep_folder, fork_driver, wait_for: Callable[..., None]
) -> None:
    """F25."""
    sweep_folder.write(
        objective={"python": "fault_objective:with_model"},
        tracker={"log_models": "best"},
        metric={"goal": "maximize"},  # trial 0 is the best the other way round
    )
    sweep_folder.hold(1)
    driver = fork_driver()
    wait_for(lambda: sweep_folder.held(1))
    assert sweep_folder.hpo("register", "faults#0", "--name", "mine").wait() == 0
    sweep_folder.release(1)
    assert driver.wait() == 0
    with open_store(sweep_folder.uri, read_only=True) as store:
        runs = store.tracker.find(Query(parent=sweep_folder.sweep().id))
        best = max(runs, key=lambda run: run.trial.value)
        assert best.trial.number != 0
        keeping = {run.trial.number for run in runs if store.tracker.artifacts(run.id)}
        assert keeping == {0, best.trial.number}
        folder = ArtifactFolder()
        for run in runs:
            assert folder.verify(run.artifact_uri, store.tracker.artifacts(run.id)) == []
        assert folder.names(runs[0].artifact_uri)
    listed = sweep_folder.hpo("gc", "-f", "json")
    here = [found for found in json.loads(listed.stdout) if str(sweep_folder.path) in found["path"]]
    assert here == []  # what other tests left in the temporary folder is not ours


def test_a_missing_folder_is_named_and_not_made(sweep_folder, fork_driver: Callable[..., object]) -> None:
    """F26."""
    missing = sweep_folder.path / "no" / "such"
    sweep_folder.write(tracker={"uri": f"sqlite:///{missing}/mlflow.db"})
    driver = fork_driver()
    assert driver.wait() == 75
    assert driver.stderr.splitlines()[-1] == (
        f"Error: the folder {missing} does not exist; make it first: mkdir -p {missing}"
    )
    assert not missing.parent.exists()


def test_a_read_only_file_system_is_named(sweep_folder, fork_driver, small_disk: SmallDisk) -> None:
    """F26."""
    folder = on_disk(sweep_folder, small_disk)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk.path)], check=True)
    driver = fork_driver()
    assert driver.wait() == 75
    assert f"{small_disk.path} cannot be written" in driver.stderr.splitlines()[-1]
    assert folder.ledger() == []


@pytest.mark.parametrize("system", ["nfs", "nfs4", "cifs", "fuse.sshfs", "lustre"])
def test_a_store_on_a_network_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    """F30."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/x {tmp_path} {system} rw 0 0\n")
    monkeypatch.setattr(sqlite_files, "MOUNTS", mounts)
    with pytest.raises(StoreUnavailable, match=rf"network file system \({system}\).*choose a folder on a local disk"):
        open_store(f"sqlite:///{tmp_path}/mlflow.db")
    assert not (tmp_path / "mlflow.db").exists()


def test_a_new_store_in_memory_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """F30."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"tmpfs {tmp_path} tmpfs rw 0 0\n")
    monkeypatch.setattr(sqlite_files, "MOUNTS", mounts)
    open_store(f"sqlite:///{tmp_path}/mlflow.db").close()
    assert f"{tmp_path}/mlflow.db lies in memory (tmpfs): it is gone when the machine stops" in caplog.text


def test_how_long_to_wait_is_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """F10."""
    assert patience.retry_seconds(300.0, {}) == 300.0
    assert patience.retry_seconds(300.0, {"HPO_STORE_RETRY_FOR": "90s"}) == 90.0
    assert patience.retry_seconds(300.0, {"HPO_STORE_RETRY_FOR": "0.5"}) == 0.5
    assert patience.retry_seconds(300.0, {"HPO_STORE_RETRY_FOR": "0"}) == 0.0
    for wrong in ("soon", "-1", "nan", "1 week"):
        with pytest.raises(Exception, match="HPO_STORE_RETRY_FOR must be a time"):
            patience.retry_seconds(300.0, {"HPO_STORE_RETRY_FOR": wrong})
