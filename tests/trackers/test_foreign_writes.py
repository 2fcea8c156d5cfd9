"""Another library's engine writes to a SQLite file under our lock, and gives it back with the connection."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from trackers.errors import StoreBusy
from trackers.opening import open_store
from trackers.sql.foreign_writes import lock_writes
from trackers.sql.sqlite_place import SqlitePlace


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    open_store(f"sqlite:///{tmp_path}/mlflow.db", artifacts=str(tmp_path)).close()
    made = sa.create_engine(f"sqlite:///{tmp_path}/mlflow.db")
    lock_writes(made, f"{tmp_path}/mlflow.db")
    yield made
    made.dispose()


def is_held(folder: Path) -> bool:
    place = SqlitePlace(folder / "mlflow.db", busy_seconds=0)
    try:
        with place.exclusive():
            return False
    except StoreBusy:
        return True
    finally:
        place.close()


def test_a_connection_that_writes_holds_the_lock_until_it_is_given_back(engine: sa.Engine, tmp_path: Path) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT * FROM runs").all()
        assert not is_held(tmp_path)
        connection.exec_driver_sql("UPDATE runs SET name = 'x'")
        assert is_held(tmp_path)
        connection.commit()
    assert not is_held(tmp_path)


def test_it_is_given_back_where_writing_fails(engine: sa.Engine, tmp_path: Path) -> None:
    with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO runs (run_uuid, status) VALUES ('1', 'NONSENSE')")
    assert not is_held(tmp_path)


def test_it_waits_for_a_driver_that_writes(engine: sa.Engine, tmp_path: Path) -> None:
    place = SqlitePlace(tmp_path / "mlflow.db")
    written = threading.Event()

    def write() -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO params (key, value, run_uuid) VALUES ('a', 'b', 'c')")
        written.set()

    thread = threading.Thread(target=write)
    with place.exclusive():
        thread.start()
        assert not written.wait(0.2)
    assert written.wait(30)
    thread.join()
    place.close()
