"""A store on a PostgreSQL server: made by several at once, cut off, refused, and shared."""

import builtins
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from trackers.errors import (
    AlreadyOwned,
    InvalidRecord,
    NameTaken,
    NotAStore,
    NotPermitted,
    ReadOnlyStore,
    StoreBusy,
    StoreUnavailable,
)
from trackers.opening import Store, open_store
from trackers.records import (
    NewVersion,
    Order,
    Point,
    Query,
    RunEnded,
    RunStarted,
    RunUpdated,
    Status,
    SweepFacts,
    TrialFacts,
)
from trackers.sql import postgres_place

SWEEP, OTHER = "5" * 32, "6" * 32
SECRET = "S3CRET"
OPENER = """
import sys, pathlib, time
from trackers.opening import open_store
uri, gate = sys.argv[1], pathlib.Path(sys.argv[2])
print("ready", flush=True)
while not gate.exists():
    time.sleep(0.001)
with open_store(uri, artifacts="/m") as store:
    print(store.tracker.experiment("iris"), flush=True)
"""


def sweep(run_id: str = SWEEP, name: str = "my sweep", *, new_name: bool = False) -> RunStarted:
    facts = SweepFacts("version: 1", "c0ffee", "loss", "minimize", 42, 4, 10)
    return RunStarted(run_id, name, "Default", 1000, sweep=facts, new_name=new_name)


def started(number: int, parent: str = SWEEP) -> RunStarted:
    params = {"lr": 0.5, "depth": number}
    run_id = f"{parent[0]}{number:031x}"
    return RunStarted(run_id, f"trial {number}", "Default", 2000, parent, params, trial=TrialFacts(number, params))


def ended(number: int, parent: str = SWEEP) -> RunEnded:
    facts = TrialFacts(number, {}, "COMPLETE", value=0.5, seconds=1.0)
    return RunEnded(f"{parent[0]}{number:031x}", Status.FINISHED, 3000, [Point("loss", 0.5)], trial=facts)


@pytest.fixture
def store(postgres_uri: str) -> Iterator[Store]:
    with open_store(postgres_uri, artifacts="/m") as opened:
        yield opened


@pytest.fixture
def proxy(postgres: Any) -> Iterator[Any]:
    cutting = sys.modules["postgres_server"].CuttingProxy(postgres.port)
    yield cutting
    cutting.close()


@pytest.fixture
def behind_proxy(postgres: Any, proxy: Any, postgres_uri: str) -> Iterator[Store]:
    with open_store(postgres.uri_with_password(name_of(postgres_uri), port=proxy.port), artifacts="/m") as opened:
        yield opened


def name_of(uri: str) -> str:
    return str(sa.make_url(uri).database)


def table(postgres: Any, uri: str, sql: str) -> list[tuple[Any, ...]]:
    with postgres.connect(name_of(uri)) as connection:
        return list(connection.execute(sql).fetchall())


@pytest.mark.slow
def test_of_several_processes_that_open_an_empty_database_one_makes_the_tables(
    postgres: Any, empty_postgres_uri: str, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    command = [sys.executable, "-c", OPENER, empty_postgres_uri, str(gate)]
    openers = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
        )
        for _ in range(4)
    ]
    for opener in openers:
        assert opener.stdout is not None
        assert opener.stdout.readline() == "ready\n"
    gate.touch()
    said = [opener.communicate(timeout=60) for opener in openers]
    assert [opener.returncode for opener in openers] == [0] * 4, said
    assert {out for out, _ in said} == {"1\n"}
    assert table(postgres, empty_postgres_uri, "SELECT name FROM experiments ORDER BY 1") == [("Default",), ("iris",)]
    assert table(postgres, empty_postgres_uri, "SELECT version_num FROM alembic_version") == [("bda7b8c39065",)]


def test_other_schemes_of_the_same_place_are_the_same_store(postgres_uri: str) -> None:
    with open_store(postgres_uri, artifacts="/m") as store:
        store.tracker.record([sweep()])
    for scheme in ("postgresql", "postgres"):
        with open_store(postgres_uri.replace("postgresql+psycopg", scheme), read_only=True) as store:
            assert store.tracker.get(SWEEP).name == "my sweep"


