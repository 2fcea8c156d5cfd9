"""Runs that a store has read before, and statements that it has made before, answer the next questions rightly."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from trackers.opening import Store, open_store
from trackers.records import Order, Point, Query, Run, RunEnded, RunStarted, RunUpdated, Status, TrialFacts
from trackers.sql.known_runs import KEPT, LARGEST, Known, KnownRuns

SWEEP = "5" * 32


def changes(number: int) -> list[RunStarted | RunEnded]:
    started = RunStarted(
        f"{number:032x}", f"trial-{number}", "Default", 2000, SWEEP, {"depth": number % 5}, trial=TrialFacts(number, {})
    )
    facts = TrialFacts(number, {}, "COMPLETE", value=number / 100)
    return [started, RunEnded(started.run_id, Status.FINISHED, 3000, [Point("loss", number / 100)], trial=facts)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path}/mlflow.db") as opened:
        opened.tracker.record([RunStarted(SWEEP, "sweep", "Default", 1000)])
        opened.tracker.record([change for number in range(20) for change in changes(number)])
        yield opened


@pytest.fixture
def reader(store: Store, tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path}/mlflow.db", read_only=True) as opened:
        opened.tracker.find(Query(limit=1))  # nothing of the first answer is kept
        yield opened


def latest(store: Store, count: int) -> Sequence[Run]:
    return store.tracker.find(Query(parent=SWEEP, order=[Order("number", descending=True)], limit=count))


def numbers(store: Store, where: str, order: str = "number", limit: int | None = None) -> list[int | None]:
    found = store.tracker.find(Query(parent=SWEEP, where=where, order=[Order(order)], limit=limit))
    return [run.trial.number if run.trial else None for run in found]


def test_a_run_is_read_once_whatever_question_finds_it(store: Store, reader: Store) -> None:
    three, five = latest(reader, 3), latest(reader, 5)
    assert [run.id for run in five] == [f"{number:032x}" for number in (19, 18, 17, 16, 15)]
    assert all(known is given for known, given in zip(three, five, strict=False))
    assert five == latest(store, 5)


def test_what_somebody_writes_is_in_the_next_answer(store: Store, reader: Store) -> None:
    latest(reader, 3)
    store.tracker.record([RunUpdated(f"{18:032x}", tags={"new": "1"})])
    assert latest(reader, 4)[1].tags["new"] == "1"
    store.tracker.record(changes(20))
    assert latest(reader, 5) == latest(store, 5)


def test_points_and_data_sets_are_in_the_answers_that_ask_for_them_only(reader: Store) -> None:
    for points_of in (None, "loss", None):
        found = reader.tracker.find(Query(parent=SWEEP, points_of=points_of, limit=4))
        assert [len(run.points) for run in found] == [points_of is not None] * 4


def test_who_writes_gets_runs_of_its_own(store: Store) -> None:
    latest(store, 1)
    assert latest(store, 2)[0] is not latest(store, 3)[0]


def test_each_question_of_a_shape_is_answered_by_its_own_values(store: Store) -> None:
    for depth in (4, 2, 4):
        assert numbers(store, f"params.depth = {depth} and metrics.loss < 0.1") == [depth, depth + 5]
        assert numbers(store, f"params.depth = '{depth}'", limit=2) == [depth, depth + 5]
    assert numbers(store, "number in (3, 1)") == [1, 3]
    assert numbers(store, "number in (3, 1, 2)") == [1, 2, 3]
    assert numbers(store, "params.depth = 2 and params.depth = 3") == []
    assert numbers(store, "params.depth = 2 or params.depth = 3", limit=3) == [2, 3, 7]


def test_the_names_of_values_are_those_of_no_column(store: Store) -> None:
    found = store.tracker.find(Query(parent=SWEEP, finite="loss", where="number in (3, 1, 2) and value < 0.03"))
    assert [run.name for run in found] == ["trial-1", "trial-2"]


def test_each_sweep_and_each_beginning_has_its_own_answer(store: Store) -> None:
    other = "6" * 32
    store.tracker.record([RunStarted(other, "sweep", "Default", 1000)])
    assert len(store.tracker.find(Query(parent=SWEEP, limit=30))) == 20
    assert store.tracker.find(Query(parent=other, limit=30)) == []
    for prefix in ("5", "6"):
        assert [run.id[0] for run in store.tracker.find(Query(id_prefix=prefix))] == [prefix]
    assert store.tracker.find(Query(id_prefix=chr(0x10FFFF))) == []
    assert [run.id for run in store.tracker.find(Query(id_prefix="5"))] == [SWEEP]


def test_a_child_that_is_no_trial_is_found_as_soon_as_it_is_there(store: Store, reader: Store) -> None:
    assert [numbers(reader, f"params.depth = {depth}", limit=9) for depth in (1, 2)] == [[1, 6, 11, 16], [2, 7, 12, 17]]
    store.tracker.record([RunStarted("a" * 32, "by hand", "Default", 1500, SWEEP, {"depth": 3})])
    assert numbers(reader, "params.depth = 3", limit=9) == [3, 8, 13, 18, None]


def test_what_was_counted_is_known_and_not_too_much_of_it() -> None:
    known, counted = Known(), list[int]()
    for number in [1, 1, *range(KEPT), 1]:
        assert known.count(number, lambda number=number: counted.append(number) or number) == number  # type: ignore[misc,func-returns-value]
    assert len(known.counts) <= KEPT
    assert counted.count(1) == 1


def run_of(run_id: str) -> Run:
    return Run(run_id, "", "", Status.FINISHED, 1, 2, "")


class Stamps:
    """Gives the stamps it was told one after the other, the last one for ever; notes what was known at each look."""

    def __init__(self, *stamps: str | None) -> None:
        self.stamps = list(stamps)
        self.known: list[list[str]] = []
        self.runs = KnownRuns(self)

    def __call__(self) -> str | None:
        return self.stamps.pop(0) if len(self.stamps) > 1 else self.stamps[0]

    def read(self, *ids: str) -> list[Run]:
        def answer(known: Known) -> list[Run]:
            self.known.append(list(known.runs))
            return [run_of(run_id) for run_id in ids]

        return list(self.runs.through(answer))


def test_the_first_answer_costs_no_stamp_and_the_others_are_kept() -> None:
    stamps = Stamps("1")
    for run_id in "abcd":
        stamps.read(run_id)
    assert stamps.known == [[], [], ["b"], ["b", "c"]]


def test_where_somebody_wrote_meanwhile_all_is_read_again() -> None:
    stamps = Stamps("1", "1", "1", "2", "2")
    for run_id in "abc":
        stamps.read(run_id)
    assert stamps.known == [[], [], ["b"], []]  # of c: with what was known, and again without
    stamps.read("d")
    assert stamps.known[4:] == [[]]


def test_where_there_is_no_stamp_no_run_is_kept() -> None:
    stamps = Stamps(None)
    for run_id in "abc":
        stamps.read(run_id)
    assert stamps.known == [[], [], []]


def test_few_runs_are_kept_and_none_of_large_answers() -> None:
    stamps = Stamps("1")
    stamps.read()
    for start in range(0, KEPT + 100, 100):
        stamps.read(*(str(number) for number in range(start, start + 100)))
    stamps.read(*map(str, range(-LARGEST - 1, 0)))
    stamps.read()
    assert stamps.known[-1] == [str(number) for number in range(100, KEPT + 100)]
