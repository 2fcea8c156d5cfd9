"""The files that a sweep file says its trials read, `capture.inputs`: found, and described as data sets."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from hpo.data_record import INPUT, dataset_of
from hpo.errors import ConfigError
from hpo.provenance.input_file import input_file
from trackers.records import Dataset


def sweep_inputs(patterns: Sequence[str], folders: Sequence[str]) -> Sequence[Dataset]:
    """The data sets that the patterns name, each once, by the name that it has there; folders are searched in order.

    ConfigError that names the place where nothing fits a pattern, or a file cannot be read.
    """
    found: dict[str, Dataset] = {}
    for position, pattern in enumerate(patterns):
        for name, path in _matches(position, pattern, folders):
            try:
                found.setdefault(name, dataset_of(input_file(path, name, INPUT)))
            except OSError as error:
                raise ConfigError(
                    f"capture.inputs.{position}: {path} cannot be read: {error.strerror or error}"
                ) from error
    return list(found.values())


def _matches(position: int, pattern: str, folders: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Name and path of all that fits, from the first folder where anything does."""
    for folder in dict.fromkeys(folders):
        if os.path.exists(os.path.join(folder, pattern)):  # noqa: PTH110, PTH118  # a name may hold what patterns do
            names = [pattern]
        else:
            names = sorted(glob.glob(pattern, root_dir=folder, recursive=True))  # noqa: PTH207  # has no root_dir
        for name in names:
            yield os.path.normpath(name), Path(folder, name)
        if names:
            return
    raise ConfigError(
        f"capture.inputs.{position}: there is no file or folder {pattern!r} in {' or '.join(dict.fromkeys(folders))}"
    )
