"""Which of the workers that were started early are handed out; with workers that are no processes."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hpo.executors.devices import SlotDevices
from hpo.executors.worker_source import WorkerKind, WorkerSource


class Worker:
    def __init__(self, *, dead: bool = False) -> None:
        self._dead = dead
        self.was_killed = False

    def is_dead(self) -> bool:
        return self._dead

    def kill(self) -> None:
        self.was_killed = True


Started = Callable[..., Any]


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    """A source whose first workers, the first two but for `early`, are started early."""
    monkeypatch.chdir(tmp_path)
    sources: list[WorkerSource] = []

    def start(*workers: Worker | OSError, early: int = 2) -> WorkerSource:
        left = iter(workers)

        def new(source: WorkerSource, devices: SlotDevices, modules: Sequence[str] = ()) -> Worker:
            worker = next(left)
            if isinstance(worker, OSError):
                raise worker
            return worker

        monkeypatch.setattr(WorkerSource, "_new", new)
        sources.append(WorkerSource(WorkerKind(tmp_path / "scratch", None)))
        sources[-1].start_early(early, ())
        sources[-1].starter.submit(int).result()  # they are started one after the other: all are by now
        return sources[-1]

    yield start
    for source in sources:
        source.close()


def test_one_that_died_or_never_began_is_passed_over(started: Started) -> None:
    dead, good = Worker(dead=True), Worker()
    source = started(OSError("no process is to be had"), dead, good, early=3)

    assert source.make(SlotDevices()) is good
    assert dead.was_killed
    assert not good.was_killed


def test_none_is_handed_to_a_slot_with_devices_of_its_own(started: Started) -> None:
    first, second, own = Worker(), Worker(), Worker()
    source = started(first, second, own)

    assert source.make(SlotDevices(processors=(0,))) is own
    assert (first.was_killed, second.was_killed) == (True, True)


@pytest.mark.parametrize("moves", [True, False])
def test_none_is_handed_out_once_the_users_code_changed_what_they_inherit(
    started: Started, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, moves: bool
) -> None:
    first, second, new = Worker(), Worker(), Worker()
    source = started(first, second, new)
    if moves:
        (tmp_path / "elsewhere").mkdir()
        os.chdir("elsewhere")
    else:
        monkeypatch.setenv("SOURCE_TEST", "1")

    assert source.make(SlotDevices()) is new


def test_those_that_nobody_took_are_killed_at_the_end(started: Started) -> None:
    first, second = Worker(), Worker()
    with closing(started(first, second)) as source:
        assert source.make(SlotDevices()) is first

    assert (first.was_killed, second.was_killed) == (False, True)
