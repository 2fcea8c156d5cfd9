"""What a question costs a SQLite store: statements, and looks at texts; a repeated one costs neither."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from trackers.opening import Store, open_store
from trackers.records import Order, Point, Query, Run, RunEnded, RunStarted, RunUpdated, Status, TrialFacts, Value
from trackers.sql.answers import KEPT, LARGEST, Answers

SWEEP = "5" * 32
BY_NUMBER, BY_VALUE = [Order("number")], [Order("value")]


def trial(number: int) -> RunStarted:
    params: dict[str, Value] = {"depth": number % 10, "half": number % 10 + 0.5, "name": "9.0"}
    facts = TrialFacts(number, params)
    return RunStarted(f"{number:032x}", f"trial-{number}", "Default", 2000, SWEEP, params, trial=facts)


def ended(number: int) -> RunEnded:
    facts = TrialFacts(number, {}, "COMPLETE", value=number / 100)
    point = Point("loss", number / 100, 0, 3000)
    return RunEnded(f"{number:032x}", Status.FINISHED, 3000, [point], trial=facts)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path}/mlflow.db") as opened:
        opened.tracker.record([RunStarted(SWEEP, "sweep", "Default", 1000)])
        opened.tracker.record([change for number in range(100) for change in (trial(number), ended(number))])
        yield opened


@contextmanager
def statements() -> Iterator[list[str]]:
    """What is asked of any SQLite database meanwhile, by SQLAlchemy or beside it."""
    asked: list[str] = []
    listening: list[sqlite3.Connection] = []

    def listen(connection: sqlite3.Connection, *_: object) -> None:
        connection.set_trace_callback(lambda text: asked.append(text) if text.startswith("SELECT") else None)
        listening.append(connection)

    sa.event.listen(sa.pool.Pool, "checkout", listen)
    try:
        yield asked
    finally:
        sa.event.remove(sa.pool.Pool, "checkout", listen)
        for connection in listening:
            connection.set_trace_callback(None)


def found(store: Store, where: str, order: list[Order], limit: int = 20) -> list[int | None]:
    runs = store.tracker.find(Query(parent=SWEEP, where=where, order=order, limit=limit))
    return [run.trial.number if run.trial else None for run in runs]


@pytest.mark.parametrize("order", [BY_NUMBER, BY_VALUE])
def test_a_page_that_is_not_full_is_not_looked_for_twice(store: Store, order: list[Order]) -> None:
    with statements() as asked:
        assert found(store, "params.depth = 9", order) == list(range(9, 100, 10))
    assert sum("params.value" in text and "EXISTS" in text for text in asked) == 1


def test_a_page_that_is_not_full_has_children_that_are_no_trials_too(store: Store) -> None:
    other = RunStarted("a" * 32, "by hand", "Default", 1500, SWEEP, {"depth": 9})
    store.tracker.record([other])
    assert found(store, "params.depth = 9", BY_NUMBER) == [*range(9, 100, 10), None]


def test_a_page_that_is_not_full_has_trials_without_a_value_too(store: Store) -> None:
    store.tracker.record([trial(109)])
    assert found(store, "params.depth = 9", BY_VALUE) == [*range(9, 110, 10)]


class Counted:
    """The pattern of a number, which counts the texts that it is asked about."""

    def __init__(self) -> None:
        self.looks = 0

    def fullmatch(self, text: str) -> re.Match[str] | None:
        self.looks += 1
        return re.fullmatch("[0-9.]+", text)


def test_texts_are_read_as_numbers_only_where_nothing_else_decides(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    pattern = Counted()
    monkeypatch.setattr("trackers.matching._NUMBER", pattern)
    where = "params.half = 9.5 and (params.name = 9 and not metrics.loss >= 0.2) and status = 'FINISHED'"
    assert found(store, where, BY_NUMBER) == [9, 19]
    assert pattern.looks == 20 + 2
    assert found(store, "params.depth = 9 and metrics.loss < 0.2", BY_NUMBER) == [9, 19]
    assert pattern.looks == 20 + 2  # whole numbers are SQLite's own business


def test_a_repeated_question_is_asked_of_the_store_only_once_somebody_has_written(store: Store, tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/mlflow.db", read_only=True) as reader:
        for number in (100, 101):
            store.tracker.record([trial(number)])
            first = [found(reader, "", [Order("number", descending=True)], 3) for _ in range(2)]
            of_one = [reader.tracker.get(SWEEP) for _ in range(2)]
            with statements() as asked:
                assert found(reader, "", [Order("number", descending=True)], 3) == first[0] == first[1]
                assert reader.tracker.get(SWEEP) == of_one[0] == of_one[1]
            assert first[0] == [number, number - 1, number - 2]
            assert asked == []
        store.tracker.record([RunUpdated(SWEEP, tags={"new": "1"})])
        assert reader.tracker.get(SWEEP).tags["new"] == "1"


def test_who_writes_is_always_told_anew(store: Store) -> None:
    for _ in range(3):
        with statements() as asked:
            found(store, "", BY_NUMBER)
        assert asked


def test_an_answer_that_somebody_shortens_is_whole_for_the_next(store: Store, tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/mlflow.db", read_only=True) as reader:
        for _ in range(4):
            runs = reader.tracker.find(Query(parent=SWEEP, limit=3))
            assert isinstance(runs, list)
            assert len(runs) == 3
            runs.clear()


def test_few_answers_are_remembered_and_no_large_ones() -> None:
    answers, asked = Answers(lambda: "1"), list[int]()

    def ask(number: int, runs: int) -> None:
        def answer() -> list[Run]:
            asked.append(number)
            return [Run(str(number), "", "", Status.RUNNING, 1, None, "")] * runs

        assert len(answers.to(number, answer)) == runs

    for number in [*range(KEPT + 1), *range(KEPT + 1)]:  # the last time each is one more than are remembered
        ask(number, 1)
    assert len(asked) == 2 * (KEPT + 1)
    asked.clear()
    for _ in range(3):
        ask(1, LARGEST)
        ask(-1, LARGEST + 1)
    assert asked == [1, -1, -1, -1]


def test_what_is_written_while_a_question_is_answered_is_in_the_next_answer() -> None:
    written = list[Run]()
    answers = Answers(lambda: str(len(written)))

    def answer() -> list[Run]:
        found = list(written)
        if len(written) < 2:
            written.append(Run(str(len(written)), "", "", Status.RUNNING, 1, None, ""))
        return found

    assert [len(answers.to("any", answer)) for _ in range(4)] == [0, 1, 2, 2]


def test_where_there_is_no_stamp_nothing_is_remembered() -> None:
    answers, asked = Answers(lambda: None), list[int]()
    for _ in range(3):
        answers.to("any", lambda: asked.append(1) or [])  # type: ignore[func-returns-value]
    assert len(asked) == 3
