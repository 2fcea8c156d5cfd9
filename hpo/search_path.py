"""Where Python looks for the modules that a sweep file names."""

import sys
from collections.abc import Sequence
from pathlib import Path


def search_first(folders: Sequence[str]) -> None:
    """Puts folders at the front of Python's search path, in their order, for the rest of this process."""
    absolute = [str(Path(folder).absolute()) for folder in folders]
    sys.path[:] = [*absolute, *(entry for entry in sys.path if entry not in absolute)]
