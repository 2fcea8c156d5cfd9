"""The simulation of many workers (scripts/bench/simulate.py) drives the real driver, to the same ends."""

from collections.abc import Iterator
from types import ModuleType

import bench_files
import pytest

COST = {
    "sqlite": {"commit": 1e-3, "started": 1e-4, "ended": 1e-4, "point": 1e-5},
    "dask": {"submit": 1e-4, "outcome": 1e-4, "question": 1e-4},
}


@pytest.fixture(scope="module")
def simulate() -> Iterator[ModuleType]:
    with bench_files.importing() as named:
        yield named("simulate")


def test_every_trial_ends_once_for_good_also_where_workers_are_lost(simulate: ModuleType) -> None:
    found = simulate.simulate(simulate.Setting(workers=20, trials=300, seconds=60, lost=2.0), COST)
    assert found["lost"] > 0
    assert found["trials"] == 300


def test_a_larger_window_keeps_more_workers_busy(simulate: ModuleType) -> None:
    small, free = (
        simulate.simulate(simulate.Setting(workers=20, trials=400, window=window, learns=True), COST)
        for window in (20, 0)
    )
    assert small["busy"] < 0.7 < 0.95 < free["busy"] <= 1
    assert (small["limit"], free["limit"]) == ("window", "nothing")


def test_an_ask_that_takes_long_is_what_fills_the_driver(simulate: ModuleType) -> None:
    found = simulate.simulate(simulate.Setting(workers=50, trials=400, seconds=1, ask=0.1, window=0), COST)
    assert found["limit"] == "driver: ask"
    assert found["rate"] == pytest.approx(10, rel=0.1)
