"""One worker process: a loky pool of exactly one, the files it writes, and all that its trials start."""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass

import psutil
from joblib.externals.loky import ProcessPoolExecutor

from hpo.executors import worker
from hpo.executors.question_line import DriverEnd
from hpo.executors.slot_state import StateReader, WorkerState
from hpo.processes import slot_processes
from hpo.trial import Outcome, Trial


@dataclass(frozen=True)
class Start:
    """How to start a worker; `mark` is in the environment of all its processes and of no other.

    `modules` are imported while it waits for its work.
    """

    setup: worker.Setup
    environment: Mapping[str, str]
    mark: str
    modules: Sequence[str] = ()


class WorkerProcess:
    """Runs one trial at a time until it dies or is killed; it is not replaced.

    Make it in a thread that lives as long as the driver: it dies with the thread that started it. `line` is the one
    over which its trials ask.
    """

    def __init__(self, start: Start, line: DriverEnd | None = None) -> None:
        self._start = start
        self._line = line
        self._state = StateReader(start.setup.state)
        self._pool: ProcessPoolExecutor | None = None
        with line.handed_over() if line else nullcontext() as worker_end:
            self._pool = ProcessPoolExecutor(
                max_workers=1,
                initializer=worker.set_up,
                initargs=(start.setup, worker_end),
                env={**start.environment, **slot_processes.marked(start.mark)},
            )
            self._last: Future[Outcome] | Future[str] | Future[None] = self._pool.submit(
                worker.warm_up, start.modules
            )  # this starts the process
        self.ready: Future[str] = Future()  # until `get_ready`
        self._last_state = WorkerState()
        self.setup = start.setup

    def get_ready(self, pickled: bytes, search_path: Sequence[str], environment: Mapping[str, str]) -> None:
        """Gives it its work, a pickled Work, and what it needs of its driver's environment beside what it began with.

        `ready` says what is wrong with that, if anything.

        BrokenExecutor where the process is known to be dead.
        """
        if self._pool is None:
            raise RuntimeError("the worker was killed")
        self._last = self.ready = self._pool.submit(worker.get_ready, pickled, search_path, environment)

    def submit(self, trial: Trial) -> Future[Outcome]:
        """Runs a trial; BrokenExecutor where the process is known to be dead."""
        if self._pool is None:
            raise RuntimeError("the worker was killed")
        future: Future[Outcome] = self._pool.submit(worker.run, trial)
        self._last = future
        return future

    def state(self) -> WorkerState:
        """What it is doing, or was when it died."""
        return self._last_state if self._pool is None else self._state.read()

    def is_dead(self) -> bool:
        """Whether the process has ended; loky knows it later, or never while a child holds its pipes open."""
        pid = self.state().pid
        if pid == 0:  # not even set up
            return False
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return not slot_processes.is_alive(pid)
        try:
            return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    def resident(self) -> int:
        """Bytes of physical memory of the process alone; 0 where it is gone."""
        try:
            return int(psutil.Process(self.state().pid).memory_info().rss)
        except psutil.Error:
            return 0

    def send(self, number: int) -> None:
        """Sends a signal to all its processes; with SIGKILL they are gone on return."""
        if number == signal.SIGKILL:
            slot_processes.end_all(self._start.mark, self._session())
        else:
            slot_processes.send(number, self._start.mark, self._session())

    def kill(self) -> None:
        """Ends it, its children and theirs at once, and removes its files; safe to call twice."""
        if self._pool is None:
            return
        self.send(signal.SIGKILL)
        # loky's manager thread fails on work that it has not yet put into the worker's queue when told to kill
        while not (self._last.running() or self._last.done()):
            time.sleep(0.001)
        self._pool.shutdown(wait=True, kill_workers=True)
        self._last_state, self._pool = self.state(), None
        self._state.close()
        if self._line is not None:
            self._line.close()
        for path in (self.setup.output, self.setup.state):
            path.unlink(missing_ok=True)

    def _session(self) -> int:
        """The session the worker leads; 0 once it is dead, since the number may then belong to somebody else."""
        return 0 if self.is_dead() else self.state().pid
