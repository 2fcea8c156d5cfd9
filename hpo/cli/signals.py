"""Ctrl-C and other signals while a sweep runs: end with care first, now the second time, whatever happens the third."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from types import FrameType
from typing import NoReturn

from hpo.cli import output
from hpo.errors import BrokenOff
from hpo.interruption import GRACE, Interruption

WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK = 0.1
"""Seconds between two looks at whether the work has to be broken off."""
LATE = 0.5
"""Seconds after the open trials' time is over until the main thread is broken off where it waits for one."""
AGAIN = 1.0
"""Seconds until a trial that has caught the exception gets another."""

FIRST = f"stopping: open trials have {GRACE:.0f} s to end; once more to stop at once"
SECOND = "stopping now"


class Signals:
    """Which signal came first; 0 where none did."""

    def __init__(self) -> None:
        self.first = 0
        self.count = 0

    @property
    def exit_code(self) -> int:
        """128 + the signal's number, as a shell has it; `hpo stop` counts as Ctrl-C."""
        return 128 + (self.first or signal.SIGINT)

    def leave(self) -> NoReturn:
        """Ends the process with that code, also where a thread still runs a trial that nobody waits for."""
        if any(thread.name.startswith("hpo-slot") for thread in threading.enumerate()):
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
            os._exit(self.exit_code)
        sys.exit(self.exit_code)


@contextmanager
def watched(interruption: Interruption) -> Iterator[Signals]:
    """Turns the first signal into a wish to end, and the second one into a wish to end now.

    Once the time of the open trials is over, one that runs in the main thread is broken off by BrokenOff, a
    KeyboardInterrupt; nothing that stands half on record ever is. The third Ctrl-C or SIGTERM ends the process on the
    spot. Signals that are ignored (nohup) stay ignored. In any thread but the main one, which alone receives signals,
    nothing is watched.
    """
    seen = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield seen
        return
    taken = [number for number in WATCHED if signal.getsignal(number) is not signal.SIG_IGN]
    watch = _Watch(seen, interruption, own=taken[0] if taken else None)
    before = {number: signal.signal(number, watch.came) for number in taken}
    watch.start()
    try:
        yield seen
    finally:
        watch.end()
        for number, handler in before.items():
            signal.signal(number, handler)


class _Watch:
    """A handler, which must do next to nothing, and a thread that speaks and breaks off."""

    def __init__(self, seen: Signals, interruption: Interruption, own: signal.Signals | None) -> None:
        self._seen = seen
        self._interruption = interruption
        # a handler may interrupt a print or another handler: of all queues only this one may be put to by it
        self._said: SimpleQueue[str] = SimpleQueue()
        self._own = own
        self._is_breaking = False
        self._break_at = 0.0
        self._thread = threading.Thread(target=self._watch, name="hpo-signals", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Waits until everything is said."""
        self._said.put("")
        self._thread.join()

    def came(self, number: int, _: FrameType | None) -> None:
        """The handler, in the main thread."""
        if self._is_breaking:  # it was sent by our own thread
            self._is_breaking = False
            if self._interruption.is_breakable:
                raise BrokenOff
            return
        self._seen.first = self._seen.first or number
        if number == signal.SIGHUP and self._seen.count:
            return  # a terminal that closes may send several; that is nobody's impatience
        self._seen.count += 1
        if self._seen.count == 1:
            self._interruption.ask(GRACE)
            self._said.put(FIRST)
        elif self._seen.count == 2:
            self._interruption.ask(0.0)
            self._said.put(SECOND)
        else:
            os._exit(self._seen.exit_code)  # workers die with us, and the next driver takes up what ran

    def _watch(self) -> None:
        while True:
            with suppress(Empty):
                text = self._said.get(timeout=LOOK)
                if not text:
                    return
                output.message(text)
            if self._own and self._must_break():
                self._break_at = time.monotonic()
                self._is_breaking = True
                signal.pthread_kill(threading.main_thread().ident or 0, self._own)

    def _must_break(self) -> bool:
        """Once, and again for a trial that has caught it."""
        work = self._interruption
        if work.overdue < LATE or not work.is_breakable:
            return False
        return not self._break_at or (work.is_waiting and time.monotonic() - self._break_at > AGAIN)
