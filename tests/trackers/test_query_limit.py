"""A filter may take so long and no longer; what the driver asks has no limit."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from trackers.errors import InvalidRecord, QueryTooSlow
from trackers.opening import Store, open_store
from trackers.records import Order, Query, Run, RunStarted, SweepFacts, TrialFacts, Value
from trackers.sql.query_limit import limit_seconds

SWEEP = "5" * 32
MANY = " or ".join(f"params.x > {number}" for number in range(1000, 1040))
Open = Callable[[float | None], AbstractContextManager[Store]]


@pytest.fixture(params=["sqlite", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """`with opened(seconds)`: a store of 300 trials, whose queries may take so long."""
    postgres = request.param == "postgres"
    uri = request.getfixturevalue("postgres_uri") if postgres else f"sqlite:///{tmp_path}/mlflow.db"
    with open_store(uri, artifacts=str(tmp_path)) as store:
        store.tracker.experiment("many")
        facts = SweepFacts("{}", "hash", "loss", "minimize", 1, 1)
        store.tracker.record([RunStarted(SWEEP, "many", "many", 1, sweep=facts)])
        store.tracker.record([trial(number) for number in range(300)])

    @contextmanager
    def open_again(seconds: float | None) -> Iterator[Store]:
        with open_store(uri, read_only=True, query_seconds=seconds) as store:
            yield store

    return open_again


def trial(number: int) -> RunStarted:
    params: dict[str, Value] = {"x": number, "name": f"trial {number}"}
    facts = TrialFacts(number, params)
    return RunStarted(f"{number:032x}", f"trial-{number}", "many", 1, SWEEP, params=params, trial=facts)


def ask(store: Store, where: str = "", order: str = "") -> Sequence[Run]:
    return store.tracker.find(Query(parent=SWEEP, where=where, order=[Order(order)] if order else [], limit=5))


def test_a_filter_that_lasts_is_ended_and_the_message_shows_it_the_limit_and_the_way_out(opened: Open) -> None:
    with opened(0.0005) as store:
        with pytest.raises(QueryTooSlow) as caught:
            ask(store, MANY, "params.name")
        message = str(caught.value)
        assert "the filter 'params.x > 1000 or params.x > 1001" in message
        assert "...' with order by 'params.name' found no end within 0.0005 s in " in message
        assert "HPO_QUERY_TIMEOUT=" in message
        assert "secret" not in message
        assert [run.id for run in ask(store)] == [f"{number:032x}" for number in range(5)]  # the store is as before


def test_what_no_user_has_worded_is_never_ended(opened: Open) -> None:
    with opened(0.0) as store:
        assert len(store.tracker.find(Query(parent=SWEEP))) == 300
        assert len(store.tracker.find(Query(parent=SWEEP, order=[Order("number", descending=True)]))) == 300


def test_a_filter_that_is_quick_enough_is_answered_and_so_is_what_comes_after_one_that_was_not(opened: Open) -> None:
    with opened(None) as store:
        assert ask(store, MANY) == []
        assert [run.params["x"] for run in ask(store, "params.x > 297")] == [298, 299]
    with opened(float("inf")) as store:
        assert ask(store, MANY, "params.name") == []


def test_the_environment_sets_the_limit_and_nonsense_is_refused() -> None:
    assert limit_seconds({}) == 60
    assert limit_seconds({"HPO_QUERY_TIMEOUT": "2.5"}) == 2.5
    assert limit_seconds({"HPO_QUERY_TIMEOUT": "0"}) == float("inf")
    for text in ("soon", "-1", "nan", "1e99"):
        with pytest.raises(InvalidRecord, match="HPO_QUERY_TIMEOUT must be a number of seconds"):
            limit_seconds({"HPO_QUERY_TIMEOUT": text})
