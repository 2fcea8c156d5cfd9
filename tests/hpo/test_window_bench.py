"""The measure of windows (scripts/bench/window.py) tells and waits as the driver does."""

from collections.abc import Iterator
from types import ModuleType

import bench_files
import pytest

from hpo.trial import Result, State, Trial
from hpo.window import Window


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # which it would set for good
        monkeypatch.setenv(variable, "1")
    with bench_files.importing() as named:
        yield named("window")


def driven(size: int, trials: int) -> list[tuple[bool, int]]:
    """What the driver's window tells, and which trial it admits then, where every trial ends at once."""
    steps: list[tuple[bool, int]] = []
    window = Window(size, lambda trial, result: steps.append((True, trial.number)))
    for number in range(trials):
        assert window.admits(number)
        steps.append((False, number))
        window.end(Trial(number, {}, seed=0), Result(State.COMPLETE, 0.0))
    return steps


@pytest.mark.parametrize("size", [1, 3, 8])
def test_a_trial_knows_what_the_drivers_window_tells(bench: ModuleType, size: int) -> None:
    assert list(bench.in_turn(str(size), 20)) == driven(size, 20)


def test_a_growing_window_starts_narrow_and_ends_wide(bench: ModuleType) -> None:
    assert [bench.lag("2-4", number) for number in (0, 5, 6, 7, 8, 20)] == [2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize(
    ("window", "starts"), [("2", [0, 0, 9, 9, 10]), ("3", [0, 0, 1, 9, 9]), ("free", [0, 0, 1, 2, 3])]
)
def test_a_long_trial_holds_up_those_that_are_to_know_it(bench: ModuleType, window: str, starts: list[float]) -> None:
    assert bench.timetable([9.0, 1.0, 1.0, 1.0, 1.0], 2, window)[0] == starts


def test_with_a_free_window_a_trial_knows_what_has_ended_by_its_start(bench: ModuleType) -> None:
    order = list(bench.as_they_end([9.0, 1.0, 1.0, 1.0], 2))
    assert order[:6] == [(False, 0), (False, 1), (True, 1), (False, 2), (True, 2), (False, 3)]
