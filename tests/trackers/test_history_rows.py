"""The history in a database: it only grows, and it learns what others did."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from trackers.opening import Store, open_store
from trackers.records import NewVersion, RegistryEvent
from trackers.registry_log import unnoted
from trackers.sql.append_only import make_append_only
from trackers.sql.database import Database
from trackers.sql.own_schema import hpo_registry_events
from trackers.sql.registry import SqlRegistry
from trackers.sql.sqlite_place import SqlitePlace


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path}/mlflow.db") as opened:
        for number in (1, 2):
            opened.registry.register(NewVersion("clf", f"/models/{number}", None, f"k{number}", who="ada"))
        opened.registry.set_alias("clf", "champion", 1, who="ada", why="first")
        yield opened


@pytest.fixture
def behind_our_back(tmp_path: Path) -> Callable[..., None]:
    """Changes MLflow's tables as MLflow does, without a word to the history."""

    def change(*statements: str) -> None:
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    return change


def lines(events: list[RegistryEvent]) -> list[tuple[object, ...]]:
    return [(event.who, event.action, event.version, event.what, event.before, event.after) for event in events]


WRITES = [
    "UPDATE hpo_registry_events SET who = 'eve'",
    "DELETE FROM hpo_registry_events",
    "DELETE FROM hpo_registry_events WHERE id = 1",
    "INSERT OR REPLACE INTO hpo_registry_events SELECT id, at, 'eve', action, name, version, what, before, after, why "
    "FROM hpo_registry_events",
]


@pytest.mark.parametrize("statement", WRITES)
def test_the_database_refuses_to_change_the_history(store: Store, tmp_path: Path, statement: str) -> None:
    before = list(store.registry.history("clf"))
    with (
        closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection,
        pytest.raises(sqlite3.IntegrityError, match="hpo_registry_events is append-only"),
    ):
        connection.execute(statement)
    assert list(store.registry.history("clf")) == before


def test_an_older_database_gets_its_triggers_at_the_first_write(store: Store, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        for name in ("no_update", "no_delete", "no_replace"):
            connection.execute(f"DROP TRIGGER hpo_registry_events_{name}")
        connection.commit()
        with open_store(f"sqlite:///{tmp_path}/mlflow.db") as other:
            other.registry.set_alias("clf", "champion", 2, who="ada")
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute("DELETE FROM hpo_registry_events")


def test_postgresql_refuses_too(empty_postgres_uri: str) -> None:
    engine = sa.create_engine(empty_postgres_uri)
    with engine.begin() as connection:
        hpo_registry_events.create(connection)
        for _ in range(2):
            make_append_only(connection, hpo_registry_events.name)
        row = {
            "at": 1,
            "who": "",
            "action": "",
            "name": "m",
            "version": 1,
            "what": "",
            "before": "",
            "after": "",
            "why": "",
        }
        connection.execute(hpo_registry_events.insert().values(row))
    for statement in (*WRITES[:3], "TRUNCATE hpo_registry_events"):
        with (
            engine.connect() as connection,
            pytest.raises(sa.exc.DBAPIError, match="hpo_registry_events is append-only"),
        ):
            connection.execute(sa.text(statement))
    engine.dispose()


def test_an_older_store_on_postgresql_gets_them_at_the_first_write_of_its_owner(postgres_uri: str) -> None:
    engine = sa.create_engine(postgres_uri)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TRIGGER hpo_registry_events_no_change ON hpo_registry_events"))
    with open_store(postgres_uri) as store:
        store.registry.register(NewVersion("clf", "/models/1", None, "k1", who="ada"))
    with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match="append-only"):
        connection.execute(sa.text("DELETE FROM hpo_registry_events"))
    engine.dispose()


def test_a_store_on_postgresql_has_these_triggers(postgres_uri: str) -> None:
    with open_store(postgres_uri) as store:
        store.registry.register(NewVersion("clf", "/models/1", None, "k1", who="ada"))
    engine = sa.create_engine(postgres_uri)
    with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match="append-only"):
        connection.execute(sa.text("DELETE FROM hpo_registry_events"))
    engine.dispose()


