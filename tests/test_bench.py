"""What scripts/bench/everyone.py makes of measurements; the measuring itself is not a test."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import bench_files
import pytest


@pytest.fixture(scope="module")
def bench() -> Iterator[Callable[[str], ModuleType]]:
    with bench_files.importing() as named:
        yield named


@pytest.fixture(scope="module")
def ratios(bench: Callable[[str], ModuleType]) -> ModuleType:
    return bench("ratios")


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


def test_a_peer_that_fails_is_named_and_ours_is_not_worse_for_it(ratios: ModuleType) -> None:
    (verdict,) = ratios.judge([ratios.Guard("trial", 0.3)], {"trial": 20.0}, {"trial": []}, {"trial": "peer: exit 1"})
    assert not verdict.worse
    assert "| trial | 20 | - | -30% | not measured (peer: exit 1) |" in ratios.verdicts_table([verdict])


def test_a_round_that_gave_nothing_stays_a_place_in_its_pair(bench: Callable[[str], ModuleType]) -> None:
    ratios, rounds = bench("ratios"), bench("items.rounds").Rounds(["ours", "peer", "broken"])
    for ours, peer in ((100.0, 10.0), (100.0, None), (300.0, 10.0)):
        rounds.add("ours", ours)
        rounds.add("peer", peer, "exit 1")
    comparison = ratios.Comparison("trial", "trials/s", True, rounds.values, missing=rounds.missing)
    assert ratios.ratios_of(comparison, "peer") == [10.0, 30.0]
    assert rounds.missing == {"broken": "not measured"}
    assert "| broken | not measured |  |" in ratios.section(ratios.Item("trial", "Trial", "", [comparison]))


def test_tables_that_a_run_did_not_make_stay_on_record(bench: Callable[[str], ModuleType], tmp_path: Path) -> None:
    ratios, record = bench("ratios"), bench("kept").Record(tmp_path / "recorded.json")

    def measured(*comparisons: tuple[str, float]) -> object:
        tables = [ratios.Comparison(name, "% busy", True, {"ours": [value]}) for name, value in comparisons]
        return ratios.Item("busy", "Busy", "", tables)

    record.keep(measured(("8 workers", 90.0), ("512 workers", 50.0)))
    record.keep(measured(("64 workers", 80.0), ("512 workers", 60.0)))
    (item,) = record.items()
    assert [(each.name, each.values["ours"]) for each in item.comparisons] == [
        ("8 workers", [90.0]), ("64 workers", [80.0]), ("512 workers", [60.0]),
    ]  # fmt: skip


def test_a_ratio_that_was_not_measured_is_left_as_it_was(bench: Callable[[str], ModuleType], tmp_path: Path) -> None:
    record = bench("kept").Record(tmp_path / "recorded.json")
    record.keep_ratios({"trial": [20.0], "start": [2.0]})
    record.keep_ratios({"trial": [], "start": [1.0, 4.0, 3.0]})
    assert record.ratios() == {"trial": 20.0, "start": 3.0}


def test_workers_that_are_cut_off_are_busy_until_then(bench: Callable[[str], ModuleType]) -> None:
    sleeping = bench("sleeping")
    trials = [sleeping.Slept("a", 0.0, 4.0), sleeping.Slept("b", 0.0, 1.0), sleeping.Slept("b", 2.0, 3.0)]
    assert sleeping.figures(trials, 2)["busy"] == pytest.approx(3 / 4)  # until the last one starts, at 2
    assert sleeping.figures(trials, 2, until=8.0)["busy"] == pytest.approx(6 / 16)


def test_what_a_side_said_before_it_was_ended_is_kept(
    bench: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    noted = bench("asked").Growth(last=20)
    for _ in range(19):
        noted.tick()
    assert not noted.points
    noted.tick()
    said = capsys.readouterr().out.strip().removeprefix("SO FAR ")
    assert [point["trials"] for point in json.loads(said)["points"]] == [20]


def test_a_side_says_why_it_went_no_further_where_it_would_have_come_next(
    bench: Callable[[str], ModuleType],
) -> None:
    growing = bench("items.growing")
    point = {"ms": 1.0, "bytes": 1e6}
    reached = {
        "ours": [growing.Reached({1_000: point, 3_000: point}, "")],
        "peer": [growing.Reached({1_000: point}, "stopped at 2,000 after 60 s")],
        "gone": [growing.Reached({}, "exit 1: no disk")],
    }
    ours = [each for each in growing._comparisons(reached) if each.unit == "ms a trial"]
    assert [dict(each.missing) for each in ours] == [
        {"gone": "exit 1: no disk"},
        {"peer": "stopped at 2,000 after 60 s", "gone": "-"},
    ]


def test_a_side_that_ends_without_an_answer_is_named_with_its_last_words(bench: Callable[[str], ModuleType]) -> None:
    check, turns = bench("check"), bench("turns")
    run = turns.ask("ours", "optuna", "no such work", limit=60)
    with pytest.raises(check.Failed, match=r"^Optuna: exit 1: KeyError: 'no such work'$"):
        check._figure("Optuna", run, "rate")
