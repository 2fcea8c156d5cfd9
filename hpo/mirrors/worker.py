"""The process that sends a sweep to one server while the sweep runs, and dies with its driver.

Its first line of input says what to send where: not its arguments, for a store's URI may hold a password, and everybody
can read those. A line `end` says that the sweep has ended; where input itself ends, the driver is dead. Each line it
prints is an event.
"""

import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TextIO
from urllib.parse import urlsplit

from hpo.errors import HpoError
from hpo.executors.lifeline import Lifeline
from hpo.mirrors.sending import outbox_of
from hpo.processes.priority import step_forward
from trackers.errors import MirrorUnavailable, TrackerError
from trackers.mirroring import THREADS, Mirroring
from trackers.mlflow_asking import prepare_environment
from trackers.mlflow_mirror import MlflowServer
from trackers.opening import open_store
from trackers.outbox import Mark, Outbox, Parcel
from trackers.records import Point

PAUSE = 1.0
"""Seconds between two looks at what is new; longer where looking itself takes long."""
SHARE = 10
"""Of so many seconds one goes into looking, at most."""
NOTE_EVERY = 10.0
"""Seconds between two times that the driver is told what to note."""
LAST_NOTE_EVERY = 1.0
"""The same once the sweep has ended: the driver waits for a while only."""
LONGEST_PAUSE = 60.0
KNOCK_SECONDS = 5.0

Say = Callable[[Mapping[str, object]], None]


@dataclass(frozen=True)
class Errand:
    """What to send where, and whose child does it."""

    store: str
    mirror: str
    sweep_id: str
    name: str
    driver: int

    @property
    def text(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self)) + "\n"


def main() -> None:
    """Follows the sweep until its end; see the module."""
    errand = Errand(**json.loads(sys.stdin.readline()))
    if sys.platform == "linux":
        Lifeline(errand.driver, None).hold()
    ended = threading.Event()
    threading.Thread(target=_listen, args=(sys.stdin, ended), name="hpo-mirror-listen", daemon=True).start()
    say = _sayer()
    prepare_environment()
    try:
        follow(errand, ended, say)
    except Exception as error:  # nobody else would ever hear of it
        say({"event": "failing", "text": f"{type(error).__name__}: {error}"})
        sys.exit(1)


def follow(errand: Errand, ended: threading.Event, say: Say) -> None:
    """Sends what is new until the sweep has ended, then the rest; once more only where that fails."""
    patience = _Patience(ended)

    def note_every() -> float:
        return LAST_NOTE_EVERY if ended.is_set() else NOTE_EVERY

    def threads() -> int:
        return THREADS if ended.is_set() else 1

    while True:
        try:
            knock(errand.mirror)
            with open_store(errand.store, read_only=True) as store:
                outbox = SayingOutbox(outbox_of(store), say)
                server = MlflowServer(errand.mirror)
                mirroring = Mirroring(
                    outbox, store.registry, server, errand.sweep_id, note_every=note_every, threads=threads
                )
                _follow(mirroring, patience, say)
                return
        except (TrackerError, HpoError) as error:
            say({"event": "failing", "text": str(error)})
            if ended.is_set():
                return
            patience.wait_longer()


class SayingOutbox:
    """The store's outbox, but marks are told to the driver, which notes them.

    So this process, which gets little time, never holds the store while the driver waits for it.
    """

    def __init__(self, outbox: Outbox, say: Say) -> None:
        self._outbox = outbox
        self._say = say
        self._told: dict[tuple[str, str, str], Mark] = {}

    def sweep(self, sweep_id: str) -> Parcel:
        """See `Outbox`."""
        return self._outbox.sweep(sweep_id)

    def trials(self, sweep_id: str, first: int, limit: int) -> Sequence[Parcel]:
        """See `Outbox`."""
        return self._outbox.trials(sweep_id, first, limit)

    def again(self, trial_ids: Sequence[str]) -> Sequence[Parcel]:
        """See `Outbox`."""
        return self._outbox.again(trial_ids)

    def points(self, run_id: str) -> Iterator[Sequence[Point]]:
        """See `Outbox`."""
        return self._outbox.points(run_id)

    def marks(self, mirror: str, kind: str, keys: Sequence[str]) -> Mapping[str, Mark]:
        """See `Outbox`."""
        found = dict(self._outbox.marks(mirror, kind, keys))
        return found | {key: mark for key in keys if (mark := self._told.get((mirror, kind, key)))}

    def note(self, mirror: str, marks: Sequence[Mark]) -> None:
        """See `Outbox`."""
        self._told |= {(mirror, mark.kind, mark.key): mark for mark in marks}
        if marks:
            self._say({"event": "marks", "marks": [[*asdict(mark).values()] for mark in marks]})


def knock(mirror: str) -> None:
    """MirrorUnavailable where nobody listens: found out before MLflow is imported, which takes seconds."""
    from urllib.request import getproxies, proxy_bypass  # the driver imports this module too, and needs none of it

    parts = urlsplit(mirror)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if getproxies().get(parts.scheme) and not proxy_bypass(host):
        return
    try:
        socket.create_connection((host, port), KNOCK_SECONDS).close()
    except OSError as error:
        raise MirrorUnavailable(f"{mirror} cannot be reached: {error.strerror or error}") from error


def _follow(mirroring: Mirroring, patience: "_Patience", say: Say) -> None:
    while True:
        is_last = patience.ended.is_set()
        try:
            if is_last:
                mirroring.send_all()
            else:
                mirroring.send_new()
        except MirrorUnavailable as error:
            mirroring.flush()
            say({"event": "failing", "text": str(error)})
            if is_last:
                return
            patience.wait_longer()
            continue
        sent = mirroring.sent
        say({"event": "done" if is_last else "sent", "runs": sent.runs, "versions": sent.versions,
             "refused": sent.refused})  # fmt: skip
        if is_last:
            return
        patience.wait(max(PAUSE, SHARE * mirroring.looked))


class _Patience:
    """Waits, longer after each failure, until the sweep has ended."""

    def __init__(self, ended: threading.Event) -> None:
        self.ended = ended
        self._next = PAUSE

    def wait(self, seconds: float) -> None:
        self._next = PAUSE
        self.ended.wait(seconds)

    def wait_longer(self) -> None:
        self.ended.wait(self._next)
        self._next = min(self._next * 2, LONGEST_PAUSE)


def _listen(source: TextIO, ended: threading.Event) -> None:
    for line in source:
        if line.strip() == "end":
            step_forward()  # from now on somebody waits for it
            ended.set()
    os._exit(1)  # the driver is dead: what was sent and not noted is found again by its tag


def _sayer() -> Say:
    """Prints events; what libraries print goes nowhere."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)

    def say(event: Mapping[str, object]) -> None:
        print(json.dumps(event), file=events, flush=True)

    return say


_: type[Outbox] = SayingOutbox
