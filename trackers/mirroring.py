"""Brings a mirror up to date with a sweep: what is pending is sent, what was sent is noted."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from trackers.errors import MirrorRefused
from trackers.failpoints import reach
from trackers.mirror_known import RemoteRuns
from trackers.mirror_marks import Marks
from trackers.mirror_sender import RunSender
from trackers.mirror_versions import VersionSender, pending_versions
from trackers.mlflow_mirror import MlflowServer
from trackers.outbox import RUN, Mark, Outbox, Parcel
from trackers.records import Status
from trackers.registry import Registry
from trackers.side_by_side import each

log = logging.getLogger(__name__)

SAY_EVERY = 500
PAGE = 200
"""Runs held in memory at a time."""
THREADS = 4
"""Runs sent at a time where nobody needs the processor: a server takes about as many requests at once."""
TOGETHER = 32
"""Runs after which it is asked again how many to send at a time."""


@dataclass
class Sent:
    """What was sent so far, and what the server did not take."""

    runs: int = 0
    versions: list[str] = field(default_factory=list)
    seconds: float = 0.0
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """How much of a sweep a mirror has as it is, and how much it has not: runs, versions and aliases."""

    sent: int
    pending: int


def standing(outbox: Outbox, registry: Registry, mirror: str, sweep_id: str) -> Standing:
    """What a mirror has of a sweep, as far as this store knows; the mirror is not asked."""
    runs = unsent = 0
    for parcels in _pages(outbox, sweep_id):
        marks = outbox.marks(mirror, RUN, [parcel.run.id for parcel in parcels])
        runs += len(parcels)
        unsent += sum(not parcel.is_sent(marks.get(parcel.run.id), models=True) for parcel in parcels)
    versions = len(pending_versions(outbox, registry, mirror, sweep_id))
    return Standing(runs - unsent, unsent + versions)


class Mirroring:
    """One sweep and one server. Remote runs are found again by their tag, so being killed anywhere does no harm.

    Nobody else may send the same sweep to the same server meanwhile: two that look at once find nothing both.
    Marks are noted once in `note_every` seconds, and by `flush`. As many runs are sent at a time as `threads` says,
    which is asked now and then.
    """

    def __init__(
        self,
        outbox: Outbox,
        registry: Registry,
        server: MlflowServer,
        sweep_id: str,
        *,
        note_every: Callable[[], float] = lambda: 1.0,
        threads: Callable[[], int] = lambda: THREADS,
    ) -> None:
        self._outbox = outbox
        self._registry = registry
        self._server = server
        self._sweep_id = sweep_id
        self._threads = threads
        self._marks = Marks(outbox, server.uri, note_every)
        self._sender = RunSender(server, outbox, self._marks.get, self._marks.set)
        self._remote = RemoteRuns(server, self._sender, self._marks, sweep_id)
        self._parent: str | None = None
        self._is_forgotten = False
        self._first = 0
        self._lock = threading.Lock()
        self.sent = Sent()
        self.looked = 0.0
        """Seconds that the last look at what is new took in the store."""

    def send_new(self) -> None:
        """Sends what ended or began since the last call; models wait until it is known which are kept, and re-runs
        until the end."""
        self._send_parent()
        self.looked = 0.0
        first: int | None = None
        for parcels in self._trials(self._first):
            self._send_all(parcels, models=False)
            still = [parcel for parcel in parcels if parcel.run.status in (Status.RUNNING, Status.SCHEDULED)]
            first = _number(still[0]) if first is None and still else first
            self._first = _number(parcels[-1]) + 1 if first is None else first
        self._send_parent(whole=True)

    def send_all(self) -> None:
        """Sends everything that is pending, the parent's end last; then registered versions.

        What can be sent of those at once is sent first: where an alias points may matter more than a thousand runs.
        """
        parent = self._send_parent()
        self._versions()
        self.flush()
        models = parent.run.status is not Status.RUNNING
        for parcels in self._trials(0):
            self._send_all(parcels, models=models)
            self._send_all(_again(self._outbox, parcels), models=models)
        self._send_parent(whole=True)
        self.flush()
        self._versions()
        self._remote.remove_doubles(self._server.experiment(parent.run.experiment))
        self.flush()

    def flush(self) -> None:
        """Notes what was sent."""
        self._marks.flush()

    def _trials(self, first: int) -> Iterator[Sequence[Parcel]]:
        while True:
            began = time.monotonic()
            parcels = self._outbox.trials(self._sweep_id, first, PAGE)
            self.looked += time.monotonic() - began
            if not parcels:
                return
            yield parcels
            first = _number(parcels[-1]) + 1

    def _send_parent(self, *, whole: bool = False) -> Parcel:
        """Sees to it that there is a remote parent. `whole` sends how it stands too: last, so that one that is
        finished there is known to have all its trials. Where it is gone the server has lost all, and marks mean
        nothing."""
        parcel = self._outbox.sweep(self._sweep_id)
        if self._parent is None:
            known, self._is_forgotten = self._remote.find_sweep(parcel)
            self._parent = known.id
        if whole:
            self._send_all([parcel], models=True)
        return parcel

    def _send_all(self, parcels: Sequence[Parcel], *, models: bool) -> None:
        marks = self._marks.of(RUN, [parcel.run.id for parcel in parcels], only_own=self._is_forgotten)
        pending = [parcel for parcel in parcels if not parcel.is_sent(marks.get(parcel.run.id), models=models)]

        def send(parcel: Parcel) -> None:
            self._send(parcel, marks.get(parcel.run.id), models=models)
            self._marks.flush_if_due()

        began = time.monotonic()
        try:
            for start in range(0, len(pending), TOGETHER):
                each(pending[start : start + TOGETHER], send, self._threads())
        finally:
            self.sent.seconds += time.monotonic() - began

    def _send(self, parcel: Parcel, mark: Mark | None, *, models: bool) -> None:
        parent = self._parent_of(parcel)
        experiment_id = self._server.experiment(parcel.run.experiment)
        known = self._remote.find(parcel, mark, experiment_id, parent)
        is_new = known is None
        if known is None:
            known = self._remote.create(experiment_id, parcel, parent)
        has_data = mark is not None and parcel.is_sent(mark, models=False)
        try:
            if not has_data or is_new:
                self._sender.send(parcel, known, parent)
            if models and (parcel.run.models or known.models):
                self._sender.send_models(experiment_id, parcel, known, is_new=is_new)
        except MirrorRefused as error:
            self.sent.refused[parcel.run.name] = str(error)
            self._marks.set(Mark(RUN, parcel.run.id, known.id, ""))
            return
        self.sent.refused.pop(parcel.run.name, None)
        reach("mirror.before_note")
        sent = parcel.digest if models or not parcel.run.models else parcel.data_digest
        self._marks.set(Mark(RUN, parcel.run.id, known.id, sent))
        self._count()

    def _parent_of(self, parcel: Parcel) -> str | None:
        """The remote run that this one is to be below."""
        run = parcel.run
        if run.id == self._sweep_id:
            return None
        if run.parent_id in (None, self._sweep_id):
            return self._parent
        own = (
            self._marks.own(RUN, str(run.parent_id)) if self._is_forgotten else self._marks.get(RUN, str(run.parent_id))
        )
        return own.remote if own else self._parent

    def _count(self) -> None:
        with self._lock:
            self.sent.runs += 1
            runs = self.sent.runs
        if runs % SAY_EVERY == 0:
            log.info("%d runs sent to %s", runs, self._server.uri)

    def _versions(self) -> None:
        sender = VersionSender(self._server.registry, self._outbox, self._registry, self._server.uri, self._marks.set)
        sender.send(self._sweep_id, self.sent.versions, self.sent.refused, again=self._is_forgotten)


def _number(parcel: Parcel) -> int:
    return parcel.run.trial.number if parcel.run.trial else 0


def _pages(outbox: Outbox, sweep_id: str) -> Iterator[Sequence[Parcel]]:
    yield [outbox.sweep(sweep_id)]
    first = 0
    while parcels := outbox.trials(sweep_id, first, PAGE):
        yield parcels
        yield _again(outbox, parcels)
        first = _number(parcels[-1]) + 1


def _again(outbox: Outbox, parcels: Sequence[Parcel]) -> Sequence[Parcel]:
    """The re-runs of these trials."""
    return outbox.again([parcel.run.id for parcel in parcels])
