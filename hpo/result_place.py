"""Where the workers of a sweep write results down until they are on record: always on this machine."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from hpo.executors.result_folder import ResultFolder
from trackers.artifacts import local_path
from trackers.opening import Store
from trackers.records import Query, Run, Status

BESIDE = ".hpo-results-"


def results_of(parent: Run, store: Store, environment: Mapping[str, str]) -> ResultFolder | None:
    """Beside the sweep's artifacts; where these are elsewhere beside the database, else with the user's state.

    None where there is no such place. A driver on another host finds nothing here and runs those trials again.
    """
    path = local_path(parent.artifact_uri)
    if path:
        return ResultFolder(path.parent / "results")
    folder = _local_folder(store.uri, environment)
    return ResultFolder(folder / f"{BESIDE}{parent.id}") if folder else None


def abandoned_results(store: Store, environment: Mapping[str, str]) -> list[Path]:
    """Folders of this kind that lie apart from their sweep's artifacts and whose sweep has ended."""
    folder = _local_folder(store.uri, environment)
    if folder is None or not folder.is_dir():
        return []
    ended = {run.id for run in store.tracker.find(Query(sweeps=True, roots=True)) if _has_ended(run)}
    return sorted(path for path in folder.glob(f"{BESIDE}*") if path.name.removeprefix(BESIDE) in ended)


def remove_results(folders: list[Path]) -> None:
    """Deletes them; results of ended sweeps are on record."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def database_of(uri: str) -> Path | None:
    """The file of an SQLite store."""
    path = urlsplit(uri).path.removeprefix("/") if uri.startswith("sqlite") else ""
    return Path(path).expanduser().absolute() if path else None


def _local_folder(uri: str, environment: Mapping[str, str]) -> Path | None:
    # never a folder that everybody can write to: what lies there is believed
    database = database_of(uri)
    if database:
        return database.parent
    home = environment.get("HOME")
    state = environment.get("XDG_STATE_HOME") or (f"{home}/.local/state" if home else "")
    return Path(state) / "hpo" if state else None


def _has_ended(run: Run) -> bool:
    return run.status not in (Status.RUNNING, Status.SCHEDULED)
