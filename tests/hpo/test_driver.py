"""Whether the driver of a sweep still lives: known at once on this host, never for another."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from waiting import until

from hpo.driver import Driver, Life, life_of, login_name


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """Another process, which waits for its end."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def driver_of(pid: int) -> Driver:
    """What the process of that pid would say of itself."""
    from hpo import driver

    return replace(Driver.here(), pid=pid, start=driver._start_of(pid) or "")


def test_this_process_lives() -> None:
    here = Driver.here()
    assert life_of(here) is Life.ALIVE
    assert here.pid == os.getpid()
    assert here.start


def test_a_driver_is_read_from_its_text() -> None:
    here = Driver.here()
    assert Driver.parse(here.text) == here
    assert str(here) == f"pid {here.pid} on host {here.host} since {here.since}"


@pytest.mark.parametrize("text", ["", "17@host since 3", "[]", "{}", '{"pid": "x"}', "null"])
def test_of_a_text_that_is_no_driver_nothing_is_known(text: str) -> None:
    assert life_of(Driver.parse(text)) is Life.UNKNOWN


def test_what_a_later_release_adds_to_the_text_is_left_out() -> None:
    assert Driver.parse('{"pid": 7, "host": "h", "colour": "red"}') == Driver(7, "h")


def test_a_driver_from_before_the_last_boot_is_dead() -> None:
    """F18: its pid may well belong to somebody else by now."""
    assert life_of(replace(Driver.here(), boot="11111111-2222-3333-4444-555555555555")) is Life.DEAD


def test_a_driver_whose_pid_was_given_to_another_process_is_dead() -> None:
    """F18"""
    assert life_of(replace(Driver.here(), start="12")) is Life.DEAD


@pytest.mark.parametrize("change", [{"host": "elsewhere"}, {"namespace": "pid:[1]"}, {"machine": "another"}])
def test_nobody_can_tell_about_a_driver_elsewhere(change: dict[str, str]) -> None:
    here = replace(Driver.here(), machine="")
    if "machine" in change and not Driver.here().machine:
        pytest.skip("this machine has no id")
    assert life_of(replace(here, **change)) is Life.UNKNOWN  # type: ignore[arg-type]


def test_a_process_that_ended_is_dead_before_anybody_awaits_it(other: subprocess.Popen[bytes]) -> None:
    driver = driver_of(other.pid)
    assert life_of(driver) is Life.ALIVE
    other.send_signal(signal.SIGKILL)
    until(lambda: life_of(driver) is Life.DEAD)
    assert other.returncode is None  # nobody has: it is a zombie
    other.wait()
    assert life_of(driver) is Life.DEAD


def test_a_stopped_process_lives(other: subprocess.Popen[bytes]) -> None:
    driver = driver_of(other.pid)
    other.send_signal(signal.SIGSTOP)
    assert life_of(driver) is Life.ALIVE


def test_the_wall_clock_has_no_part_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """F17"""
    before = Driver.here()
    for now in (0.0, 2**31 + 5.0, time.time() - 7200, time.time() + 7200):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        assert life_of(before) is Life.ALIVE
        assert replace(Driver.here(), since="") == replace(before, since="")


def test_whoever_has_no_name_is_called_by_the_user_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs under an id which its system does not know."""
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 2_000_000_123)
    assert login_name() == "uid-2000000123"
    monkeypatch.setenv("LOGNAME", "ada")
    assert login_name() == "ada"
