"""Mirrors a sweep while it runs: one child process for each server, so that none of them can slow the driver."""

import contextlib
import importlib.util
import json
import logging
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hpo.errors import ConfigError, SweepOwned
from hpo.interruption import Interruption
from hpo.masking import hide_patterns
from hpo.mirrors.__main__ import NICE_VARIABLE
from hpo.mirrors.sending import only_sender, outbox_of, standing_of
from hpo.mirrors.worker import Errand
from hpo.places import default_store
from trackers.errors import StoreUnavailable
from trackers.opening import Store
from trackers.outbox import Mark
from trackers.records import Run

log = logging.getLogger(__name__)

WAIT = "HPO_MIRROR_WAIT"
WAIT_SECONDS = 10.0
"""Seconds that a driver waits at its end for what is not yet sent; `$HPO_MIRROR_WAIT` overrides it."""
FAILING_SECONDS = 2.0
"""The same where the server did not answer last time."""
QUIET_SECONDS = 1.0
"""So long it waits without a word."""
TICK = 0.05


def check_mirrors(mirrors: Sequence[str], store: str) -> None:
    """ConfigError, before anything is run, where nothing could ever be sent."""
    if not mirrors:
        return
    if importlib.util.find_spec("mlflow") is None:
        raise ConfigError('a mirror needs MLflow\'s client, which is not installed: pip install "tracked-hpo[mlflow]"')
    if store.startswith("memory:"):
        raise ConfigError(f"{store} is gone with its process, so nothing of it can be mirrored to {mirrors[0]}")


@contextlib.contextmanager
def mirrored(
    store: Store,
    parent: Run,
    mirrors: Sequence[str],
    interruption: Interruption,
    environment: Mapping[str, str],
    *,
    is_waited_for: bool = False,
) -> Iterator[None]:
    """Sends the sweep to its mirrors while the block runs, and for a moment after it; says what is left to send.

    Nothing that happens to a server, or to these processes, reaches the block. `is_waited_for`: no trials run that the
    sending could slow.
    """
    with contextlib.ExitStack() as claims:
        processes: list[MirrorProcess] = []
        try:
            for mirror in mirrors:
                if _is_ours(store, parent, mirror, claims):
                    processes.append(MirrorProcess(store, parent, mirror, nice=0 if is_waited_for else None))
            yield
            deadline = time.monotonic() + _wait_seconds(environment)
            for process in processes:
                process.ask_to_end()
            for process in processes:
                process.finish(deadline, interruption)
        finally:
            for process in processes:
                process.kill()
    for process in processes:
        _report(process, store, parent, environment)


def _is_ours(store: Store, parent: Run, mirror: str, claims: contextlib.ExitStack) -> bool:
    """Whether this driver is the one to send there; it is until `claims` is closed."""
    try:
        claims.enter_context(only_sender(store, mirror, parent.id, parent.name))
    except (SweepOwned, StoreUnavailable) as error:
        log.warning("mirror: %s", error)
        return False
    return True


class MirrorProcess:
    """One server's process, and what it said."""

    def __init__(self, store: Store, parent: Run, mirror: str, *, nice: int | None = None) -> None:
        self.mirror = mirror
        self.failing = ""
        self.done: Mapping[str, object] | None = None
        self._outbox = outbox_of(store)
        self._unnoted: list[Mark] = []
        packages = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), packages]))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "hpo.mirrors"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path, **({} if nice is None else {NICE_VARIABLE: str(nice)})},
            start_new_session=True,  # a Ctrl-C is the driver's affair
            text=True,
        )
        errand = Errand(store.uri, mirror, parent.id, parent.name, os.getpid())
        self._tell(errand.text)
        self._listener = threading.Thread(target=self._listen, name="hpo-mirror", daemon=True)
        self._listener.start()

    @property
    def has_sent_all(self) -> bool:
        """Whether it said so at its end, and the store knows."""
        return self.done is not None and not self.done.get("refused") and not self._unnoted

    def ask_to_end(self) -> None:
        """Lets it send the rest and end."""
        self._tell("end\n")

    def finish(self, deadline: float, interruption: Interruption) -> None:
        """Waits for its end, not at all where the sweep was interrupted, and not for long where its server is dead."""
        began, said = time.monotonic(), False
        while self._process.poll() is None and time.monotonic() < deadline and not interruption.asked:
            waited = time.monotonic() - began
            if self.failing and waited > FAILING_SECONDS:
                return
            if waited > QUIET_SECONDS and not said:
                said = True
                log.info("sending the rest to %s, for %.0f s at most", self.mirror, deadline - time.monotonic())
            time.sleep(TICK)

    def kill(self) -> None:
        """Ends it at once; safe to call twice."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        self._note([])
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _tell(self, line: str) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):  # it is dead; what is pending is said at the end
                self._process.stdin.write(line)
                self._process.stdin.flush()

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            with contextlib.suppress(ValueError):
                self._take(json.loads(line))

    def _take(self, event: Mapping[str, object]) -> None:
        if event.get("event") == "failing":
            text = hide_patterns(str(event.get("text")))
            if not self.failing:
                log.warning("mirror: %s; the sweep goes on, and what is pending is sent later", text)
            self.failing = text
            return
        if event.get("event") == "marks":
            marks = event.get("marks")
            self._note([Mark(*mark) for mark in marks] if isinstance(marks, list) else [])
            return
        if self.failing:
            log.info("mirror: %s takes what it is sent again", self.mirror)
        self.failing = ""
        if event.get("event") == "done":
            self.done = event

    def _note(self, marks: Sequence[Mark]) -> None:
        """Notes what was sent; where the store is in trouble, with the next ones, or never: then it is found again."""
        self._unnoted += marks
        with contextlib.suppress(StoreUnavailable):
            self._outbox.note(self.mirror, self._unnoted)
            self._unnoted = []


def _report(process: MirrorProcess, store: Store, parent: Run, environment: Mapping[str, str]) -> None:
    left = 0 if process.has_sent_all else 1
    with contextlib.suppress(StoreUnavailable):
        left = left and standing_of(store, process.mirror, parent.id).pending  # which reads the whole sweep
    if not left:
        log.info("sent to %s", process.mirror)
        return
    refused = process.done.get("refused") if process.done else None
    if isinstance(refused, dict) and refused:
        name, why = next(iter(refused.items()))
        log.warning("mirror: %d not taken, %s for one: %s", len(refused), name, hide_patterns(str(why)))
    _say_pending(store, parent, left, environment)


def say_pending(store: Store, mirror: str, parent: Run, environment: Mapping[str, str]) -> None:
    """Says how much of a sweep a mirror lacks, if it lacks anything, and how to send it; no word while nobody knows."""
    with contextlib.suppress(StoreUnavailable):
        if left := standing_of(store, mirror, parent.id).pending:
            _say_pending(store, parent, left, environment)


def _say_pending(store: Store, parent: Run, left: int, environment: Mapping[str, str]) -> None:
    option = "" if store.uri == default_store(environment) else f" --tracker {shlex.quote(hide_patterns(store.uri))}"
    name = parent.name if parent.deleted is None else parent.id
    log.warning("mlflow sync pending: %d; send it with: hpo mirror %s%s", left, shlex.quote(name), option)


def _wait_seconds(environment: Mapping[str, str]) -> float:
    try:
        return max(float(environment.get(WAIT, "") or WAIT_SECONDS), 0.0)
    except ValueError:
        return WAIT_SECONDS
