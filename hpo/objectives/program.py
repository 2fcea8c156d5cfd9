"""One run of a program: what it prints is read as it comes, and all that it started ends with it."""

import os
import secrets
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from hpo.errors import TrialFailed, TrialPruned
from hpo.objectives.program_guard import process_mark
from hpo.processes.memory_kills import memory_kills
from hpo.processes.output_log import redirected
from hpo.processes.slot_processes import end_all, marked

GRACE = 3.0
"""Seconds between SIGTERM and SIGKILL of a program that the pruner stops."""

CHUNK = 2**16
LOOK = 0.2
"""Seconds between two looks at whether a program has ended that keeps its output open."""

LEFT_OPEN = 5.0
"""Seconds in which what a program left running, and holds its output open, has to go."""

SAID = 2_000
"""Bytes of the last output that are kept for the error message."""


@dataclass(frozen=True)
class Command:
    """What to run: arguments, the program among them as a path, the whole environment, and the working folder."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    folder: str


@dataclass
class _Stream:
    """One of the program's outputs; `said` is the end of it."""

    take: Callable[[bytes], None] | None
    said: bytes = b""


@dataclass(frozen=True)
class Ending:
    """How a program ended: its exit code, or less a signal's number; the last line it said; whether memory ran out."""

    code: int
    said: str
    memory_ran_out: bool

    def check(self) -> None:
        """TrialFailed where it did not end well."""
        more = f": {self.said}" if self.said else ""
        if self.code > 0:
            raise TrialFailed(f"exit:{self.code}", f"the program ended with exit code {self.code}{more}")
        if self.code == -signal.SIGKILL and self.memory_ran_out:
            raise TrialFailed("oom", f"the kernel killed the program, as memory ran out{more}")
        if self.code < 0:
            text = f"the program was ended by signal {-self.code}, {_signal_name(-self.code)}{more}"
            raise TrialFailed(f"signal:{-self.code}", text)


class Program:
    """A running program, the head of a process group in its slot's session.

    `keep` is given all output; `read` what comes on stdout, and may raise to end the program: TrialPruned lets it
    close down first, with SIGTERM, anything else kills it at once.
    """

    def __init__(self, command: Command, *, keep: Callable[[bytes], None], read: Callable[[bytes], None]) -> None:
        self._keep = keep
        self._kills = memory_kills()
        self._mark = f"{process_mark()}{secrets.token_hex(8)};"
        self._process = _started(command, self._mark)
        self._streams = selectors.DefaultSelector()
        self._out, self._err = _Stream(read), _Stream(None)
        for pipe, stream in ((self._process.stdout, self._out), (self._process.stderr, self._err)):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self._streams.register(pipe, selectors.EVENT_READ, stream)

    def run(self) -> Ending:
        """Reads until the program has ended; raises what reading raises, and then it is ended."""
        try:
            with _sigterm_left_to_the_program():
                self._read_to_the_end()
        except TrialPruned:
            self._close_down()
            raise
        finally:
            self._end()
        said = _last_line(self._err.said) or _last_line(self._out.said)
        return Ending(self._process.wait(), said, memory_kills() > self._kills)

    def _read_to_the_end(self) -> None:
        while self._streams.get_map() and not self._has_ended():
            self._read(LOOK)
        self._wait()
        _kill_group(self._process.pid)
        self._read_what_is_left()

    def _read(self, timeout: float) -> bool:
        """Takes what has come; whether anything came in time."""
        ready = self._streams.select(timeout)
        for key, _ in ready:
            data = _read_some(key.fileobj)
            if data is None:
                continue
            if not data:
                self._streams.unregister(key.fileobj)
                continue
            stream: _Stream = key.data
            stream.said = (stream.said + data)[-SAID:]
            self._keep(data)
            if stream.take is not None:
                stream.take(data)
        return bool(ready)

    def _read_what_is_left(self) -> None:
        """A process that left the group may hold a pipe open, and even write to it for ever."""
        deadline, is_ended = time.monotonic() + LEFT_OPEN, False
        while self._streams.get_map() and time.monotonic() < deadline:
            came = self._read(LOOK)
            if not is_ended and (not came or time.monotonic() > deadline - LEFT_OPEN + 2 * LOOK):
                end_all(self._mark)
                is_ended = True

    def _has_ended(self) -> bool:
        """Whether it has ended; its number stays taken, so that its group can still be named."""
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return self._process.poll() is not None
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _wait(self) -> None:
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        else:
            self._process.wait()

    def _close_down(self) -> None:
        for stream in (self._out, self._err):
            stream.take = None  # what it says from now on is kept, and counts no more
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        while not self._has_ended() and (left := deadline - time.monotonic()) > 0:
            if self._streams.get_map():
                self._read(min(left, LOOK / 4))
            else:
                time.sleep(min(left, LOOK / 4))

    def _end(self) -> None:
        """Safe to call when all has ended; else everything is killed."""
        if not self._has_been_awaited() and not self._has_ended():
            end_all(self._mark)
        if not self._has_been_awaited():
            _kill_group(self._process.pid)
        self._process.wait()
        self._streams.close()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _has_been_awaited(self) -> bool:
        return self._process.returncode is not None


def _started(command: Command, mark: str) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # the sweep file's own program, and never a shell
            command.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=command.folder,
            env={**command.environment, **marked(mark)},
            process_group=0,
            bufsize=0,
        )
    except (OSError, ValueError) as error:
        missing = not Path(command.folder).is_dir()
        what = f"in {command.folder}" if missing else command.argv[0]
        reason = getattr(error, "strerror", None) or str(error)
        raise TrialFailed("exception", f"the program cannot be started: {what}: {reason}") from error


def _read_some(pipe: object) -> bytes | None:
    """What a pipe holds, nothing at its end, None where it holds nothing yet."""
    number: int = pipe.fileno()  # type: ignore[attr-defined]  # a file; selectors take more than those
    try:
        return os.read(number, CHUNK)
    except BlockingIOError:
        return None


def _kill_group(pid: int) -> None:
    with suppress(OSError):  # it is gone
        os.killpg(pid, signal.SIGKILL)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unnamed"


def _last_line(said: bytes) -> str:
    lines = said.decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")[-300:]


@contextmanager
def _sigterm_left_to_the_program() -> Iterator[None]:
    """A trial that took too long is sent SIGTERM with its worker, which stays until the program has closed down."""
    in_main = threading.current_thread() is threading.main_thread()
    if redirected() is None or not in_main or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, lambda number, frame: None)  # noqa: ARG005  # a program inherits no function
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
