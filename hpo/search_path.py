"""Where Python looks for the modules that a sweep file names."""

import sys
from collections.abc import Sequence
from pathlib import Path


def search_first(folders: Sequence[str]) -> None:
    """Puts folders at the front of Python's search path, in their order, for the rest of this process."""
    sys.path[:] = first_of(folders, sys.path)


def first_of(folders: Sequence[str], search_path: Sequence[str]) -> list[str]:
    """A search path with the folders at its front, in their order."""
    absolute = [str(Path(folder).absolute()) for folder in folders]
    return [*absolute, *(entry for entry in search_path if entry not in absolute)]
