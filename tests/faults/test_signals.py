"""Ctrl-C, SIGTERM, SIGHUP, terminals that go away: no RUNNING rows, no orphans, and a line that says how to go on."""

import os
import pty
import signal
import subprocess
import sys
import threading
import time

import pytest

from hpo import run
from hpo.cli.signals import FIRST, SECOND, watched
from hpo.interruption import Interruption

TWO_PROCESSES = {"backend": "loky", "n_jobs": 2}
ENDING = {signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGINT: 130}
GO_ON = "go on with: hpo"


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


def check_ended(folder, driver, living, code: int, waiting: int) -> None:
    """The exit code, the last line, no RUNNING rows, and nobody left behind."""
    assert driver.wait() == code, driver.stderr
    assert "Traceback" not in driver.stderr
    # Python's own resource tracker, where a signal killed it too, has a word of its own after the driver's last one
    assert GO_ON in last_line(driver.stderr.partition("resource_tracker")[0].rpartition("\n")[0] + "\n")
    states = folder.states()
    assert "RUNNING" not in states
    assert "FAILED" not in states
    assert states.count("WAITING") == waiting
    assert folder.sweep().status == "KILLED"
    wait_for_nobody(living, folder.path)
    assert folder.integrity() == "ok"


def wait_for_nobody(living, path) -> None:
    """A killed process needs a moment to be gone."""
    deadline = time.monotonic() + 10
    while living(path):
        assert time.monotonic() < deadline, living(path)
        time.sleep(0.01)


def check_goes_on(folder, zygote) -> None:
    """The same command again ends the sweep; nothing on record ran twice."""
    complete = [number for number, state in enumerate(folder.states()) if state == "COMPLETE"]
    ran = len(folder.ledger())
    for barrier in folder.path.glob("hold*"):
        barrier.unlink()
    again = zygote.hpo(folder.path, "run", "sweep.yaml")
    assert again.code == 0, again.stderr
    assert folder.states() == ["COMPLETE"] * 6
    assert not {entry.number for entry in folder.ledger()[ran:]} & set(complete)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_lets_the_open_trial_end_and_asks_for_no_more(
    number, sweep_folder, fork_driver, wait_for, living, zygote
) -> None:
    """F2, F3, G11: serial, the trial ends within its grace."""
    sweep_folder.hold(2)
    driver = fork_driver()
    wait_for(lambda: sweep_folder.held(2))
    driver.send_group(number)
    wait_for(lambda: FIRST in driver.stderr)
    sweep_folder.release(2)
    check_ended(sweep_folder, driver, living, ENDING[number], waiting=0)
    assert sweep_folder.states() == ["COMPLETE"] * 3
    check_goes_on(sweep_folder, zygote)


@pytest.mark.everyday(count=1)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_breaks_off_the_trial_in_the_drivers_own_process(
    number, sweep_folder, fork_driver, wait_for, living, zygote
) -> None:
    """F3, G11: serial, the trial would never end."""
    sweep_folder.hold(2)
    driver = fork_driver()
    wait_for(lambda: sweep_folder.held(2))
    driver.send_group(number)
    wait_for(lambda: FIRST in driver.stderr)
    driver.send_group(number)
    check_ended(sweep_folder, driver, living, ENDING[number], waiting=1)
    assert SECOND in driver.stderr
    assert sweep_folder.states() == ["COMPLETE", "COMPLETE", "WAITING"]
    check_goes_on(sweep_folder, zygote)


@pytest.mark.everyday(count=1)
@pytest.mark.parametrize("number", ENDING)
def test_a_signal_to_all_processes_fails_no_trial(number, sweep_folder, start_driver, wait_for, living, zygote) -> None:
    """F2, F3, G11: two worker processes that are in the signal's way; then the driver is told twice."""
    sweep_folder.write(parallel=TWO_PROCESSES)
    sweep_folder.hold(2, 3)
    driver = start_driver()
    wait_for(lambda: sweep_folder.held(2) and sweep_folder.held(3))
    for pid in living(sweep_folder.path):
        os.kill(pid, number)
    wait_for(lambda: FIRST in driver.stderr or driver.has_ended)
    if not driver.has_ended:
        driver.send(signal.SIGTERM)
    check_ended(sweep_folder, driver, living, ENDING[number], waiting=2)
    check_goes_on(sweep_folder, zygote)


