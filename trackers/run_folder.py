"""The folder that holds all files of a run: its artifacts, and what its workers wrote beside them."""

import re
import shutil
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from trackers.artifacts import ArtifactFolder, local_path
from trackers.errors import StoreUnavailable
from trackers.records import Run

_ARTIFACTS = re.compile(r"artifacts(-[0-9]+)?")


def run_folder(run: Run) -> str | None:
    """The folder's URI, `<place>/<run id>`; None where the artifacts do not lie where we put them.

    Whoever can write to the database must not be able to name any folder of this machine.
    """
    parts = urlsplit(run.artifact_uri)
    folder, _, name = parts.path.rstrip("/").rpartition("/")
    if not _ARTIFACTS.fullmatch(name) or folder.rpartition("/")[2] != run.id:
        return None
    return urlunsplit(parts._replace(path=folder))


def remove_run_folder(run: Run, artifacts: ArtifactFolder) -> None:
    """Deletes all files of a run; what is gone already is no error. StoreUnavailable where that fails."""
    folder = run_folder(run)
    if folder is None:
        return
    path = local_path(folder)
    if path is None:
        artifacts.delete(folder, artifacts.names(folder))
    elif path.is_symlink():
        path.unlink(missing_ok=True)  # what it leads to is somebody else's
    else:
        shutil.rmtree(path, onerror=_failed)


def _failed(_: Callable[..., object], path: str, failure: tuple[type[BaseException], BaseException, object]) -> None:
    error = failure[1]
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
        raise StoreUnavailable(f"{path}: {error.strerror}; mend that and do the same again") from error
