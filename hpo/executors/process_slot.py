"""One slot of the process executor: a worker process that is replaced when it dies."""

import time
from collections.abc import Mapping
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from pathlib import Path

from joblib.externals.loky import ProcessPoolExecutor

from hpo.executors import worker
from hpo.trial import Outcome, Trial


class ProcessSlot:
    """A pool of exactly one worker, so that a worker that dies takes nobody else's trial along.

    `starter` is the one thread that starts processes: they die with the thread that started them.
    """

    def __init__(self, setup: worker.Setup, *, environment: Mapping[str, str], starter: ThreadPoolExecutor) -> None:
        self._setup = setup
        self._environment = dict(environment)
        self._starter = starter
        self._pool: ProcessPoolExecutor | None = None
        self._last: Future[Outcome] | Future[str] = Future()

    @property
    def output(self) -> Path:
        """The file that receives what the worker prints."""
        return self._setup.output

    def start(self) -> Future[str]:
        """Starts a fresh worker in place of the old; gives what is wrong with the objective there, or an empty text."""
        return self._starter.submit(self._start).result()

    def submit(self, trial: Trial) -> Future[Outcome]:
        """Runs a trial in the worker; a worker that died while it was idle is replaced first."""
        if self._pool is not None:
            try:
                future: Future[Outcome] = self._pool.submit(worker.run, trial)
                self._last = future
                return future
            except BrokenExecutor:
                pass
        self.start()
        return self.submit(trial)

    def kill(self) -> None:
        """Ends the worker and its child processes at once."""
        if self._pool is not None:
            # loky's manager thread fails on work that it has not yet put into the worker's queue when told to kill
            while not (self._last.running() or self._last.done()):
                time.sleep(0.001)
            self._pool.shutdown(wait=True, kill_workers=True)
            self._pool = None

    def _start(self) -> Future[str]:
        self.kill()
        self._pool = ProcessPoolExecutor(
            max_workers=1, initializer=worker.set_up, initargs=(self._setup,), env=self._environment
        )
        ready: Future[str] = self._pool.submit(worker.get_ready)
        self._last = ready
        return ready
