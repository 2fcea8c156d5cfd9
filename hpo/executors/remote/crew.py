"""Which slot hosts are ready, what each of them runs, and which trials wait for one."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from hpo.attempt import failed
from hpo.executors.remote.driver_line import Host
from hpo.executors.remote.messages import trial_facts
from hpo.trial import Outcome, Trial

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A trial on its way through a host."""

    ticket: int
    trial: Trial


class Crew:
    """Gives each job to a host that is free; all methods may be called from any thread.

    `end` is told how a job ended, at once.
    """

    def __init__(self, end: Callable[[int, Outcome], None]) -> None:
        self._end = end
        self._lock = threading.Lock()
        self._free: list[Host] = []
        self._busy: dict[Host, Job] = {}
        self._waiting: deque[Job] = deque()
        self._known: set[Host] = set()

    @property
    def ready(self) -> int:
        """How many hosts can take jobs, or have one."""
        return len(self._known)

    def join(self, host: Host) -> bool:
        """A host is ready; False where it was before: it has one slot, and takes one job at a time."""
        with self._lock:
            if host in self._known:
                return False
            self._known.add(host)
            self._is_free(host)
            return True

    def leave(self, host: Host) -> bool:
        """A host is gone, and its job lost; whether it was ready."""
        with self._lock:
            job = self._busy.pop(host, None)
            if host in self._free:
                self._free.remove(host)
            was_ready = host in self._known
            self._known.discard(host)
        if job is not None:
            self._end(job.ticket, failed(job.trial, "lost", f"its worker on host {host.name} was lost"))
        return was_ready

    def give(self, job: Job) -> None:
        """Starts a job as soon as a host is free."""
        with self._lock:
            self._waiting.append(job)
            if self._free:
                self._is_free(self._free.pop())

    def take_back(self, ticket: int) -> None:
        """Ends a job without an outcome."""
        with self._lock:
            self._waiting = deque(job for job in self._waiting if job.ticket != ticket)
            for host, job in self._busy.items():
                if job.ticket == ticket:
                    del self._busy[host]
                    host.send("cancel", ticket=ticket)
                    self._is_free(host)
                    return

    def withdraw(self, reason: str) -> None:
        """Ends the jobs that no host has yet."""
        with self._lock:
            waiting, self._waiting = self._waiting, deque()
        for job in waiting:
            self._end(job.ticket, failed(job.trial, reason, "no host of the cluster had it yet"))

    def job_of(self, host: Host, ticket: int) -> Job | None:
        """The job of that ticket, where that host has it still."""
        job = self._busy.get(host)
        return job if job is not None and job.ticket == ticket else None

    def done(self, host: Host, job: Job, outcome: Outcome) -> None:
        """A job ended."""
        with self._lock:
            if self._busy.get(host) is not job:
                return
            del self._busy[host]
            self._is_free(host)
        self._end(job.ticket, outcome)

    def _is_free(self, host: Host) -> None:
        if not self._waiting:
            self._free.append(host)
            return
        job = self._busy[host] = self._waiting.popleft()
        host.send("trial", ticket=job.ticket, trial=trial_facts(job.trial))
