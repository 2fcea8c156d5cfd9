"""The names of kept files: relative, tidy, and below the run they belong to."""

from pathlib import PurePosixPath

from trackers.errors import InvalidRecord

PART = ".part"
"""How the name of a file ends that is not wholly written; never listed, never in a manifest."""


def check_name(name: str) -> str:
    """The name of a file below a run's artifacts, if it is relative, tidy and stays below; else `InvalidRecord`."""
    if not is_tidy(name):
        raise InvalidRecord(
            f"an artifact's name must be a relative path such as 'plots/roc.png', without '..', '\\' "
            f"or control characters; got {name!r}"
        )
    if name.endswith(PART):
        raise InvalidRecord(f"an artifact's name must not end in '{PART}': files half written do; got {name!r}")
    return name


def is_tidy(name: str) -> bool:
    """Whether a relative path has one meaning only, and stays below the folder it is relative to."""
    parts = name.split("/")
    return not any(part in ("", ".", "..") for part in parts) and name.isprintable() and "\\" not in name


def is_below(path: str, folder: str) -> bool:
    """Whether a path is the folder or below it."""
    return PurePosixPath(path).is_relative_to(folder)
