"""What a worker process prints: one bounded file, emptied after every trial."""

import os
import sys
import threading
import time
from collections import deque
from pathlib import Path

LIMIT = 10 * 2**20
HEAD = LIMIT // 2
TAIL = LIMIT // 2 - 4096
NOTE = b"\n... the output was longer than 10 MiB; the middle was cut out here ...\n"
CHECK_SECONDS = 0.5


class OutputLog:
    """Receives all that this process, its libraries and its child processes write to stdout and stderr.

    File descriptors are redirected once and the file is kept open, so a trial that prints nothing costs one fstat.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC, 0o600)
        self._lock = threading.Lock()
        self._late: deque[bytes] = deque()
        self._late_size = 0
        self._poured = time.monotonic()

    def redirect(self) -> None:
        """Points stdout and stderr to the file and stdin to nothing, for the rest of this process's life."""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(self._file, 1)
        os.dup2(self._file, 2)
        _redirected.append(self)
        for stream in (sys.stdout, sys.stderr):
            # lines are written at once: a worker that dies has said what it said
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]  # real streams here
        threading.Thread(target=self._keep_bounded, name="hpo-output", daemon=True).start()

    def write(self, data: bytes) -> None:
        """Adds what was printed elsewhere, such as by a program whose output is read.

        Of a flood, what would be cut out anyway is not even written: a disk is slower than a program that prints.
        """
        with self._lock:
            if os.fstat(self._file).st_size <= LIMIT and not self._late:
                _write_all(self._file, data)
                return
            self._late.append(data)
            self._late_size += len(data)
            while self._late_size - len(self._late[0]) > TAIL:
                self._late_size -= len(self._late.popleft())
            if time.monotonic() - self._poured > CHECK_SECONDS:
                self._pour()

    def _pour(self) -> None:
        """Writes what waits behind a file that is full, and cuts the middle out of both."""
        late, self._late_size, self._poured = b"".join(self._late), 0, time.monotonic()
        self._late.clear()
        if late:
            _write_all(self._file, late)
        trim(self._file)

    def close(self) -> None:
        """Closes a file that nothing was redirected to."""
        os.close(self._file)

    def flush(self) -> Path | None:
        """The file with all output so far, or None where there is none."""
        for stream in (sys.stdout, sys.stderr) if self in _redirected else ():
            stream.flush()
        if os.fstat(self._file).st_size == 0:
            return None
        with self._lock:
            self._pour()
        return self._path

    def clear(self) -> None:
        """Forgets what was written."""
        os.ftruncate(self._file, 0)

    def _keep_bounded(self) -> None:
        pause = threading.Event()
        while not pause.wait(CHECK_SECONDS):
            with self._lock:
                self._pour()


_redirected: list[OutputLog] = []  # one in a worker process, none in any other


def redirected() -> OutputLog | None:
    """The log that keeps what this process prints; None where that goes where the driver prints."""
    return _redirected[0] if _redirected else None


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def trim(file: int) -> None:
    """Cuts the middle out of an open file (appending, readable) that is over the limit, leaving a note."""
    size = os.fstat(file).st_size
    if size > LIMIT:
        tail = os.pread(file, TAIL, size - TAIL)
        os.ftruncate(file, HEAD)
        os.write(file, NOTE + tail)


def left_behind(path: Path) -> Path | None:
    """The output file of a worker that died, trimmed, or None where it said nothing."""
    if not path.exists() or path.stat().st_size == 0:
        return None
    file = os.open(path, os.O_RDWR | os.O_APPEND)
    try:
        trim(file)
    finally:
        os.close(file)
    return path
