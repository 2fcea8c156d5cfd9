"""The files of scripts/bench as modules, for the tests of what they make of measurements."""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

BENCH = Path(__file__).parents[1] / "scripts" / "bench"


@contextmanager
def importing() -> Iterator[Callable[[str], ModuleType]]:
    """Imports files of scripts/bench by name; other modules of such names are put aside and come back.

    Objectives of other tests have names as short as theirs.
    """
    names = {"items"} | {path.stem for path in BENCH.rglob("*.py")}

    def named() -> dict[str, ModuleType]:
        return {name: module for name, module in sys.modules.items() if name.partition(".")[0] in names}

    others, path = named(), list(sys.path)
    for name in others:
        del sys.modules[name]
    sys.path[:0] = [str(BENCH), str(BENCH / "peers")]
    importlib.invalidate_caches()
    try:
        yield importlib.import_module
    finally:
        sys.path[:] = path
        for name in named():
            del sys.modules[name]
        sys.modules.update(others)