def test_opening_to_read_makes_nothing(postgres: Any, empty_postgres_uri: str) -> None:
    with pytest.raises(StoreUnavailable, match=r"no tracking database in .* yet; the first sweep makes it: hpo run"):
        open_store(empty_postgres_uri, read_only=True)
    assert table(postgres, empty_postgres_uri, "SELECT 1 FROM pg_class WHERE relname = 'runs'") == []


def test_what_was_opened_to_read_is_not_written_to(postgres_uri: str) -> None:
    with open_store(postgres_uri, read_only=True) as store, pytest.raises(ReadOnlyStore):
        store.tracker.record([sweep()])


def test_a_database_of_something_else_is_left_alone(postgres: Any, empty_postgres_uri: str) -> None:
    table_of = "CREATE TABLE customers (name text)"
    with postgres.connect(name_of(empty_postgres_uri)) as connection:
        connection.execute(table_of)
    with pytest.raises(NotAStore, match="it holds customers"):
        open_store(empty_postgres_uri)
    assert table(postgres, empty_postgres_uri, "SELECT count(*) FROM pg_class WHERE relname = 'runs'") == [(0,)]


def changed(uri: str, **parts: Any) -> str:
    return str(sa.make_url(uri).set(**parts).render_as_string(hide_password=False))


@pytest.mark.parametrize(
    ("parts", "kind", "said"),
    [
        ({"password": f"{SECRET}2"}, NotPermitted, "password authentication failed.*check user and password"),
        ({"password": ""}, NotPermitted, "password.*check user and password"),
        ({"database": "nowhere"}, NotPermitted, 'database "nowhere" does not exist.*make it first: createdb'),
        ({"username": "nobody"}, NotPermitted, "authentication failed.*check user"),
        ({"port": 1}, StoreUnavailable, "cannot be reached: .*see that the server runs there"),
        ({"host": "no.such.host.invalid"}, StoreUnavailable, "cannot be reached: .*see that the server runs there"),
    ],
)
def test_a_server_that_lets_nobody_in_is_named_with_the_way_out_and_without_the_password(
    postgres: Any, postgres_uri: str, parts: dict[str, Any], kind: type[Exception], said: str
) -> None:
    uri = changed(postgres.uri_with_password(name_of(postgres_uri)), **parts)
    with pytest.raises(kind, match=f"postgresql\\+psycopg://.*{said}") as caught:
        open_store(uri)
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in f"{error} {error!r}"
        error = error.__cause__


def test_no_text_of_an_open_store_holds_the_password(behind_proxy: Store, proxy: Any) -> None:
    assert SECRET not in repr(behind_proxy)
    proxy.cut_commits()
    with pytest.raises(StoreUnavailable) as caught:
        behind_proxy.tracker.record([sweep()])
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("uri", ["postgresql://u:p@h:x/d", "postgres://u:p@h:/d:e@x:y"])
def test_a_uri_that_is_none_is_explained_without_the_password(uri: str) -> None:
    with pytest.raises(StoreUnavailable, match="postgresql://USER:PASSWORD@HOST:5432/DATABASE"):
        open_store(uri)


