"""Files that nobody needs: below the artifact folders of our own runs, and known to no manifest.

Left alone is whatever could belong to somebody else: runs that MLflow alone wrote (it keeps no manifest), runs that
are deleted or unknown to this store, runs and sweeps that are at work or wait, files of registered models.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trackers.artifacts import PART
from trackers.artifacts import local_path as local_path
from trackers.records import Query, Run, Status
from trackers.registry import Registry
from trackers.tracker import Tracker

RESULTS = "results"
"""The folder beside a sweep's artifacts where workers write down results until they are on record."""

PROBE = ".hpo-probe-"
"""What begins the name of a file that a driver leaves beside a sweep's artifacts as long as it looks who sees it."""

_ATTEMPT = re.compile(r"artifacts(-[0-9]+)?")
"""The artifact folder of an attempt (see `trackers.rows.artifact_uri`)."""
MLFLOW_TAG = "hpo.mlflow"
"""On a trial's run to which MLflow wrote too: where the trial was killed, files of MLflow's are in no manifest."""

_AT_WORK = (Status.RUNNING, Status.SCHEDULED)


@dataclass(frozen=True)
class Garbage:
    """A file that can go, and why."""

    path: Path
    size: int
    why: str


def find_garbage(tracker: Tracker, registry: Registry) -> list[Garbage]:
    """All files that can go, by path; local artifact folders alone are looked at (see `trackers.remote_garbage`)."""
    sources = [local_path(version.source) for version in registry.versions()]
    kept = [source for source in sources if source is not None]
    found: list[Garbage] = []
    for run in ended_runs(tracker):
        folder = _folder_of(run)
        if folder is None:
            continue
        for other in _other_attempts(folder):
            found += [Garbage(item.path, item.size, "of another attempt") for item in _unknown(other, set())]
        if run.sweep is not None:
            found += [
                Garbage(item.path, item.size, "result of a dead driver")
                for item in _unknown(folder.parent / RESULTS, set())
            ]
            found += _probes(folder.parent)
        if MLFLOW_TAG in run.tags:
            continue
        manifest = {artifact.path for artifact in tracker.artifacts(run.id)}
        found += [item for item in _unknown(folder, manifest) if not _is_below(item.path, kept)]
    return sorted(found, key=lambda item: item.path)


def ended_runs(tracker: Tracker) -> list[Run]:
    """The trials and sweeps of ours that neither are at work or wait, nor belong to a sweep that does."""
    runs = tracker.find(Query())
    at_work = {run.id for run in runs if run.status in _AT_WORK}
    ours = (run for run in runs if run.trial is not None or run.sweep is not None)
    return [run for run in ours if run.id not in at_work and run.parent_id not in at_work]


def remove(garbage: Sequence[Garbage]) -> int:
    """Deletes the files, and folders that this leaves empty; how many bytes that freed."""
    freed = 0
    for item in garbage:
        with suppress(FileNotFoundError):
            item.path.unlink()
            freed += item.size
        if item.path.name.startswith(PROBE):
            continue
        for folder in item.path.parents:
            if folder.name == RESULTS or _ATTEMPT.fullmatch(folder.name):
                break
            with suppress(OSError):  # not empty
                folder.rmdir()
    return freed


def _folder_of(run: Run) -> Path | None:
    """The run's artifact folder if it is where we put it."""
    folder = local_path(run.artifact_uri)
    # whoever can write to the database must not be able to name any folder of this machine
    return folder if folder is not None and _is_of(folder, run.id) else None


def _is_of(folder: Path, run_id: str) -> bool:
    return folder.parent.name == run_id and _ATTEMPT.fullmatch(folder.name) is not None


def _other_attempts(folder: Path) -> list[Path]:
    """Where other attempts of the run put their files; only those of one attempt are in the manifest."""
    beside = sorted(folder.parent.iterdir()) if folder.parent.is_dir() else ()
    return [path for path in beside if path != folder and _ATTEMPT.fullmatch(path.name) and not path.is_symlink()]


def _unknown(folder: Path, manifest: set[str]) -> Iterator[Garbage]:
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            if path.relative_to(folder).as_posix() in manifest:
                continue
            with suppress(FileNotFoundError):
                why = "half written" if name.endswith(PART) else "in no manifest"
                yield Garbage(path, path.lstat().st_size, why)


def _probes(folder: Path) -> Iterator[Garbage]:
    for path in sorted(folder.glob(f"{PROBE}*")):
        with suppress(FileNotFoundError):
            yield Garbage(path, path.lstat().st_size, "of a dead driver")


def _is_below(path: Path, folders: Sequence[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)