def test_what_others_did_is_noted_by_the_next_change(store: Store, behind_our_back: Callable[..., None]) -> None:
    behind_our_back(
        "UPDATE registered_model_aliases SET version = 2 WHERE alias = 'champion'",
        "INSERT INTO registered_model_aliases (name, alias, version) VALUES ('clf', 'spare', 1)",
        "UPDATE model_versions SET current_stage = 'Production' WHERE version = 2",
        "INSERT INTO model_versions (name, version, current_stage, creation_time, status) "
        "VALUES ('clf', 3, 'None', 1700000000000, 'READY')",
    )
    noted = len(store.registry.history("clf"))
    missing = unnoted(store.registry.history("clf"), store.registry.versions("clf"), name="clf", at=1, seen_by="bob")
    store.registry.set_alias("clf", "champion", 3, who="bob")

    who = "unknown (seen by bob)"
    new = list(store.registry.history("clf"))[noted:]
    assert lines(new) == [
        (who, "stage", 2, "Production", "None", "Production"),
        (who, "register", 3, "", "", "3"),
        (who, "alias", 2, "champion", "1", "2"),
        (who, "alias", 1, "spare", "", "1"),
        ("bob", "alias", 3, "champion", "2", "3"),
    ]
    assert lines(new[:-1]) == lines(missing)
    assert "registered outside of hpo at 2023-11-14" in new[1].why
    assert new[2].why.startswith("changed outside of hpo after 20")
    assert unnoted(store.registry.history("clf"), store.registry.versions("clf"), name="clf", at=1, seen_by="") == []


def test_a_version_that_mlflow_deleted_loses_its_alias_in_the_history(
    store: Store, behind_our_back: Callable[..., None]
) -> None:
    behind_our_back(
        "DELETE FROM registered_model_aliases",
        "UPDATE model_versions SET current_stage = 'Deleted_Internal' WHERE version = 1",
    )
    store.registry.annotate("clf", 2, who="bob", description="x")
    assert lines(list(store.registry.history("clf"))[-3:]) == [
        ("unknown (seen by bob)", "alias", 1, "champion", "1", ""),
        ("unknown (seen by bob)", "delete", 1, "", "1", ""),
        ("bob", "annotate", 2, "description", "", ""),
    ]


def test_the_history_of_a_deleted_model_stays_and_goes_on_when_its_name_is_used_again(
    store: Store, behind_our_back: Callable[..., None]
) -> None:
    behind_our_back(
        "DELETE FROM registered_model_aliases", "DELETE FROM model_versions", "DELETE FROM registered_models"
    )
    before = list(store.registry.history("clf"))
    assert [event.action for event in before] == ["register", "register", "alias"]

    store.registry.register(NewVersion("clf", "/models/9", None, "k9", who="bob", aliases=["champion"]))
    assert lines(list(store.registry.history("clf"))[3:]) == [
        ("unknown (seen by bob)", "alias", 1, "champion", "1", ""),
        ("unknown (seen by bob)", "delete", 1, "", "1", ""),
        ("unknown (seen by bob)", "delete", 2, "", "2", ""),
        ("bob", "register", 1, "", "", "1"),
        ("bob", "alias", 1, "champion", "", "1"),
    ]


def test_a_version_made_again_under_its_number_is_another_one(
    store: Store, behind_our_back: Callable[..., None]
) -> None:
    behind_our_back("UPDATE model_versions SET creation_time = creation_time + 1000000 WHERE version = 1")
    store.registry.annotate("clf", 2, who="bob", description="x")
    new = list(store.registry.history("clf"))[3:]
    assert [event.action for event in new] == ["alias", "delete", "register", "alias", "annotate"]
    times = [event.at for event in store.registry.history("clf")]
    assert times == sorted(times)


def test_times_of_the_history_never_go_back(tmp_path: Path) -> None:
    times = iter([5000, 3000, 4000, 9000])
    database = Database(SqlitePlace(tmp_path / "mlflow.db"), artifacts=str(tmp_path))
    registry = SqlRegistry(database, clock=lambda: next(times))
    for number in range(4):
        registry.register(NewVersion("clf", "/models", None, f"k{number}", who="ada"))
    assert [event.at for event in registry.history("clf")] == [5000, 5000, 5000, 9000]
    database.close()


def test_a_name_of_any_length_fits_into_who(store: Store, behind_our_back: Callable[..., None]) -> None:
    behind_our_back("DELETE FROM registered_model_aliases")
    store.registry.annotate("clf", 1, who="w" * 256, description="x")
    assert len(store.registry.history("clf")[-2].who) == 256
