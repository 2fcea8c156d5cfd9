"""Failpoints: what they do, and that they cost nothing when nobody asks for one."""

import errno
import os
import subprocess
import sys
import timeit
from collections.abc import Callable
from pathlib import Path

import pytest

from trackers import failpoints

REACH = "from trackers.failpoints import reach\nfor _ in range(3): reach('here'); print('passed', flush=True)"


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", REACH], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_a_process_is_killed_at_the_nth_passing() -> None:
    done = run(HPO_FAILPOINT="here:kill9:2")
    assert (done.returncode, done.stdout) == (-9, "passed\n")


def test_another_place_is_passed_by() -> None:
    assert run(HPO_FAILPOINT="there:kill9:1").stdout == "passed\n" * 3


def test_an_error_is_raised_as_the_disk_would() -> None:
    failpoints.arm({"HPO_FAILPOINT": "here:raise:ENOSPC:1"})
    try:
        with pytest.raises(OSError, match="No space left") as raised:
            failpoints.reach("here")
        failpoints.reach("here")  # only the first
    finally:
        failpoints.arm({})
    assert raised.value.errno == errno.ENOSPC


def test_places_reached_are_counted_in_a_file(tmp_path: Path) -> None:
    run(HPO_FAILPOINT_COUNT=str(tmp_path / "count"))
    assert (tmp_path / "count").read_text() == "here\n" * 3


@pytest.mark.parametrize("text", ["here", "here:kill9", "here:explode:1", "here:kill9:x"])
def test_a_failpoint_with_a_mistake_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HPO_FAILPOINT is <name>:<action>:<nth>"):
        failpoints.arm({"HPO_FAILPOINT": text})


def test_a_place_costs_little_more_than_calling_a_function() -> None:
    def nothing(name: str) -> None:
        return None

    def fastest(call: Callable[[], object]) -> float:
        return min(timeit.repeat(call, number=10_000, repeat=30))

    assert fastest(lambda: failpoints.reach("here")) < 2.5 * fastest(lambda: nothing("here"))
