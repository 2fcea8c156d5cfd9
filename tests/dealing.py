"""In which order tests are dealt to the processes of xdist, where it deals by file (`--dist loadfile`).

Fixtures of a module or a session are made once for each process: dealt test by test, every process starts every server
of the suite, and imports every library.
"""

import pytest

FIRST = ("faults", "web", "interop", "contracts")
"""Folders whose files take long: what takes long should not be the last that one process is left with."""


def put_in_order(items: list[pytest.Item]) -> None:
    """Files that take long come first; the order within a file stays."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    folder = item.path.relative_to(item.config.rootpath).parts[1]
    return FIRST.index(folder) if folder in FIRST else len(FIRST)
