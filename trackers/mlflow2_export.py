"""Writes a store into a new SQLite file that MLflow 2.22 opens, with its registered models where that is wished."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trackers.artifacts import ArtifactFolder
from trackers.errors import InvalidRecord, NotFound, TrackerError
from trackers.mlflow2_model import copy_for_mlflow2
from trackers.opening import Store, open_store
from trackers.records import Artifact, ModelVersion
from trackers.sql.database import Database, Place
from trackers.sql.mlflow2_tables import Copying


@dataclass(frozen=True)
class Exported:
    """The file, how many rows each table got, what there was no place for, and what else is to be known."""

    file: Path
    rows: Mapping[str, int]
    left_out: Sequence[str]
    notes: Sequence[str]


def export_for_mlflow2(uri: str, file: Path, models: Path | None = None) -> Exported:
    """The store at one moment, in a file that appears whole or not at all, and never over another.

    With `models` the registered models are copied below that folder, in the form that MLflow 2 loads, each verified
    before. InvalidRecord where the file, or a copy, is there already.
    """
    _check_new(file)
    with contextlib.closing(_database(uri)) as database, _new_file(file) as target:
        with database.read() as connection:
            copying = Copying(connection, database.layout())
            rows = copying.copy(target)
            left_out = copying.left_out()
        with open_store(uri, read_only=True) as store:
            notes = [*copying.notes, *_models(store, target, models)]
    return Exported(file, rows, left_out, notes)


def _database(uri: str) -> Database:
    import sqlalchemy as sa

    place: Place
    if uri.startswith("postgres"):
        from trackers.sql.postgres_place import PostgresPlace, postgres_url

        place = PostgresPlace(postgres_url(uri))
    elif uri.startswith("sqlite"):
        from trackers.sql.sqlite_place import SqlitePlace, sqlite_path

        place = SqlitePlace(sqlite_path(sa.make_url(uri)))
    else:
        raise InvalidRecord(
            f"only databases can be exported, sqlite:///FILE and postgresql://..; got {uri.split(':')[0]}:"
        )
    return Database(place, artifacts="", read_only=True)


def _models(store: Store, target: sqlite3.Connection, folder: Path | None) -> Iterator[str]:
    """Points the versions to copies of their models, where these are wished; what is to be said of each."""
    versions = [version for version in store.registry.versions() if version.run_id]
    files = {(version.name, version.version): _files(store, version) for version in versions}
    versions = [version for version in versions if any(map(_is_skops, files[version.name, version.version]))]
    if folder is None:
        if versions:
            yield (
                f"{len(versions)} registered versions are kept in the skops format, which MLflow 2 cannot load; "
                "add --models FOLDER for copies that it can"
            )
        return
    for version in versions:
        place = folder / version.name / str(version.version)
        try:
            _copy(store, version, files[version.name, version.version], place)
        except TrackerError as error:
            yield f"the model of {version.name} version {version.version} was not copied: {error}"
            continue
        own = (str(place), str(place), version.name, version.version)
        target.execute("UPDATE model_versions SET source = ?, storage_location = ? WHERE name = ? AND version = ?", own)


def _files(store: Store, version: ModelVersion) -> Sequence[Artifact]:
    """What the manifest lists of a version's model; nothing of one that is not ours."""
    try:
        run = store.tracker.get(version.run_id or "")
    except NotFound:
        return []
    below = f"{version.source.removeprefix(f'{run.artifact_uri}/')}/"
    return [artifact for artifact in store.tracker.artifacts(run.id) if artifact.path.startswith(below)]


def _is_skops(artifact: Artifact) -> bool:
    return artifact.path.endswith(".skops")


def _copy(store: Store, version: ModelVersion, files: Sequence[Artifact], place: Path) -> None:
    run, folder = store.tracker.get(version.run_id or ""), ArtifactFolder()
    path = version.source.removeprefix(f"{run.artifact_uri}/")
    model = folder.load_model(run.artifact_uri, path, files)  # verifies all of them
    contents = {}
    for file in files:
        with folder.open(run.artifact_uri, file.path) as opened:
            contents[file.path.removeprefix(f"{path}/")] = opened.read()
    copy_for_mlflow2(contents, model, place)


def _check_new(file: Path) -> None:
    if file.exists():
        raise InvalidRecord(f"{file} is there already; name a new file, for nothing is overwritten")
    if not file.parent.is_dir():
        raise InvalidRecord(f"the folder {file.parent} does not exist; make it first: mkdir -p {file.parent}")


@contextlib.contextmanager
def _new_file(file: Path) -> Iterator[sqlite3.Connection]:
    """A database under another name until it is whole."""
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    try:
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with contextlib.closing(sqlite3.connect(part)) as connection:
            yield connection
            connection.commit()
        descriptor = os.open(part, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        try:
            os.link(part, file)
        except FileExistsError:
            _check_new(file)
    finally:
        part.unlink(missing_ok=True)
