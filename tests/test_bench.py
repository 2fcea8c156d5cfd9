"""What scripts/bench/everyone.py makes of measurements; the measuring itself is not a test."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[1] / "scripts" / "bench" / "ratios.py"


@pytest.fixture(scope="module")
def ratios() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("bench_ratios", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def item(ratios: ModuleType) -> object:
    rate = ratios.Comparison(
        "serial", "trials/s", True,
        {"ours": [1000.0, 800.0, 900.0], "slow": [50.0, 40.0, 30.0], "bare": [4000.0, 4000.0, 3600.0]},
        limits=["bare"], missing={"broken": "exit 1"}, more={"slow": {"memory MB": "12"}},
    )  # fmt: skip
    start = ratios.Comparison("start", "s", False, {"ours": [0.4], "fast": [0.2]})
    return ratios.Item("overhead", "Overhead", "Text.", [rate, start])


def test_ratios_are_of_pairs_and_above_one_where_ours_is_better(ratios: ModuleType) -> None:
    assert ratios.times_better([1000.0, 800.0], [50.0, 80.0], higher_is_better=True) == [20.0, 10.0]
    assert ratios.times_better([2.0], [1.0], higher_is_better=False) == [0.5]


def test_a_table_shows_spread_ratio_and_why_a_side_is_missing(ratios: ModuleType, item: object) -> None:
    lines = ratios.section(item).splitlines()
    assert "| ours | 900 (800 to 1,000) |  |  |" in lines
    assert "| slow | 40 (30 to 50) | 20x (20 to 30) | 12 |" in lines
    assert "| broken | exit 1 |  |  |" in lines


def test_a_wide_table_has_a_column_for_each_comparison(ratios: ModuleType) -> None:
    columns = [ratios.Comparison(name, "ms", False, {"ours": [2.0], "other": [5.0]}) for name in ("1,000", "2,000")]
    lines = ratios.section(ratios.Item("q", "Questions", "", columns, wide=True)).splitlines()
    assert "| ms | 1,000 | 2,000 |" in lines
    assert "| other | 5 (2.5x) | 5 (2.5x) |" in lines


def test_the_table_over_all_says_where_a_peer_wins(ratios: ModuleType, item: object) -> None:
    serial, start = ratios.overview([item]).splitlines()[2:]
    assert serial == "| Overhead: serial | 900 trials/s | slow: ours 20x better | **bare 4x better** |"
    assert "**fast 2x better**" in start


def test_results_come_back_from_the_record_as_they_were(ratios: ModuleType, item: object) -> None:
    assert ratios.section(ratios.item_from(item.as_json())) == ratios.section(item)  # type: ignore[attr-defined]


def test_only_what_stands_between_the_markers_changes(ratios: ModuleType) -> None:
    page = ratios.between_markers("# Page\n\nBy hand.\n", "everyone", r"old \1")
    again = ratios.between_markers(page + "\nMore by hand.\n", "everyone", "new")
    assert r"old \1" in page
    assert "old" not in again
    assert again.startswith("# Page\n\nBy hand.\n")
    assert again.endswith("More by hand.\n")
    assert again.count("new") == 1


def test_the_check_is_worse_only_past_its_tolerance(ratios: ModuleType) -> None:
    guards = [ratios.Guard(name, 0.3) for name in ("same", "noisy", "slower", "gone", "new")]
    recorded = {"same": 20.0, "noisy": 20.0, "slower": 20.0, "gone": 20.0}
    measured = {"same": [20.0], "noisy": [1.0, 15.0, 90.0], "slower": [13.0, 13.9, 90.0], "gone": [], "new": [1.0]}
    verdicts = ratios.judge(guards, recorded, measured)
    assert {each.guard.name for each in verdicts if each.worse} == {"slower", "gone"}
    assert "| slower | 20 | 13.9 | -30% | WORSE |" in ratios.verdicts_table(verdicts)
