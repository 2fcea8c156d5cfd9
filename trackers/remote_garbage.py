"""Files that nobody needs in object stores, by the same rules as in local folders (see `trackers.garbage`)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from trackers.artifacts import ArtifactFolder, local_path
from trackers.errors import TrackerError
from trackers.garbage import MLFLOW_TAG, ended_runs
from trackers.records import Run
from trackers.registry import Registry
from trackers.run_folder import run_folder
from trackers.tracker import Tracker

_ATTEMPT = re.compile(r"artifacts(-[0-9]+)?")


@dataclass(frozen=True)
class RemoteGarbage:
    """An object that can go, below the artifact URI of one attempt of a run, and why."""

    artifact_uri: str
    name: str
    size: int
    why: str

    @property
    def path(self) -> str:
        """Its URI."""
        return f"{self.artifact_uri}/{self.name}"


def find_remote_garbage(
    tracker: Tracker, registry: Registry, artifacts: ArtifactFolder
) -> tuple[list[RemoteGarbage], list[str]]:
    """All objects that can go, by URI; and of each place that could not be listed, why not.

    A place is listed once, whatever the number of its runs.
    """
    places: dict[str, dict[str, Run]] = {}
    for run in ended_runs(tracker):
        folder = run_folder(run)
        if folder is not None and local_path(folder) is None:
            places.setdefault(folder.removesuffix(f"/{run.id}"), {})[run.id] = run
    registered = [version.source.rstrip("/") for version in registry.versions() if version.source]
    found: list[RemoteGarbage] = []
    unlisted = []
    for place, runs in sorted(places.items()):
        try:
            found += _found_in(place, runs, tracker, artifacts)
        except TrackerError as error:
            unlisted.append(str(error))
    kept = tuple(f"{source}/" for source in registered)
    return sorted((item for item in found if not item.path.startswith(kept)), key=lambda item: item.path), unlisted


def remove_remote(garbage: Sequence[RemoteGarbage], artifacts: ArtifactFolder) -> tuple[list[RemoteGarbage], list[str]]:
    """Deletes the objects; those that are gone now, and of each run whose objects could not be deleted, why not."""
    by_run: dict[str, list[RemoteGarbage]] = {}
    for item in garbage:
        by_run.setdefault(item.artifact_uri, []).append(item)
    gone, failed = [], []
    for artifact_uri, items in by_run.items():
        try:
            artifacts.delete(artifact_uri, [item.name for item in items])
        except TrackerError as error:
            failed.append(str(error))
        else:
            gone += items
    return gone, failed


def _found_in(place: str, runs: dict[str, Run], tracker: Tracker, artifacts: ArtifactFolder) -> list[RemoteGarbage]:
    found = []
    manifests: dict[str, set[str]] = {}
    for listed, size in artifacts.sizes(place).items():
        run_id, _, below = listed.partition("/")
        attempt, _, name = below.partition("/")
        run = runs.get(run_id)
        if run is None or not name or not _ATTEMPT.fullmatch(attempt):
            continue  # of another store, or no file of a run
        artifact_uri = f"{place}/{run_id}/{attempt}"
        if artifact_uri != run.artifact_uri:
            found.append(RemoteGarbage(artifact_uri, name, size, "of another attempt"))
            continue
        if run_id not in manifests:
            manifests[run_id] = {artifact.path for artifact in tracker.artifacts(run_id)}
        if name not in manifests[run_id] and MLFLOW_TAG not in run.tags:
            found.append(RemoteGarbage(artifact_uri, name, size, "in no manifest"))
    return found
