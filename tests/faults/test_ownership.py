"""One driver for each sweep: races, takeovers, clocks that jump and machines that boot again."""

import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from trackers.artifacts import ArtifactFolder
from trackers.opening import open_store
from trackers.records import Query

Wait = Callable[..., None]
SLOW = pytest.mark.slow
RACES = [4, *(pytest.param(count, marks=SLOW) for count in (2, 3, 8, 8, 8))]


def owner(folder: Path) -> dict[str, object]:
    """Who holds the sweep, as it stands in the store."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        [(text,)] = connection.execute("SELECT owner FROM hpo_owners").fetchall()
    known: dict[str, object] = json.loads(text)
    return known


def change_owner(folder: Path, **changed: object) -> None:
    """Alters what stands in the store of who holds the sweep."""
    text = json.dumps({**owner(folder), **changed})
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        connection.execute("UPDATE hpo_owners SET owner = ?", (text,))
        connection.commit()


def is_owned(folder: Path) -> bool:
    """Whether anybody holds a sweep of the store."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        return bool(connection.execute("SELECT count(*) FROM hpo_owners").fetchone()[0])


@pytest.mark.parametrize("count", RACES)
def test_of_several_that_start_one_sweep_on_a_fresh_store_exactly_one_runs_it(
    sweep_folder, wait_for: Wait, count: int
) -> None:
    """F15: all of them have seen an empty store before the first one puts the sweep on record."""
    sweep_folder.hold(0)
    gates = [sweep_folder.path / f"gate-{number}" for number in range(count)]
    drivers = [
        sweep_folder.start("run", "sweep.yaml", environment={"HPO_FAILPOINT": f"parent.before_commit:wait:{gate}:1"})
        for gate in gates
    ]
    wait_for(lambda: all(Path(f"{gate}.reached").exists() for gate in gates))
    for gate in gates:
        gate.touch()
    wait_for(lambda: sum(driver.process.poll() is None for driver in drivers) == 1)
    wait_for(lambda: sweep_folder.held(0))
    [winner] = [driver for driver in drivers if driver.process.poll() is None]
    losers = [driver for driver in drivers if driver is not winner]
    assert [driver.wait() for driver in losers] == [5] * (count - 1)
    host = os.uname().nodename
    for loser in losers:
        assert f"is run by pid {winner.pid} on host {host} since 20" in loser.stderr
        assert "Traceback" not in loser.stderr
    sweep_folder.release(0)
    assert winner.wait() == 0
    assert sweep_folder.states() == ["COMPLETE"] * 6
    assert [trial.number for trial in sweep_folder.trials()] == list(range(6))
    assert sweep_folder.executions() == dict.fromkeys(range(6), 1)
    assert sweep_folder.integrity() == "ok"
    assert not is_owned(sweep_folder.path)
    again = sweep_folder.hpo("run", "sweep.yaml")
    assert again.wait() == 0
    assert len(sweep_folder.ledger()) == 12


def test_who_comes_while_a_sweep_runs_is_refused_at_once_and_changes_nothing(sweep_folder, wait_for: Wait) -> None:
    """F15"""
    sweep_folder.hold(2)
    first = sweep_folder.start("run", "sweep.yaml")
    wait_for(lambda: sweep_folder.held(2))
    before = sweep_folder.states(), sweep_folder.sweep()
    second = sweep_folder.hpo("run", "sweep.yaml", "-n", "9")
    assert second.wait() == 5
    assert f"is run by pid {first.pid} on host" in second.stderr
    assert (sweep_folder.states(), sweep_folder.sweep()) == before
    sweep_folder.release(2)
    assert first.wait() == 0
    assert sweep_folder.states() == ["COMPLETE"] * 6


