"""Imports without the garbage collector, for commands that are to answer, or to begin, at once."""

import contextlib
import gc
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def importing_fast() -> Iterator[Callable[[], None]]:
    """Keeps the garbage collector off what libraries leave behind when they are first imported.

    Looking through it again and again, during the imports and after, takes a fifth of the time of `hpo best`, and of
    the time that `hpo run` needs to begin. Gives what ends it sooner than the block does. Nothing is done where the
    store's libraries are there already, and inside another such block.
    """
    if "sqlalchemy" in sys.modules or not gc.isenabled():
        yield _nothing
        return
    gc.disable()
    try:
        yield _look_at_what_comes
    finally:
        _look_at_what_comes()


def _look_at_what_comes() -> None:
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def _nothing() -> None:
    return None
