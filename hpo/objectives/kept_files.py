"""Which files of its folder a trial keeps, by patterns."""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path

from hpo.objective import TrialContext


def keep_files(trial: TrialContext, patterns: Sequence[str]) -> None:
    """Keeps each file below the trial's folder that a pattern names, under its path there; a folder with all it holds.

    Links that lead out of the folder are passed over.
    """
    folder = trial.dir
    names = {name for pattern in patterns for name in _found(folder, pattern)}
    for name in sorted(names):
        trial.log_artifact(folder / name, name)


def _found(folder: Path, pattern: str) -> Iterator[str]:
    # not Path.glob: before Python 3.13 its ** finds folders only
    for match in glob.iglob(pattern, root_dir=folder, recursive=True, include_hidden=True):  # noqa: PTH207
        below = folder / match
        is_whole = below.is_dir() and not glob.has_magic(pattern)
        for path in below.rglob("*") if is_whole else [below]:
            if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
                yield path.relative_to(folder).as_posix()
