"""What holds for the registry in a database beyond the contract: races, undone changes, others' deletions."""

import json
import multiprocessing
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
import sqlalchemy as sa

from trackers.records import NewVersion
from trackers.sql.database import Database
from trackers.sql.registry import SqlRegistry
from trackers.sql.registry_change import Change
from trackers.sql.schema import logged_model_tags, logged_models, model_versions, registered_models
from trackers.sql.sqlite_place import SqlitePlace

PROCESSES = 8
MODEL_ID = "m-" + "a" * 32


def new(key: str, **changes: object) -> NewVersion:
    return NewVersion(**{"name": "clf", "source": f"/models/{key}", "run_id": "r" * 32, "key": key, **changes})


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(SqlitePlace(tmp_path / "mlflow.db"), artifacts=str(tmp_path / "mlruns"))
    yield opened
    opened.close()


@pytest.fixture
def registry(database: Database) -> SqlRegistry:
    return SqlRegistry(database)


def register_at_once(folder: Path, number: int, together: Barrier) -> None:
    """What each process of the race does; it lives here so that new processes find it."""
    together.wait(60)
    database = Database(SqlitePlace(folder / "race.db"), artifacts=str(folder / "mlruns"))
    registry = SqlRegistry(database)
    same = registry.register(new("same", aliases=("champion",))).version
    together.wait(60)
    own = registry.register(new(f"own {number}")).version
    database.close()
    (folder / f"{number}.json").write_text(json.dumps([same, own]))


def test_processes_registering_at_once_get_one_version_a_key_and_no_gaps(tmp_path: Path) -> None:
    processes = multiprocessing.get_context("forkserver")  # imports SQLAlchemy once, not eight times
    processes.set_forkserver_preload(["pytest", "trackers.sql.registry", "trackers.sql.sqlite_place"])
    together = processes.Barrier(PROCESSES)
    workers = [
        processes.Process(target=register_at_once, args=(tmp_path, number, together)) for number in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0] * PROCESSES

    results = [json.loads((tmp_path / f"{number}.json").read_text()) for number in range(PROCESSES)]
    assert {same for same, _ in results} == {1}
    assert sorted(own for _, own in results) == list(range(2, PROCESSES + 2))


def test_a_failure_while_registering_leaves_nothing(
    database: Database, registry: SqlRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.register(new("first", aliases=("champion",)))
    before = registry.versions(), registry.history("clf")

    def fail(self: Change, alias: str, number: int) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patched:
        patched.setattr(Change, "point", fail)
        with pytest.raises(RuntimeError, match="power cut"):
            registry.register(new("second", aliases=("champion",)))
        with pytest.raises(RuntimeError, match="power cut"):
            registry.register(new("other", name="other", aliases=("champion",)))

    assert (registry.versions(), registry.history("clf")) == before
    assert registry.register(new("second")).version == 2


def delete_as_mlflow_does(database: Database, version: int) -> None:
    with database.write() as connection:
        connection.execute(
            sa.update(model_versions)
            .where(model_versions.c.version == version)
            .values(current_stage="Deleted_Internal", source="REDACTED-SOURCE-PATH", run_id="REDACTED-RUN-ID")
        )


def test_the_number_of_a_deleted_version_is_not_given_again(database: Database, registry: SqlRegistry) -> None:
    for key in ("a", "b"):
        registry.register(new(key))
    delete_as_mlflow_does(database, 2)

    assert [version.version for version in registry.versions("clf")] == [1]
    assert registry.get("clf", "latest").version == 1
    assert registry.register(new("b")).version == 3  # its key was free again
    assert registry.register(new("b")).version == 3


def test_a_key_of_a_model_that_was_deleted_and_made_anew_stands_for_nothing(
    database: Database, registry: SqlRegistry
) -> None:
    registry.register(new("a"))
    with database.write() as connection:
        connection.execute(sa.delete(model_versions))
        connection.execute(sa.delete(registered_models))
        times = {"creation_time": 1, "last_updated_time": 1}
        connection.execute(sa.insert(registered_models).values(name="clf", **times))
        row = {"name": "clf", "version": 1, "current_stage": "None", "source": "/other", **times}
        connection.execute(sa.insert(model_versions).values(**row))

    assert registry.register(new("a")).version == 2


def test_a_logged_model_is_linked_both_ways(database: Database, registry: SqlRegistry) -> None:
    with database.write() as connection:
        times = {"creation_timestamp_ms": 1, "last_updated_timestamp_ms": 1}
        facts = {"model_id": MODEL_ID, "name": "model", "artifact_location": "/models/a", "status": 2}
        connection.execute(sa.insert(logged_models).values(experiment_id=0, **facts, **times))

    for name in ("clf", "other"):
        made = registry.register(new(name, name=name, source="/models/a", model_id=MODEL_ID))
        assert (made.source, made.model_id) == ("/models/a", MODEL_ID)

    with database.read() as connection:
        assert set(connection.scalars(sa.select(model_versions.c.source))) == {f"models:/{MODEL_ID}"}
        [tag] = connection.scalars(sa.select(logged_model_tags.c.tag_value))
    assert json.loads(tag) == [{"name": "clf", "version": 1}, {"name": "other", "version": 1}]


def test_a_model_id_that_nothing_logged_is_not_a_source(registry: SqlRegistry) -> None:
    made = registry.register(new("a", model_id=MODEL_ID))

    assert (made.source, made.model_id) == ("/models/a", None)


def test_registering_waits_for_nobody_when_reading(registry: SqlRegistry, database: Database, tmp_path: Path) -> None:
    registry.register(new("a"))
    other = Database(SqlitePlace(tmp_path / "mlflow.db"), artifacts="", read_only=True)

    with database.write():
        assert SqlRegistry(other).get("clf", 1).version == 1
    other.close()
