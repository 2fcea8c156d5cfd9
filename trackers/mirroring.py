"""Brings a mirror up to date with a sweep: what is pending is sent, what was sent is noted."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from trackers.errors import MirrorRefused, MirrorUnavailable
from trackers.failpoints import reach
from trackers.mirror_sender import RunSender
from trackers.mirror_versions import VersionSender, pending_versions
from trackers.mirror_view import RUN_TAG
from trackers.mlflow_mirror import MlflowServer, RemoteRun
from trackers.outbox import RUN, Mark, Outbox, Parcel
from trackers.records import Status
from trackers.registry import Registry
from trackers.rows import PARENT_TAG

log = logging.getLogger(__name__)

SAY_EVERY = 500
PAGE = 200
"""Runs held in memory at a time."""


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
    Marks are noted once in `note_every` seconds, and by `flush`.
    """

    def __init__(
        self,
        outbox: Outbox,
        registry: Registry,
        server: MlflowServer,
        sweep_id: str,
        *,
        note_every: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self._outbox = outbox
        self._registry = registry
        self._server = server
        self._sweep_id = sweep_id
        self._note_every = note_every
        self._noted_at = time.monotonic()
        self._own_marks: dict[tuple[str, str], Mark] = {}
        self._unnoted: dict[tuple[str, str], Mark] = {}
        self._sender = RunSender(server, outbox, self._mark, self._note)
        self._parent: str | None = None
        self._listed: dict[str, str] | None = None
        self._is_forgotten = False
        self._may_be_doubled = False
        self._first = 0
        self.sent = Sent()
        self.looked = 0.0
        """Seconds that the last look at what is new took in the store."""

    def send_new(self) -> None:
        """Sends what ended or began since the last call; models wait until it is known which are kept."""
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
        """Sends everything that is pending, the parent's end last; then registered versions."""
        parent = self._send_parent()
        is_running = parent.run.status is Status.RUNNING
        for parcels in self._trials(0):
            self._send_all(parcels, models=not is_running)
        self._send_parent(whole=True)
        self.flush()
        self._versions()
        if self._may_be_doubled:
            self._remove_doubles()
        self.flush()

    def flush(self) -> None:
        """Notes what was sent."""
        self._outbox.note(self._server.uri, list(self._unnoted.values()))
        self._unnoted.clear()
        self._noted_at = time.monotonic()

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
        finished there is known to have all its trials."""
        parcel = self._outbox.sweep(self._sweep_id)
        if self._parent is None:
            self._parent = self._find_parent(parcel)
        if whole:
            self._send_all([parcel], models=True)
        return parcel

    def _find_parent(self, parcel: Parcel) -> str:
        """The remote parent, made if missing. Where it is gone the server has lost all, and marks mean nothing."""
        mark = self._mark(RUN, self._sweep_id)
        known = self._server.get_run(mark.remote) if mark else None
        self._is_forgotten = mark is not None and known is None
        experiment_id = self._server.experiment(parcel.run.experiment)
        if known is None:
            found = list(self._server.find_runs(experiment_id, RUN_TAG, self._sweep_id))
            known = next((run for run in found if not run.is_deleted), found[0] if found else None)
        if known is None:
            known = self._create(experiment_id, parcel)
            self._listed = {}
        if mark is None or mark.remote != known.id:
            self._note(Mark(RUN, self._sweep_id, known.id, ""))
        return known.id

    def _send_all(self, parcels: Sequence[Parcel], *, models: bool) -> None:
        marks = self._outbox.marks(self._server.uri, RUN, [parcel.run.id for parcel in parcels])
        for parcel in parcels:
            key = parcel.run.id
            mark = self._own_marks.get((RUN, key), None if self._is_forgotten else marks.get(key))
            if not parcel.is_sent(mark, models=models):
                began = time.monotonic()
                self._send(parcel, mark, models=models)
                self.sent.seconds += time.monotonic() - began
                self._flush_if_due()
                if self.sent.runs % SAY_EVERY == 0:
                    log.info("%d runs sent to %s", self.sent.runs, self._server.uri)

    def _send(self, parcel: Parcel, mark: Mark | None, *, models: bool) -> None:
        parent = self._parent if parcel.run.id != self._sweep_id else None
        experiment_id = self._server.experiment(parcel.run.experiment)
        known = self._known(parcel, mark, experiment_id)
        is_new = known is None
        if known is None:
            known = self._create(experiment_id, parcel)
        has_data = mark is not None and parcel.is_sent(mark, models=False)
        try:
            if not has_data or is_new:
                self._sender.send(parcel, known, parent)
            if models and (parcel.run.models or known.models):
                self._sender.send_models(experiment_id, parcel, known, is_new=is_new)
        except MirrorRefused as error:
            self.sent.refused[parcel.run.name] = str(error)
            self._note(Mark(RUN, parcel.run.id, known.id, ""))
            return
        self.sent.refused.pop(parcel.run.name, None)
        reach("mirror.before_note")
        sent = parcel.digest if models or not parcel.run.models else parcel.data_digest
        self._note(Mark(RUN, parcel.run.id, known.id, sent))
        self.sent.runs += 1

    def _known(self, parcel: Parcel, mark: Mark | None, experiment_id: str) -> RemoteRun | None:
        """The remote run, by our mark or by its tag; None where the server has none."""
        known = self._server.get_run(mark.remote) if mark else None
        if known is None and parcel.run.id != self._sweep_id:
            remote = self._children(experiment_id).get(parcel.run.id)
            known = self._server.get_run(remote) if remote else None
        return known

    def _children(self, experiment_id: str) -> dict[str, str]:
        """The remote runs below the remote parent that this session did not make itself, by our ids."""
        if self._listed is None:
            active: dict[str, str] = {}
            deleted: dict[str, str] = {}
            for run in self._server.find_runs(experiment_id, PARENT_TAG, self._parent or ""):
                (deleted if run.is_deleted else active).setdefault(run.tags.get(RUN_TAG, ""), run.id)
            self._listed, self._may_be_doubled = {**deleted, **active}, True
        return self._listed

    def _create(self, experiment_id: str, parcel: Parcel) -> RemoteRun:
        parent = self._parent if parcel.run.id != self._sweep_id else None
        try:
            made = self._sender.create(experiment_id, parcel, parent)
        except MirrorUnavailable:  # it may have been made all the same, or be made in a moment
            self._listed, self._may_be_doubled = None, True
            raise
        self._note(Mark(RUN, parcel.run.id, made.id, ""))  # what follows may fail, and must find it again
        return made

    def _remove_doubles(self) -> None:
        """Deletes what was made twice because an answer was lost or late: that run is empty."""
        parcel = self._outbox.sweep(self._sweep_id)
        experiment_id = self._server.experiment(parcel.run.experiment)
        seen: dict[str, list[str]] = {}
        for run in self._server.find_runs(experiment_id, PARENT_TAG, self._parent or ""):
            if not run.is_deleted and run.tags.get(RUN_TAG):
                seen.setdefault(run.tags[RUN_TAG], []).append(run.id)
        for run in self._server.find_runs(experiment_id, RUN_TAG, self._sweep_id):
            if not run.is_deleted:
                seen.setdefault(self._sweep_id, []).append(run.id)
        doubled = [run_id for run_id, remotes in seen.items() if len(remotes) > 1]
        for run_id in doubled:
            mark = self._mark(RUN, run_id)
            for remote in seen[run_id]:
                if mark and remote != mark.remote:
                    self._server.delete_run(remote)
        self._may_be_doubled = False

    def _versions(self) -> None:
        sender = VersionSender(self._server.registry, self._outbox, self._registry, self._server.uri, self._note)
        sender.send(self._sweep_id, self.sent.versions, self.sent.refused, again=self._is_forgotten)

    def _mark(self, kind: str, key: str) -> Mark | None:
        own = self._own_marks.get((kind, key))
        return own or self._outbox.marks(self._server.uri, kind, [key]).get(key)

    def _note(self, mark: Mark) -> None:
        self._own_marks[mark.kind, mark.key] = self._unnoted[mark.kind, mark.key] = mark

    def _flush_if_due(self) -> None:
        if time.monotonic() - self._noted_at >= self._note_every():
            self.flush()


def _number(parcel: Parcel) -> int:
    return parcel.run.trial.number if parcel.run.trial else 0


def _pages(outbox: Outbox, sweep_id: str) -> Iterator[Sequence[Parcel]]:
    yield [outbox.sweep(sweep_id)]
    first = 0
    while parcels := outbox.trials(sweep_id, first, PAGE):
        yield parcels
        first = _number(parcels[-1]) + 1
