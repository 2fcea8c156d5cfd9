"""One slot of the process executor: a worker process that is replaced when it dies, or is worn out."""

import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor

from hpo.executors.limits import Limits
from hpo.executors.verdict import Verdict, judge
from hpo.executors.worker_process import WorkerProcess
from hpo.trial import Outcome, Trial

WORN_TRIALS = 10_000
"""Trials after which a worker is replaced: what libraries leak besides memory (files, threads) stays bounded. Starting
another one takes about as long as 400 trials that do nothing, and beside them."""

WORN_GROWTH = 512 * 2**20
"""Bytes a worker may hold more after a trial than after its first, but at least as much again as it held then; so a
worker that holds 4 GiB of data is not replaced, and loaded again, for every 512 MiB."""

LOOK = 1.0
"""Seconds between two looks at the memory of an idle worker."""


class ProcessSlot:
    """Runs one trial at a time; `make` makes a fresh worker, in `starter`, the one thread that starts processes."""

    def __init__(self, make: Callable[[], WorkerProcess], starter: ThreadPoolExecutor) -> None:
        self._make = make
        self._starter = starter
        self.lock = threading.Lock()
        self.worker: WorkerProcess | None = None
        self.trial: Trial | None = None
        self.verdict: Verdict | None = None
        self._future: Future[Outcome] = Future()
        self._submitted = 0.0
        self._kill_at = 0.0
        self._next: Future[WorkerProcess] | None = None
        self._trials = 0
        self._grown_from = 0
        self._looked = 0.0

    def start(self) -> Future[str]:
        """Starts a fresh worker in place of the old; gives what is wrong with the objective there, or an empty text."""
        self.kill()
        return self._install(self._starter.submit(self._make).result())

    def submit(self, trial: Trial) -> Future[Outcome]:
        """Runs a trial in the worker; a worker that died while it was idle is replaced first."""
        if self.worker is None or self.worker.is_dead():
            self.start()
        try:
            future = self._submit(trial)
        except BrokenExecutor:
            self.start()
            future = self._submit(trial)
        with self.lock:
            self.trial, self.verdict, self._future, self._submitted = trial, None, future, time.monotonic()
        return future

    def end(self) -> Verdict | None:
        """Takes the trial off the slot; the verdict that was passed on it, if any."""
        with self.lock:
            verdict, self.trial, self.verdict = self.verdict, None, None
        return verdict

    def look(self, limits: Limits) -> None:
        """Judges the running trial, and carries out what was decided; for the thread that watches."""
        with self.lock:
            worker, trial, now = self.worker, self.trial, time.monotonic()
            if worker is None or trial is None or self._future.done():
                return
            if self.verdict is None:
                self.verdict = judge(limits, trial, worker.state(), now=now, waited=now - self._submitted)
                if self.verdict is not None:
                    self._kill_at = now + self.verdict.grace
                    worker.send(self.verdict.signal)
            elif now >= self._kill_at:
                worker.send(signal.SIGKILL)
            if worker.is_dead():  # what it left running may hold the pipe open by which loky learns of its death
                worker.send(signal.SIGKILL)

    def refresh(self) -> None:
        """Between trials: replaces a worker that is worn out, or prepares to."""
        self._trials += 1
        if self._has_grown():
            self.start()
        elif self._trials >= WORN_TRIALS:
            self._replace_when_ready()

    def kill(self) -> None:
        """Ends the worker and all its processes at once."""
        if self._next is not None:
            self._next.result().kill()
            self._next = None
        if self.worker is not None:
            self.worker.kill()
            self.worker = None

    def _install(self, worker: WorkerProcess) -> Future[str]:
        self.worker = worker
        self._trials = self._grown_from = 0
        return worker.ready

    def _submit(self, trial: Trial) -> Future[Outcome]:
        if self.worker is None:
            raise RuntimeError("the slot has no worker")
        return self.worker.submit(trial)

    def _has_grown(self) -> bool:
        now = time.monotonic()
        if self.worker is None or now - self._looked < LOOK:
            return False
        self._looked = now
        resident = self.worker.resident()
        self._grown_from = self._grown_from or resident
        return resident - self._grown_from > max(WORN_GROWTH, self._grown_from)

    def _replace_when_ready(self) -> None:
        """Starts the next worker and changes to it once it is ready, so that no trial waits for that."""
        if self._next is None:
            self._next = self._starter.submit(self._make)
            return
        if not (self._next.done() and self._next.result().ready.done()):
            return
        worker, self._next, old = self._next.result(), None, self.worker
        if worker.ready.exception() is None and not worker.ready.result():
            self._install(worker)
        else:  # the one at work is better than one that cannot
            self._trials, old = 0, worker
        if old is not None:
            self._starter.submit(old.kill)