def test_a_thread_that_runs_on_does_not_keep_the_driver(sweep_folder, fork_driver, wait_for, living, zygote) -> None:
    """F3, G11: threads cannot be stopped, so the process ends without them."""
    sweep_folder.write(parallel={"backend": "threading", "n_jobs": 2})
    sweep_folder.hold(2, 3)
    driver = fork_driver()
    wait_for(lambda: sweep_folder.held(2) and sweep_folder.held(3))
    driver.send(signal.SIGTERM)
    wait_for(lambda: FIRST in driver.stderr)
    driver.send(signal.SIGTERM)
    check_ended(sweep_folder, driver, living, 143, waiting=2)
    check_goes_on(sweep_folder, zygote)


def test_the_third_signal_ends_the_driver_whatever_it_does(sweep_folder, fork_driver, wait_for, living, zygote) -> None:
    """F3: the store is held by a failpoint; nothing acknowledged is lost, and the sweep goes on."""
    barrier = sweep_folder.path / "never"
    driver = fork_driver(environment={"HPO_FAILPOINT": f"finish.before_commit:wait:{barrier}:3"})
    wait_for(lambda: (sweep_folder.path / "never.reached").exists())
    for said in (FIRST, SECOND):
        driver.send(signal.SIGTERM)
        wait_for(lambda said=said: said in driver.stderr)
    driver.send(signal.SIGTERM)
    assert driver.wait() == 143
    wait_for_nobody(living, sweep_folder.path)
    assert sweep_folder.states()[:2] == ["COMPLETE"] * 2
    check_goes_on(sweep_folder, zygote)


@pytest.mark.everyday(count=3)
@pytest.mark.parametrize(
    "place",
    [
        "parent.before_commit",
        "parent.after_commit",
        "parent.before_manifest",
        "take_up.done",
        "start.before_commit",
        "start.after_commit",
        "store.before_commit",
        "finish.before_commit",
        "finish.after_commit",
        "print.before",
    ],
)
def test_signals_at_any_moment_leave_a_sweep_that_goes_on(place, new_folder, zygote, living) -> None:
    """F2, F3, G11: one signal and two at once, at start-up, while recording, between commit and print."""
    for case, failpoints in (
        ("once", f"{place}:signal:SIGTERM:1"),
        ("twice", f"{place}:signal:SIGTERM:1,{place}:signal:SIGINT:1"),
    ):
        folder = new_folder(f"{case}")
        stopped = zygote.hpo(folder.path, "run", "sweep.yaml", environment={"HPO_FAILPOINT": failpoints})
        assert stopped.code == 143, stopped.stderr
        assert "Traceback" not in stopped.stderr
        assert GO_ON in last_line(stopped.stderr)
        assert "RUNNING" not in folder.states()
        assert folder.sweep().status == "KILLED"
        assert living(folder.path) == []
        again = zygote.hpo(folder.path, "run", "sweep.yaml")
        assert again.code == 0, again.stderr
        assert folder.states() == ["COMPLETE"] * 6


@pytest.mark.everyday(count=1)
@pytest.mark.parametrize("place", ["sweep_end.before_commit", "sweep_end.after_commit", "register.before_commit"])
def test_signals_when_all_is_done_change_nothing(place, sweep_folder, zygote) -> None:
    """F2, G9: what is nearly done is done, registration too."""
    sweep_folder.write(
        objective={"python": "fault_objective:with_model"}, tracker={"log_models": "best"}, register={"name": "model"}
    )
    failpoints = f"{place}:signal:SIGTERM:1,{place}:signal:SIGTERM:1"
    done = zygote.hpo(sweep_folder.path, "run", "sweep.yaml", environment={"HPO_FAILPOINT": failpoints})
    assert done.code == 0, done.stderr
    assert "registered model version 1" in done.stdout
    assert sweep_folder.sweep().status == "FINISHED"