def test_without_psycopg_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "psycopg":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest, **more)

    for name in ("trackers.sql.postgres_place", "trackers.sql.postgres_faults", "trackers.sql.pipeline"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(StoreUnavailable, match=r"pip install 'tracked-hpo\[postgres\]'"):
        open_store("postgresql://localhost/x")


def test_a_server_that_is_too_old_or_keeps_texts_otherwise_is_refused(
    postgres: Any, postgres_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(postgres_place, "OLDEST", 990000)
        with pytest.raises(NotPermitted, match="is PostgreSQL 18; 99 or later is needed: upgrade the server"):
            open_store(postgres_uri)
    with postgres.connect() as connection:
        connection.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING LATIN1 LOCALE 'C'")
    with pytest.raises(NotPermitted, match="keeps texts as LATIN1; make a database with: CREATE DATABASE"):
        open_store(postgres.uri("latin"))
    postgres.drop("latin")


@pytest.fixture
def role(postgres: Any, postgres_uri: str) -> Iterator[Callable[..., str]]:
    """Makes a user with these rights on the tables of the database; its URI."""

    def make(*grants: str) -> str:
        with postgres.connect(name_of(postgres_uri)) as connection:
            connection.execute("CREATE ROLE guest LOGIN")
            for grant in grants:
                connection.execute(f"GRANT {grant} TO guest")
        return changed(postgres_uri, username="guest")

    yield make
    with postgres.connect(name_of(postgres_uri)) as connection:
        connection.execute("DROP OWNED BY guest")
        connection.execute("DROP ROLE guest")


@pytest.mark.parametrize("protected", [True, False], ids=["", "made before histories were protected"])
def test_a_user_who_may_only_change_rows_can_do_everything_in_a_store_that_is_there(
    role: Callable[..., str], postgres: Any, postgres_uri: str, protected: bool
) -> None:
    if not protected:
        with postgres.connect(name_of(postgres_uri)) as connection:
            connection.execute("DROP TRIGGER hpo_registry_events_no_change ON hpo_registry_events")
    uri = role(
        "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public", "USAGE ON ALL SEQUENCES IN SCHEMA public"
    )
    with open_store(uri, artifacts="/m") as store:
        fence = store.ownership.claim(SWEEP, "me", taking_from=None)
        assert store.tracker.experiment("iris") == "1"
        store.tracker.record([sweep(), started(0)], fence)
        store.tracker.record([ended(0)], fence)
        store.ownership.release(fence)
        store.registry.register(NewVersion("clf", "/m/1", started(0).run_id, "clf:1", who="me"))
        assert len(store.tracker.find(Query(parent=SWEEP))) == 1


def test_a_user_without_rights_is_told_which_are_missing(role: Callable[..., str]) -> None:
    uri = role("SELECT ON ALL TABLES IN SCHEMA public")
    with open_store(uri, artifacts="/m") as store:
        assert store.tracker.find(Query()) == []
        with pytest.raises(NotPermitted, match=r"permission denied for table .*; the user needs the rights"):
            store.tracker.record([sweep()])


def test_a_server_that_only_reads_is_named(postgres: Any, postgres_uri: str) -> None:
    with postgres.connect() as connection:
        connection.execute(f"ALTER DATABASE {name_of(postgres_uri)} SET default_transaction_read_only = on")
    with open_store(postgres_uri, artifacts="/m") as store:
        assert store.tracker.find(Query()) == []
        with pytest.raises(StoreUnavailable, match=r"can only be read now .*name the primary server"):
            store.tracker.record([sweep()])


@pytest.mark.slow
def test_a_commit_whose_answer_was_lost_is_found_to_be_done_when_it_is_repeated(
    behind_proxy: Store, proxy: Any, store: Store
) -> None:
    tracker = behind_proxy.tracker
    for changes in ([sweep(new_name=True)], [started(0)], [ended(0), started(1)], [RunUpdated(SWEEP, tags={"a": "b"})]):
        proxy.cut_commits()
        with pytest.raises(StoreUnavailable):
            tracker.record(changes)
        tracker.record(changes)
    assert proxy.cut == 4
    assert [run.trial.state for run in store.tracker.find(Query(parent=SWEEP)) if run.trial] == ["COMPLETE", "RUNNING"]
    assert store.tracker.history(started(0).run_id) == [Point("loss", 0.5, 0, 0)]
    assert len(store.tracker.find(Query(sweeps=True))) == 1


def test_who_claims_a_sweep_is_not_locked_out_by_a_lost_answer(behind_proxy: Store, proxy: Any, store: Store) -> None:
    behind_proxy.tracker.record([sweep()])
    proxy.cut_commits()
    fence = behind_proxy.ownership.claim(SWEEP, "first", taking_from=None)
    proxy.cut_commits()
    second = behind_proxy.ownership.claim(SWEEP, "second", taking_from=fence.token)
    assert proxy.cut == 2
    held = store.ownership.holder(SWEEP)
    assert held is not None
    assert (held.owner, held.token) == ("second", second.token)
    with pytest.raises(AlreadyOwned, match="held by second"):
        store.ownership.claim(SWEEP, "third", taking_from=fence.token)
    proxy.cut_commits()
    behind_proxy.ownership.release(second)
    assert store.ownership.holder(SWEEP) is None


def test_a_version_and_an_experiment_are_made_once_though_the_answer_is_lost(
    behind_proxy: Store, proxy: Any, store: Store
) -> None:
    behind_proxy.tracker.record([sweep()])
    proxy.cut_commits()
    assert behind_proxy.registry.register(NewVersion("clf", "/m/1", SWEEP, "clf:1", who="me")).version == 1
    proxy.cut_commits()
    assert behind_proxy.tracker.experiment("iris") == "1"
    assert proxy.cut == 2
    assert [version.version for version in store.registry.versions("clf")] == [1]


def test_a_connection_that_was_ended_between_two_writes_is_not_noticed(
    store: Store, postgres: Any, postgres_uri: str
) -> None:
    store.tracker.record([sweep()])
    assert postgres.end_connections(name_of(postgres_uri)) >= 2
    store.tracker.record([started(0)])
    assert postgres.end_connections(name_of(postgres_uri)) >= 1
    assert store.tracker.get(SWEEP).name == "my sweep"
    fence = store.ownership.claim(SWEEP, "me", taking_from=None)
    postgres.end_connections(name_of(postgres_uri))
    assert store.ownership.beat(fence) is False


def test_the_age_of_a_heartbeat_goes_by_the_servers_clock(store: Store, postgres: Any, postgres_uri: str) -> None:
    fence = store.ownership.claim(SWEEP, "me", taking_from=None)
    held = store.ownership.holder(SWEEP)
    assert held is not None
    assert held.age is not None
    assert 0 <= held.age < 30
    later = "UPDATE hpo_owners SET beat_at = beat_at - 3600000"
    with postgres.connect(name_of(postgres_uri)) as connection:
        connection.execute(later)
        [(uptime,)] = connection.execute("SELECT extract(epoch FROM now() - pg_postmaster_start_time())").fetchall()
    held = store.ownership.holder(SWEEP)
    assert held is not None
    assert held.age is not None
    assert float(uptime) - 1 < held.age < float(uptime) + 30  # an hour, but the server ran shorter than that
    store.ownership.beat(fence)
    held = store.ownership.holder(SWEEP)
    assert held is not None
    assert held.age is not None
    assert held.age < 30


def test_of_several_hosts_that_put_one_new_name_on_record_one_does(postgres_uri: str) -> None:
    stores = [open_store(postgres_uri, artifacts="/m") for _ in range(4)]
    barrier = threading.Barrier(len(stores))

    def begin(number: int) -> bool:
        barrier.wait()
        try:
            stores[number].tracker.record([sweep(f"{number}" * 32, new_name=True)])
        except NameTaken:
            return False
        return True

    with ThreadPoolExecutor(len(stores)) as threads:
        won = list(threads.map(begin, range(len(stores))))
    assert sorted(won) == [False, False, False, True]
    assert len(stores[0].tracker.find(Query(sweeps=True))) == 1
    for opened in stores:
        opened.close()


def test_sweeps_do_not_wait_for_each_other(store: Store, postgres_uri: str) -> None:
    store.tracker.record([sweep(), sweep(OTHER, "other"), started(0), started(0, OTHER)])
    fence = store.ownership.claim(SWEEP, "me", taking_from=None)
    other = store.ownership.claim(OTHER, "you", taking_from=None)
    with open_store(postgres_uri, artifacts="/m") as elsewhere:
        elsewhere.wait_at_most(5)
        database = elsewhere.tracker._database  # type: ignore[attr-defined]
        with database.write_fast() as cursor:
            elsewhere.tracker._current_writer().write(cursor, [ended(0), started(1)], fence)  # type: ignore[attr-defined]
            cursor.settle()
            store.wait_at_most(5)
            store.tracker.record([ended(0, OTHER), started(1, OTHER)], other)
            assert store.ownership.beat(other) is False
            store.wait_at_most(0.05)
            with pytest.raises(StoreBusy, match="another transaction holds a row for too long"):
                store.tracker.record([RunUpdated(SWEEP, tags={"a": "b"})], fence)
    assert store.tracker.counts([SWEEP, OTHER]) == {SWEEP: {"COMPLETE": 1, "RUNNING": 1}} | {
        OTHER: {"COMPLETE": 1, "RUNNING": 1}
    }


def test_who_ends_does_not_wait_for_statistics_that_somebody_else_makes(postgres: Any, postgres_uri: str) -> None:
    database = postgres_uri.partition("?")[0].rpartition("/")[2]
    with postgres.connect(database) as looking, postgres.connect(database) as asking:
        looking.execute("BEGIN")
        looking.execute("LOCK TABLE runs IN SHARE UPDATE EXCLUSIVE MODE")  # as ANALYZE does, also the server's own
        with open_store(postgres_uri, artifacts="/m") as store:
            store.wait_at_most(0.2)
            store.tracker.record([sweep()])
        known = dict(asking.execute("SELECT relname, reltuples FROM pg_class WHERE relname IN ('runs', 'tags')"))
    assert known["runs"] < 0 < known["tags"]


def test_a_driver_that_freezes_within_a_transaction_lets_others_go_on(
    store: Store, postgres_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.tracker.record([sweep()])
    fence = store.ownership.claim(SWEEP, "me", taking_from=None)
    monkeypatch.setattr(postgres_place, "HELD_SECONDS", 0.2)
    with open_store(postgres_uri, artifacts="/m") as frozen:

        def freeze() -> None:
            database = frozen.tracker._database  # type: ignore[attr-defined]
            with database.write_fast() as cursor:
                frozen.tracker._current_writer().write(cursor, [started(0)], fence)  # type: ignore[attr-defined]
                cursor.settle()
                store.ownership.claim(SWEEP, "you", taking_from=fence.token)  # waits until the server ends the other

        with pytest.raises(StoreUnavailable):
            freeze()
    assert store.tracker.find(Query(parent=SWEEP)) == []


def test_a_driver_that_freezes_before_its_commit_lets_others_go_on(
    store: Store, postgres_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All its statements are answered: psycopg may have said something since that stops the server's clock."""
    store.tracker.record([sweep()])
    fence = store.ownership.claim(SWEEP, "me", taking_from=None)
    monkeypatch.setattr(postgres_place, "HELD_SECONDS", 0.2)

    def freeze(place: str) -> None:
        if place == "store.before_commit":
            store.wait_at_most(5)
            store.ownership.claim(SWEEP, "you", taking_from=fence.token)  # waits until the server ends the other

    with open_store(postgres_uri, artifacts="/m") as frozen:
        monkeypatch.setattr(postgres_place, "reach", freeze)
        with pytest.raises(StoreUnavailable):
            frozen.tracker.record([started(0)], fence)
        monkeypatch.undo()
    assert store.tracker.find(Query(parent=SWEEP)) == []


def test_a_trial_costs_two_round_trips(behind_proxy: Store, proxy: Any) -> None:
    tracker = behind_proxy.tracker
    tracker.record([sweep()])
    fence = behind_proxy.ownership.claim(SWEEP, "me", taking_from=None)
    tracker.record([started(0)], fence)
    before = proxy.turns
    for number in range(10):
        tracker.record([ended(number), started(number + 1), RunUpdated(SWEEP, tags={"done": str(number)})], fence)
    assert proxy.turns - before == 20


@pytest.mark.parametrize(("word", "prepares"), [("", True), ("&prepare_threshold=none", False)])
def test_statements_are_not_prepared_where_a_pooler_does_not_like_it(
    postgres_uri: str, word: str, prepares: bool
) -> None:
    with open_store(postgres_uri + word, artifacts="/m") as store:
        store.tracker.record([sweep()])
        for number in range(8):
            store.tracker.record([started(number)])
        with store.tracker._database.write() as connection:  # type: ignore[attr-defined]
            prepared = connection.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements").scalar()
        assert bool(prepared) is prepares


def test_a_value_that_the_server_does_not_take_is_no_trouble_of_the_store(store: Store) -> None:
    with pytest.raises(InvalidRecord):
        store.tracker.record([replace(sweep(), started=2**70)])


def test_a_page_along_an_index_is_found_in_a_database_without_our_tables(postgres: Any, postgres_uri: str) -> None:
    with open_store(postgres_uri, artifacts="/m") as store:
        store.tracker.record([sweep(), started(0)])
        store.tracker.record([ended(0)])
    with postgres.connect(name_of(postgres_uri)) as connection:
        for name in table(
            postgres, postgres_uri, "SELECT relname FROM pg_class WHERE relname LIKE 'hpo%' AND relkind = 'r'"
        ):
            connection.execute(f"DROP TABLE {name[0]}")
    with open_store(postgres_uri, read_only=True) as store:
        for key in ("number", "value", "seconds", "state", "metrics.loss", "params.lr", "reason"):
            found = store.tracker.find(Query(parent=SWEEP, order=[Order(key)], limit=1))
            assert [run.id for run in found] == [started(0).run_id]
        assert store.ownership.holder(SWEEP) is None