def test_of_several_that_follow_a_dead_driver_exactly_one_goes_on(sweep_folder, wait_for: Wait) -> None:
    """F1, F15: all saw the same dead driver, and take the sweep from that one only."""
    sweep_folder.hold(2)
    first = sweep_folder.start("run", "sweep.yaml")
    wait_for(lambda: sweep_folder.held(2))
    first.kill9()
    drivers = [sweep_folder.start("run", "sweep.yaml") for _ in range(4)]
    wait_for(lambda: sum(driver.process.poll() is None for driver in drivers) == 1)
    [winner] = [driver for driver in drivers if driver.process.poll() is None]
    assert [driver.wait() for driver in drivers if driver is not winner] == [5] * 3
    sweep_folder.release(2)
    assert winner.wait() == 0
    assert f"reclaimed 1 trial of dead driver pid {first.pid}" in winner.stderr
    assert sweep_folder.states() == ["COMPLETE"] * 6
    assert [trial.attempt for trial in sweep_folder.trials()] == [1, 1, 2, 1, 1, 1]
    assert sweep_folder.executions() == dict.fromkeys(range(6), 1)


def test_a_driver_that_was_frozen_and_taken_over_wakes_up_to_nothing(sweep_folder, wait_for: Wait, living) -> None:
    """F16: its workers were not frozen, but are ended; attempt 2 of their trials alone is accepted."""
    sweep_folder.write(parallel={"n_jobs": 2, "backend": "loky"})
    sweep_folder.hold(0, 1, 5)
    first = sweep_folder.start("run", "sweep.yaml")
    wait_for(lambda: sweep_folder.held(0) and sweep_folder.held(1))
    first.send(signal.SIGSTOP)
    refused = sweep_folder.hpo("run", "sweep.yaml")
    assert refused.wait() == 5
    second = sweep_folder.start("run", "sweep.yaml", "--takeover")
    wait_for(lambda: sweep_folder.executions("start") == {0: 2, 1: 2})
    assert not {entry.pid for entry in sweep_folder.ledger()[:2]} & set(living(sweep_folder.path))
    sweep_folder.release(0, 1)
    wait_for(lambda: sweep_folder.held(5))
    wait_for(lambda: sweep_folder.states() == ["COMPLETE"] * 5 + ["RUNNING"])
    before = sweep_folder.trials(), sweep_folder.sweep()
    first.send(signal.SIGCONT)
    assert first.wait() == 6
    assert (sweep_folder.trials(), sweep_folder.sweep()) == before
    last = first.stderr.strip().splitlines()[-1]
    assert f"superseded by pid {second.pid} on host" in last
    assert "its late results were refused" in last
    assert "Traceback" not in first.stderr
    sweep_folder.release(5)
    assert second.wait() == 0
    assert [(trial.number, trial.attempt, trial.state) for trial in sweep_folder.trials()] == [
        (0, 2, "COMPLETE"),
        (1, 2, "COMPLETE"),
        *((number, 1, "COMPLETE") for number in range(2, 6)),
    ]
    wait_for(lambda: living(sweep_folder.path) == [])


