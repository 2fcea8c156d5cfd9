"""A placement in a process of its own: for libraries that take over signals, end the process, or cannot be stopped."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

from hpo.errors import ClusterUnavailable, ConfigError
from hpo.executors.remote.placement import LOST, PilotReport, Placement
from hpo.processes.family import below, see_off

MAKING = 120.0
"""Seconds within which a local cluster has to be made."""

FINDING = 60.0
"""Seconds within which one that is there has to answer."""

LAST_SECONDS = 15.0
"""Seconds for letting a cluster go, and for ending one that was made; then its process is killed."""

LOOK = 0.1
"""Seconds between two looks whether a process that makes a cluster is still wanted."""

_START = (
    "import sys, json; sys.path[:] = json.loads(sys.stdin.buffer.readline()); "
    "from hpo.executors.remote.placement_child import main; main()"
)
_ERRORS: Mapping[str, type[ConfigError | ClusterUnavailable]] = {
    "ConfigError": ConfigError,
    "ClusterUnavailable": ClusterUnavailable,
}
_Said = Mapping[str, object]
_IsOver = Callable[[], bool]


class _NotWanted(ClusterUnavailable):
    def __init__(self) -> None:
        super().__init__("the sweep has ended")


class PlacementProcess:
    """Whatever becomes of the process: its pilots are lost then, and the next `place` starts another one.

    `kind` is module:class of a Placement, made there with `settings` (plain JSON values) by name, within `seconds`.
    `search_path` comes first when modules are imported there. What the library prints goes into a file, whose end is
    told where it dies; that and its temporary files go when this is closed. Once `is_over` says that somebody wants an
    end nothing is made any more, and what is being made is killed; no error is raised for that but by `place`.
    """

    def __init__(
        self,
        kind: str,
        settings: Mapping[str, object],
        search_path: Sequence[str] = (),
        *,
        seconds: float = FINDING,
        is_over: _IsOver = lambda: False,
    ) -> None:
        self._seconds = seconds
        self._is_over = is_over
        self._path = [*search_path, *(entry for entry in sys.path if entry not in search_path)]
        self._folder = tempfile.TemporaryDirectory(prefix="hpo-", ignore_cleanup_errors=True)
        self._order = {"kind": kind, "settings": dict(settings), "folder": self._folder.name}
        self._child: _Child | None = None
        self._lost: list[PilotReport] = []
        self._is_closed = threading.Event()
        try:
            self._child = self._start()
        except _NotWanted:
            return
        except BaseException:
            self._folder.cleanup()
            raise

    @property
    def address(self) -> str:
        """The address of this machine under which the cluster's hosts reach it."""
        if self._child is None and self._is_over():
            return "127.0.0.1"  # nobody will come
        if self._child is None:
            raise ClusterUnavailable("the cluster is gone")
        if self._child.why_no_address:
            raise ConfigError(self._child.why_no_address)
        return self._child.address

    def place(self, errand: str, count: int) -> None:
        """Asks for more pilots, in a new process where the last one died."""
        self._bury()
        if self._child is None:
            self._child = self._start()
        if self._is_closed.is_set():  # by another thread, meanwhile
            self._child.close()
            raise _NotWanted
        self._child.place(errand, count)

    def ended(self) -> Sequence[PilotReport]:
        """The pilots that ended since the last call; all of them where the process did."""
        reports = list(self._child.reports()) if self._child is not None else []
        self._bury()
        lost, self._lost = self._lost, []
        return [*reports, *lost]

    def close(self) -> None:
        """Lets the cluster go; kills the process where it takes too long, or is still being made."""
        self._is_closed.set()
        if self._child is not None:
            self._child.close()
            self._child = None
        self._folder.cleanup()

    def _start(self) -> "_Child":
        log = Path(self._folder.name) / "cluster.log"
        return _Child(self._path, self._order, log, self._seconds, lambda: self._is_closed.is_set() or self._is_over())

    def _bury(self) -> None:
        if self._child is not None and self._child.is_dead:
            self._lost += self._child.reports()
            self._lost += [PilotReport(LOST, self._child.why)] * self._child.out
            self._child.close()
            self._child = None


class _Child:
    def __init__(
        self, path: Sequence[str], order: Mapping[str, object], log: Path, seconds: float, is_over: _IsOver
    ) -> None:
        if is_over():
            raise _NotWanted
        self.out = 0
        self._log = log
        self._said: SimpleQueue[_Said | None] = SimpleQueue()
        self._ended: list[PilotReport] = []
        self.address = self.why_no_address = ""
        self.why = ""
        self.is_dead = False
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                start_new_session=True,  # a Ctrl-C is the driver's business
            )
        self._listener = threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True)
        self._listener.start()
        try:
            self._send(path)
            self._send(order)
            self._wait_until_made(seconds, is_over)
        except BaseException:
            self.close()
            raise

    def place(self, errand: str, count: int) -> None:
        self._send({"errand": errand, "count": count})
        self.out += count

    def reports(self) -> Sequence[PilotReport]:
        """What came since the last call."""
        with suppress(Empty):
            while True:
                self._take(self._said.get_nowait())
        ended, self._ended = self._ended, []
        self.out -= len(ended)
        return ended

    def close(self) -> None:
        with suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()  # by which it knows
        try:
            self._process.wait(LAST_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()
        self._listener.join(LAST_SECONDS)

    def _kill(self) -> None:
        started = below(self._process.pid)
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        see_off(started, 0.0)

    def _send(self, what: object) -> None:
        try:
            if self._process.stdin is not None:
                self._process.stdin.write(f"{json.dumps(what)}\n".encode())
                self._process.stdin.flush()
        except OSError as error:
            raise ClusterUnavailable(f"the process that holds the cluster ended: {self._last_words()}") from error

    def _wait_until_made(self, seconds: float, is_over: _IsOver) -> None:
        deadline, said = time.monotonic() + seconds, None
        while True:
            with suppress(Empty):
                said = self._said.get(timeout=LOOK)
                break
            if is_over():
                self._kill()
                raise _NotWanted
            if time.monotonic() > deadline:
                self._kill()
                raise ClusterUnavailable(f"there is no cluster after {seconds:.0f} s: {self._last_words()}")
        if said is None:
            raise ClusterUnavailable(f"the process that holds the cluster ended: {self._last_words()}")
        if said["say"] == "failed":
            raise _ERRORS[str(said["kind"])](str(said["text"]))
        self.address, self.why_no_address = str(said["address"]), str(said["why"])

    def _take(self, said: _Said | None) -> None:
        if said is None:
            self.is_dead = True
            self.why = self.why or f"the process that holds the cluster ended: {self._last_words()}"
        elif said["say"] == "gone":
            self.why = str(said["text"])
        else:
            self._ended.append(PilotReport(str(said["kind"]), str(said["text"])))

    def _listen(self, answers: IO[bytes] | None) -> None:
        if answers is None:
            raise RuntimeError("no pipe")
        with answers:
            for line in answers:
                self._said.put(json.loads(line))
        self._said.put(None)

    def _last_words(self) -> str:
        try:
            lines = self._log.read_text("utf-8", "replace").strip().splitlines()
        except OSError:
            return "it left no word"
        return lines[-1].strip()[:500] if lines else "it left no word"


_: type[Placement] = PlacementProcess