def test_a_signal_that_is_ignored_stays_ignored(sweep_folder, wait_for) -> None:
    """F2: nohup."""
    sweep_folder.hold(2)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        driver = sweep_folder.start("run", "sweep.yaml")
    finally:
        signal.signal(signal.SIGHUP, before)
    wait_for(lambda: sweep_folder.held(2))
    driver.send(signal.SIGHUP)
    sweep_folder.release(2)
    assert driver.wait() == 0
    assert sweep_folder.states() == ["COMPLETE"] * 6


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["stdout", "stderr", "both"])
def test_a_driver_whose_reader_is_gone_runs_on(closed, sweep_folder, wait_for) -> None:
    """F29: `| head -1`, and nobody there at all."""
    reader, writer = os.pipe()
    os.close(reader)
    streams = {name: writer if closed in (name, "both") else subprocess.DEVNULL for name in ("stdout", "stderr")}
    environment = {**os.environ, "PYTHONPATH": str(sweep_folder.root)}
    done = subprocess.run(
        sweep_folder.command("run", "sweep.yaml"), cwd=sweep_folder.path, env=environment, check=False, **streams
    )
    os.close(writer)
    assert done.returncode == (0 if closed == "stderr" else 141)
    assert sweep_folder.states() == ["COMPLETE"] * 6
    assert sweep_folder.sweep().status == "FINISHED"


def test_a_terminal_that_goes_away_stops_the_sweep_with_care(sweep_folder, wait_for, living, zygote) -> None:
    """F29: SIGHUP, and EIO for everything that is written."""
    sweep_folder.hold(2)
    terminal, own = pty.openpty()
    begin = "import fcntl, termios; fcntl.ioctl(2, termios.TIOCSCTTY, 0); from hpo.cli.main import main; main()"
    driver = subprocess.Popen(
        [sys.executable, "-c", begin, "run", "sweep.yaml"],
        cwd=sweep_folder.path,
        env={**os.environ, "PYTHONPATH": str(sweep_folder.root), "TERM": "xterm"},
        stdin=own,
        stdout=own,
        stderr=own,
        start_new_session=True,
    )
    os.close(own)
    drain = threading.Thread(target=read_all, args=(terminal,), daemon=True)
    drain.start()
    wait_for(lambda: sweep_folder.held(2))
    os.close(terminal)  # the kernel sends SIGHUP
    driver.send_signal(signal.SIGHUP)  # and the shell may, too
    sweep_folder.release(2)
    assert driver.wait(60) == 129
    assert sweep_folder.states() == ["COMPLETE"] * 3
    assert sweep_folder.sweep().status == "KILLED"
    wait_for_nobody(living, sweep_folder.path)
    check_goes_on(sweep_folder, zygote)


def read_all(terminal: int) -> None:
    try:
        while os.read(terminal, 4096):
            pass
    except OSError:
        pass


def test_a_sweep_run_from_a_thread_touches_no_signal_handlers(sweep_folder, monkeypatch) -> None:
    """F3: only the main thread may."""
    monkeypatch.chdir(sweep_folder.path)
    handlers = {number: signal.getsignal(number) for number in ENDING}
    results: list[object] = []

    def work() -> None:
        with watched(Interruption()):
            results.append(run(sweep_folder.file, tracker=sweep_folder.uri).counts())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results == [{"COMPLETE": 6}]
    assert {number: signal.getsignal(number) for number in ENDING} == handlers


@pytest.mark.slow
def test_a_keyboard_interrupt_between_any_two_lines_of_the_driver_leaves_nothing_running(
    sweep_folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F3, G11: in a notebook nobody watches signals, so it may come anywhere around the commit."""
    monkeypatch.chdir(sweep_folder.path)
    from trackers import failpoints

    def raise_it(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(failpoints._ACTIONS, "signal", raise_it)
    names = ("start.before_commit", "start.after_commit", "finish.after_commit", "print.before")
    for place in [f"{name}:signal:SIGINT:{nth}" for name in names for nth in (1, 3)]:
        failpoints.arm({"HPO_FAILPOINT": place})
        try:
            with pytest.raises(KeyboardInterrupt):
                run(sweep_folder.file, tracker=sweep_folder.uri, new=True)
        finally:
            failpoints.arm({})
        name = sweep_folder.latest_name()
        assert "RUNNING" not in sweep_folder.states(name), place
        assert sweep_folder.sweep(name).status == "KILLED"