WITH_FILE = """

def with_file(params, trial):
    ledger("start", trial, params)
    hold(trial)
    path = trial.dir / "who.txt"
    path.write_text(str(os.getpid()))
    trial.log_artifact(path)
    (HERE / f"saved-{trial.number}-{os.getpid()}").touch()
    ledger("finish", trial, params)
    return {"loss": params["x"]}
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["serial", "threading"])
def test_what_a_driver_that_was_taken_over_saves_when_it_wakes_up_harms_no_file_of_the_next_attempt(
    sweep_folder, wait_for: Wait, backend: str
) -> None:
    """F16: its trial runs in its own process and goes on; attempt 2 has a folder of its own.

    Threads end with their driver, which may learn that it was taken over before the trial has saved anything.
    """
    with (sweep_folder.path / "fault_objective.py").open("a") as objective:
        objective.write(WITH_FILE)
    sweep_folder.write(
        objective={"python": "fault_objective:with_file"}, parallel={"n_jobs": 1, "backend": backend},
        budget={"n_trials": 2},
    )  # fmt: skip
    sweep_folder.hold(0)
    first = sweep_folder.start("run", "sweep.yaml")
    wait_for(lambda: sweep_folder.held(0))
    first.send(signal.SIGSTOP)
    sweep_folder.release(0)
    second = sweep_folder.hpo("run", "sweep.yaml", "--takeover")
    assert second.wait() == 0, second.stderr
    first.send(signal.SIGCONT)
    assert first.wait() == 6
    has_saved = (sweep_folder.path / f"saved-0-{first.pid}").exists()
    assert has_saved or backend == "threading"
    with open_store(sweep_folder.uri, read_only=True) as store:
        runs = store.tracker.find(Query(parent=sweep_folder.sweep().id))
        for run in runs:
            manifest = store.tracker.artifacts(run.id)
            assert [kept.path for kept in manifest] == ["who.txt"]
            assert ArtifactFolder().verify(run.artifact_uri, manifest) == []
            with ArtifactFolder().open(run.artifact_uri, "who.txt") as file:
                assert file.read() == str(second.pid).encode()
    assert [trial.attempt for trial in sweep_folder.trials()] == [2, 1]
    listed = sweep_folder.hpo("gc").stdout
    assert not has_saved or ("who.txt" in listed and "of another attempt" in listed)
    assert sweep_folder.hpo("gc", "--yes").wait() == 0
    assert len(list(sweep_folder.path.glob("mlruns/**/who.txt"))) == 2


@pytest.mark.everyday(count=1)
@pytest.mark.parametrize(("backend", "n_jobs"), [("loky", 2), ("serial", 1), pytest.param("threading", 2, marks=SLOW)])
def test_a_healthy_driver_that_is_taken_over_ends_with_its_workers(
    sweep_folder, wait_for: Wait, living, backend: str, n_jobs: int
) -> None:
    """F16: no trial has to end for it; the heart finds out."""
    sweep_folder.write(parallel={"n_jobs": n_jobs, "backend": backend})
    sweep_folder.hold()
    first = sweep_folder.start("run", "sweep.yaml")
    wait_for(lambda: all(sweep_folder.held(number) for number in range(n_jobs)))
    second = sweep_folder.start("run", "sweep.yaml", "--takeover")
    assert first.wait() == 6
    assert f"superseded by pid {second.pid} on host" in first.stderr
    sweep_folder.release()
    assert second.wait() == 0
    assert sweep_folder.states() == ["COMPLETE"] * 6
    wait_for(lambda: living(sweep_folder.path) == [])


@pytest.mark.slow
def test_of_several_takeovers_at_once_one_driver_is_left(sweep_folder, wait_for: Wait, living) -> None:
    """F16: whoever lost ends with 6, or with 5 where it came second; the budget is exact, whatever the order was."""
    sweep_folder.write(parallel={"n_jobs": 2, "backend": "loky"})
    sweep_folder.hold()
    first = sweep_folder.start("run", "sweep.yaml")
    wait_for(lambda: sweep_folder.held(0) and sweep_folder.held(1))
    others = [sweep_folder.start("run", "sweep.yaml", "--takeover") for _ in range(4)]
    wait_for(lambda: sum(driver.process.poll() is None for driver in [first, *others]) == 1)
    sweep_folder.release()
    codes = sorted(driver.wait() for driver in [first, *others])
    assert codes[0] == 0
    assert set(codes[1:]) <= {5, 6}
    assert first.wait() == 6
    assert [(trial.number, trial.state) for trial in sweep_folder.trials()] == [(n, "COMPLETE") for n in range(6)]
    assert all("Traceback" not in driver.stderr for driver in [first, *others])
    assert sweep_folder.integrity() == "ok"
    wait_for(lambda: living(sweep_folder.path) == [])


JUMPING = """
import itertools
real, jumps = time.time, itertools.cycle([0.0, 7200.0, -7200.0, 2.0**31 - time.time() + 5])
time.time = lambda: real() + next(jumps)
"""


def test_a_wall_clock_that_jumps_changes_nothing(sweep_folder) -> None:
    """F17: two hours ahead, two hours back and the year 2038, at every look at the clock; the budget is one minute."""
    with (sweep_folder.path / "fault_objective.py").open("a") as objective:
        objective.write(JUMPING)  # a serial sweep imports it into its driver
    sweep_folder.write(budget={"n_trials": 20, "timeout": "1m"})
    driver = sweep_folder.hpo("run", "sweep.yaml")
    assert driver.wait() == 0
    assert sweep_folder.executions() == dict.fromkeys(range(20), 1)
    assert [trial.number for trial in sweep_folder.trials()] == list(range(20))
    assert all(trial.state == "COMPLETE" and 0 <= trial.seconds < 60 for trial in sweep_folder.trials())
    with closing(sqlite3.connect(sweep_folder.database)) as connection:
        times = connection.execute("SELECT start_time, end_time FROM runs").fetchall()
    assert len(times) == 21
    assert all(started <= ended for started, ended in times)
    assert len({started // 3_600_000 for started, _ in times}) > 2  # it did jump


@pytest.mark.everyday(count=1)
@pytest.mark.parametrize("change", ["boot", "pid of another process"])
def test_after_a_reboot_the_sweep_goes_on_at_once(sweep_folder, wait_for: Wait, change: str) -> None:
    """F18: a lease of an hour shows that nobody waits; the pid on record belongs to a process that lives."""
    sweep_folder.hold(2)
    first = sweep_folder.start("run", "sweep.yaml")
    wait_for(lambda: sweep_folder.held(2))
    first.kill9()
    sweep_folder.release(2)
    changed = {
        "boot": {"boot": "11111111-2222-3333-4444-555555555555", "pid": os.getpid()},
        "pid of another process": {"pid": os.getpid()},
    }[change]
    change_owner(sweep_folder.path, **changed)
    second = sweep_folder.hpo("run", "sweep.yaml", environment={"HPO_LEASE": "3600"})
    assert second.wait() == 0
    assert f"reclaimed 1 trial of dead driver pid {os.getpid()}" in second.stderr
    assert sweep_folder.states() == ["COMPLETE"] * 6
    assert [trial.attempt for trial in sweep_folder.trials()] == [1, 1, 2, 1, 1, 1]
    assert sweep_folder.executions() == dict.fromkeys(range(6), 1)


def test_a_driver_killed_on_another_host_is_followed_after_a_lease(sweep_folder, wait_for: Wait) -> None:
    """F1: from another host nobody can see whether it lives, only that its heart stands still."""
    sweep_folder.hold(2)
    first = sweep_folder.start("run", "sweep.yaml")
    wait_for(lambda: sweep_folder.held(2))
    first.kill9()
    sweep_folder.release(2)
    change_owner(sweep_folder.path, host="elsewhere")
    began = time.monotonic()
    second = sweep_folder.hpo("run", "sweep.yaml", environment={"HPO_LEASE": "1"})
    assert time.monotonic() - began >= 1
    assert second.wait() == 0
    assert f"is held by pid {first.pid} on host elsewhere since" in second.stderr
    assert "watching for 1 s whether it lives" in second.stderr
    assert sweep_folder.states() == ["COMPLETE"] * 6


@pytest.mark.slow
def test_a_living_driver_on_another_host_is_not_followed(sweep_folder, wait_for: Wait) -> None:
    """F15"""
    sweep_folder.hold(2)
    first = sweep_folder.start("run", "sweep.yaml", environment={"HPO_LEASE": "2"})
    wait_for(lambda: sweep_folder.held(2))
    change_owner(sweep_folder.path, host="elsewhere")
    second = sweep_folder.hpo("run", "sweep.yaml", environment={"HPO_LEASE": "600"})
    assert second.wait() == 5
    assert f"is run by pid {first.pid} on host elsewhere" in second.stderr
    sweep_folder.release(2)
    assert first.wait() == 0


def test_a_driver_asked_to_stop_ends_like_after_one_ctrl_c(sweep_folder, wait_for: Wait) -> None:
    """F3: asked through the store, as `hpo stop` does it."""
    sweep_folder.hold(2)
    driver = sweep_folder.start("run", "sweep.yaml")
    wait_for(lambda: sweep_folder.held(2))
    with open_store(sweep_folder.uri) as store:
        assert store.ownership.ask_to_stop(sweep_folder.sweep().id)
    wait_for(lambda: "asked to stop" in driver.stderr)
    sweep_folder.release(2)
    assert driver.wait() == 130
    assert sweep_folder.states() == ["COMPLETE"] * 3
    assert not is_owned(sweep_folder.path)
    assert sweep_folder.hpo("run", "sweep.yaml").wait() == 0
    assert sweep_folder.executions() == dict.fromkeys(range(6), 1)
