"""Ctrl-C and other signals while a sweep runs: end with care first, at once the second time."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from hpo.cli import output
from hpo.interruption import GRACE, Interruption

WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """Which signal came first; 0 where none did."""

    def __init__(self) -> None:
        self.first = 0

    @property
    def exit_code(self) -> int:
        """128 + the signal's number, as a shell has it; `hpo stop` counts as Ctrl-C."""
        return 128 + (self.first or signal.SIGINT)


@contextmanager
def watched(interruption: Interruption) -> Iterator[Signals]:
    """Turns the first signal into a wish to end, and a second one into KeyboardInterrupt."""
    seen = Signals()

    def came(number: int, _: FrameType | None) -> None:
        if seen.first:
            raise KeyboardInterrupt
        seen.first = number
        interruption.ask(GRACE)
        output.message(f"stopping: open trials have {GRACE:.0f} s to end; once more to stop at once")

    before = {number: signal.signal(number, came) for number in WATCHED}
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
