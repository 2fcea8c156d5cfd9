"""The registry's rows, ours against those that MLflow writes for the same acts."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from trackers.opening import open_store
from trackers.records import NewVersion

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow warns that stages are deprecated

BEST = f"{3:032x}"
OWN_COLUMNS = {"creation_time", "last_updated_time", "user_id"}
"""Times differ; and we name the user of a version, for whom MLflow leaves the column empty."""

TABLES = (
    "registered_models",
    "registered_model_tags",
    "registered_model_aliases",
    "model_versions",
    "model_version_tags",
    "logged_model_tags",
)


def rows(folder: Path) -> dict[str, list[tuple[tuple[str, object], ...]]]:
    found = {}
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        for table in TABLES:
            cursor = connection.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in cursor.description]
            plain = [[pair for pair in zip(names, row, strict=True) if pair[0] not in OWN_COLUMNS] for row in cursor]
            found[table] = sorted((tuple(sorted(row)) for row in plain), key=repr)
    return found


def by_mlflow(mlflow: Any, world: Any) -> None:
    client = mlflow.MlflowClient(world.uri)
    for _ in range(2):
        made = mlflow.register_model(f"models:/{world.model_id}", "diff", tags={"a": "1", "b c": "ü"})
        client.update_model_version("diff", made.version, "words")
    client.create_model_version("diff", "/plain/path", run_id=BEST)
    client.set_registered_model_alias("diff", "champion", "1")
    client.set_registered_model_alias("diff", "champion", "2")
    client.set_registered_model_alias("diff", "spare", "3")
    client.delete_registered_model_alias("diff", "spare")
    for version in ("1", "2"):
        client.transition_model_version_stage("diff", version, "Production", archive_existing_versions=True)
    client.transition_model_version_stage("diff", "3", "Staging")
    client.set_model_version_tag("diff", "1", "a", "2")


def by_us(world: Any) -> None:
    store = open_store(world.uri, artifacts=str(world.folder / "mlruns"))
    place = store.tracker.get(BEST).models[0].uri
    registry = store.registry
    tags = {"a": "1", "b c": "ü"}
    for key in ("1", "2"):
        registry.register(
            NewVersion("diff", place, BEST, key, world.model_id, description="words", tags=tags, who="ada")
        )
    registry.register(NewVersion("diff", "/plain/path", BEST, "3", who="ada"))
    registry.set_alias("diff", "champion", 1, who="ada")
    registry.set_alias("diff", "champion", 2, who="ada")
    registry.set_alias("diff", "spare", 3, who="ada")
    registry.set_alias("diff", "spare", None, who="ada")
    for version in (1, 2):
        registry.set_stage("diff", version, "Production", who="ada")
    registry.set_stage("diff", 3, "Staging", who="ada", archive_existing=False)
    registry.annotate("diff", 1, who="ada", tags={"a": "2"})
    store.close()


@pytest.mark.everyday(without="postgres")
@pytest.mark.parametrize("when", ["before MLflow upgraded the tables", "after"])
def test_our_rows_are_those_of_mlflow(
    mlflow: Any, made: Any, tmp_path: Path, copied: Callable[[Any, Path], Any], when: str
) -> None:
    theirs, ours = copied(made, tmp_path / "theirs"), copied(made, tmp_path / "ours")
    if when == "after":
        mlflow.MlflowClient(ours.uri).search_experiments()
    mlflow.set_tracking_uri(theirs.uri)
    mlflow.set_registry_uri(theirs.uri)
    by_mlflow(mlflow, theirs)

    by_us(ours)
    mlflow.MlflowClient(ours.uri).search_experiments()  # upgrades, where that is still to do

    left, right = rows(ours.folder), rows(theirs.folder)
    for table in TABLES:
        assert left[table] == right[table], table
