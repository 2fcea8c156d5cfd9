"""A process that is to have only what others leave of the processor."""

import subprocess
import sys

import pytest

from hpo.mirrors.__main__ import niceness
from hpo.processes.priority import AUTOGROUP

LOOK = """
import os
from pathlib import Path
from hpo.processes import priority
def seen():
    print(os.nice(0), priority.AUTOGROUP.read_text().split()[-1] if priority.AUTOGROUP.exists() else "-")
seen()
priority.step_back(19)
seen()
priority.step_forward()
seen()
priority.step_back(0, Path("/no/such/file"))
"""


def test_a_process_of_a_session_of_its_own_steps_back_with_its_session() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK], stdout=subprocess.PIPE, text=True, check=True, start_new_session=True
    )
    before, back, forward = done.stdout.split("\n")[:3]
    nice = before.split()[0]
    assert (back.split()[0], forward.split()[0]) == ("19", "19") != (nice, nice)
    if AUTOGROUP.exists():
        assert [line.split()[1] for line in (before, back, forward)] == ["0", "19", "0"]


@pytest.mark.parametrize(("text", "nice"), [("", 19), ("5", 5), ("0", 0), ("-3", 0), ("99", 19), ("low", 19)])
def test_only_a_niceness_is_taken_from_the_environment(text: str, nice: int) -> None:
    assert niceness(text) == nice
