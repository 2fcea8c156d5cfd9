"""Doing several things at a time."""

import threading

import pytest

from trackers.side_by_side import each

TOGETHER = 3


def test_everything_is_done_once_and_so_many_at_a_time() -> None:
    meeting = threading.Barrier(TOGETHER, timeout=30)
    done = []

    def act(thing: int) -> None:
        meeting.wait()
        done.append(thing)

    each(range(2 * TOGETHER), act, TOGETHER)
    assert sorted(done) == list(range(2 * TOGETHER))


def test_one_thread_keeps_the_order() -> None:
    done: list[int] = []
    each([3, 1, 2], done.append, 1)
    assert done == [3, 1, 2]


@pytest.mark.parametrize("threads", [1, 2])
def test_after_a_failure_nothing_else_is_begun(threads: int) -> None:
    begun = []

    def act(thing: int) -> None:
        begun.append(thing)
        raise ValueError(thing)

    with pytest.raises(ValueError, match=r"\d+"):
        each(range(1000), act, threads)
    assert len(begun) <= threads
