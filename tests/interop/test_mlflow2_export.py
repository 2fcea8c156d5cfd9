"""`hpo db export --to mlflow2`: a new file in MLflow 2.22's schema that holds what 2.22 knows, and names the rest."""

import json
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from hpo.cli.main import main
from trackers.opening import open_store
from trackers.sql.mlflow2_tables import COPIED, REVISION

pytestmark = pytest.mark.filterwarnings("ignore")  # alembic and MLflow warn of their own deprecations

TABLES_OF_RUNS = (
    "experiments",
    "runs",
    "params",
    "metrics",
    "latest_metrics",
    "datasets",
    "input_tags",
    "model_versions",
)


def export(uri: str, file: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["db", "export", "--to", "mlflow2", "--tracker", uri, str(file), *words])


def rows(path: Path, table: str, columns: str = "*") -> set[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return set(connection.execute(f"SELECT {columns} FROM {table}"))


@pytest.fixture(params=["as we made it", "upgraded by MLflow"])
def source(request: pytest.FixtureRequest, made: Any) -> Any:
    return made if request.param == "as we made it" else request.getfixturevalue("world")


def test_it_holds_every_row_that_mlflow_2_knows(source: Any, tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    done = export(source.uri, file)
    assert done.exit_code == 0, done.output
    assert "logged models" not in done.stderr
    assert "our own tables" in done.stderr
    assert "1 registered versions are kept in the skops format" in done.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert rows(file, "alembic_version") == {(REVISION,)}
    for table in TABLES_OF_RUNS:
        with closing(sqlite3.connect(file)) as connection:
            columns = ", ".join(name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})"))
        if table == "model_versions":
            columns = columns.replace("source, ", "")
        assert rows(file, table, columns) == rows(source.folder / "mlflow.db", table, columns), table
    assert rows(file, "inputs", "source_type, destination_type") == {("DATASET", "RUN")}
    [(place,)] = rows(file, "model_versions", "source")
    assert place.endswith("/artifacts/model")
    [(history,)] = rows(file, "tags WHERE key = 'mlflow.log-model.history'", "value")
    assert [(entry["artifact_path"], entry["model_uuid"]) for entry in json.loads(history)] == [
        ("model", source.model_id)
    ]
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert list(tmp_path.iterdir()) == [file]


def test_its_tables_are_those_mlflow_makes_at_that_revision(made: Any, mlflow: Any, tmp_path: Path) -> None:
    import sqlalchemy as sa
    from alembic import command
    from mlflow.store.db.utils import _get_alembic_config
    from mlflow.store.tracking.dbmodels.initial_models import Base

    assert len(COPIED) == 15
    genuine = tmp_path / "genuine.db"
    engine = sa.create_engine(f"sqlite:///{genuine}")
    Base.metadata.create_all(engine)
    engine.dispose()
    command.upgrade(_get_alembic_config(f"sqlite:///{genuine}"), REVISION)
    assert export(made.uri, tmp_path / "ours.db").exit_code == 0
    assert described(tmp_path / "ours.db") == described(genuine)


def described(path: Path) -> dict[str, Any]:
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            table: (
                sorted(row[1:4] for row in connection.execute(f"PRAGMA table_info({table})")),
                sorted(row[2:5] for row in connection.execute(f"PRAGMA foreign_key_list({table})")),
                sorted(row[1] for row in connection.execute(f"PRAGMA index_list({table})") if row[3] == "c"),
            )
            for table in sorted(tables)
        }  # fmt: skip


def test_models_are_copied_as_pickles_where_that_is_wished(made: Any, tmp_path: Path) -> None:
    done = export(made.uri, tmp_path / "old.db", "--models", str(tmp_path / "models"))
    assert (done.exit_code, "skops" in done.stderr) == (0, False)
    folder = tmp_path / "models" / "clf" / "1"
    assert rows(tmp_path / "old.db", "model_versions", "source, storage_location") == {(str(folder), str(folder))}
    described = yaml.safe_load((folder / "MLmodel").read_text())
    assert described["flavors"]["sklearn"]["serialization_format"] == "cloudpickle"
    assert described["flavors"]["python_function"]["model_path"] == "model.pkl"
    assert not list(folder.glob("*.skops"))
    import pickle

    model = pickle.loads((folder / "model.pkl").read_bytes())
    assert list(model.predict(made.rows)) == list(made.predictions)


def test_a_model_that_was_altered_is_not_copied(made: Any, copied: Callable[[Any, Path], Any], tmp_path: Path) -> None:
    with open_store(made.uri, read_only=True) as store:
        run_id = store.registry.get("clf", 1).run_id or ""
    other = copied(made, tmp_path / "other")
    with closing(sqlite3.connect(other.folder / "mlflow.db")) as connection:
        connection.execute("UPDATE hpo_artifacts SET sha256 = ? WHERE run_uuid = ?", ["0" * 64, run_id])
        connection.commit()
    done = export(other.uri, tmp_path / "old.db", "--models", str(tmp_path / "models"))
    assert done.exit_code == 0
    assert "the model of clf version 1 was not copied" in done.stderr
    assert not (tmp_path / "models").exists()


def test_nothing_is_overwritten_and_nothing_half_written_stays(made: Any, tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    file.write_text("mine")
    assert export(made.uri, file).exit_code == 2
    assert export(made.uri, tmp_path / "no" / "old.db").exit_code == 2
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("old.db", "mine")]


def test_long_values_are_written_whole_and_named(made: Any, copied: Callable[[Any, Path], Any], tmp_path: Path) -> None:
    other = copied(made, tmp_path / "other")
    with open_store(other.uri, artifacts=str(tmp_path)) as store:
        store.registry.annotate("clf", 1, who="ada", tags={"essay": "x" * 6000})
    done = export(other.uri, tmp_path / "old.db")
    assert done.exit_code == 0, done.output
    assert "tag 'essay' of clf version 1 is longer than the 5000 characters" in done.stderr
    assert rows(tmp_path / "old.db", "model_version_tags WHERE key = 'essay'", "length(value)") == {(6000,)}
