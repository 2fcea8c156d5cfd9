"""The process that offers a driver one slot on some machine; `pilot.py` starts it and tells it where the driver is."""

import json
import os
import pickle
import shutil
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TextIO

from hpo.attempt import failed
from hpo.errors import HpoError, ObjectiveError
from hpo.executors.devices import Share, as_found
from hpo.executors.limits import Limits
from hpo.executors.process_executor import ProcessExecutor
from hpo.executors.remote.carried import arrived
from hpo.executors.remote.code_bundle import unpack
from hpo.executors.remote.frames import BadFrame
from hpo.executors.remote.handshake import Identity
from hpo.executors.remote.host_end import Errand, HostEnd, Unreachable, connect
from hpo.executors.remote.messages import Message, number_in, question_facts, trial_from
from hpo.executors.remote.seen import sees
from hpo.executors.work import Work
from hpo.failure_text import failure_line
from hpo.scratch import new_scratch
from hpo.trial import Outcome, Question, Trial

OVER, REFUSED, UNREACHABLE, LINE_LOST = 0, 3, 4, 5
"""Exit codes; `pilot.py` goes by them."""

POLL = 0.05
"""Seconds after which a host with a running trial looks for messages."""

REPORT_LIMIT = 10_000
"""Characters of the last words for the pilot, which fit into a pipe whether it reads them or not."""

LAST_SECONDS = 5.0
"""Seconds to clean up in when the driver or the pilot is gone; then this process kills itself."""

HOST_TAG = "hpo.host"
"""On trials that ran on another machine than their driver: where that was."""

_REMEDY = "\nWhat a host lacks has to be put there: packages installed, data files at the same path (docs/clusters.md)."


class _Gone(Exception):
    """The driver or the pilot went away."""


class _Over(Exception):
    """The driver has no more use for this host."""


class _Cancelled(Exception):
    """The trial that waits for a reply is to be ended."""


class SlotHost:
    """Runs the trials that come over the line, one at a time, in a worker process."""

    def __init__(self, line: HostEnd, inbox: "SimpleQueue[Message | None]") -> None:
        self._line = line
        self._inbox = inbox
        self._ticket: int | None = None
        self._trial = Trial(-1, {}, 0)

    def serve(self, executor: ProcessExecutor, tags: dict[str, str]) -> None:
        """Until the driver says that it is over, or is gone: raises _Over or _Gone."""
        while True:
            if self._ticket is None:
                self._carry_out(executor, self._next(None))
                continue
            with suppress(Empty):
                self._carry_out(executor, self._next(0))
                continue
            try:
                outcomes = executor.wait(POLL, self._ask)
            except _Cancelled:
                self._cancel(executor)
                continue
            for outcome in outcomes:
                self._tell(replace(outcome, tags={**tags, **outcome.tags}) if tags else outcome)

    def _carry_out(self, executor: ProcessExecutor, message: Message) -> None:
        match message["say"]:
            case "trial":
                self._ticket, self._trial = number_in(message, "ticket"), trial_from(message["trial"])
                executor.submit(self._trial)
            case "cancel" if message.get("ticket") == self._ticket:
                self._cancel(executor)

    def _cancel(self, executor: ProcessExecutor) -> None:
        self._ticket = None
        executor.cancel(self._trial)

    def _tell(self, outcome: Outcome) -> None:
        ticket, self._ticket = self._ticket, None
        try:
            self._line.send("outcome", ticket=ticket, outcome=asdict(outcome))
        except (BadFrame, ValueError, TypeError) as error:
            outcome = failed(
                self._trial, "no_result", f"its result cannot be sent to the driver: {failure_line(error)}"
            )
            self._line.send("outcome", ticket=ticket, outcome=asdict(outcome))

    def _ask(self, question: Question) -> bool:
        """Hands a question on; what comes meanwhile is the reply, or makes it needless."""
        self._line.send("question", ticket=self._ticket, reports=question_facts(question))
        while True:
            message = self._next(None)
            if message.get("ticket") != self._ticket:
                continue
            if message["say"] == "reply":
                return message.get("stop") is True
            if message["say"] == "cancel":
                raise _Cancelled

    def _next(self, timeout: float | None) -> Message:
        message = self._inbox.get(timeout=timeout) if timeout is None or timeout > 0 else self._inbox.get_nowait()
        if message is None:
            raise _Gone
        if message["say"] == "end":
            raise _Over
        return message


def main() -> None:
    """The whole life of a slot host; where it starts and ends is its pilot's business."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    report = _own_stdout()
    code, text = _host(Errand.of(json.loads(sys.stdin.buffer.readline())))
    with suppress(OSError):
        report.write(text[:REPORT_LIMIT])
        report.close()
    threading.Thread(target=_end_anyhow, args=(code,), daemon=True).start()
    sys.exit(code)


def _end_anyhow(code: int) -> None:
    """Nothing that a library left may hold up the end."""
    time.sleep(LAST_SECONDS)
    os._exit(code)


def _own_stdout() -> TextIO:
    """The pilot reads what is written there, to the end: nobody else may keep it open, or print into it."""
    report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return report


def _host(errand: Errand) -> tuple[int, str]:
    inbox: SimpleQueue[Message | None] = SimpleQueue()
    threading.Thread(target=_watch_pilot, args=(inbox,), name="hpo-pilot", daemon=True).start()
    me = Identity.here()
    try:
        line, proof = connect(errand, me)
    except Unreachable as error:
        return UNREACHABLE, str(error)
    try:
        return _met(line, proof, me, inbox)
    except _Over:
        return OVER, ""
    except (_Gone, EOFError, OSError, BadFrame) as error:
        return LINE_LOST, failure_line(error)
    finally:
        line.close()


def _met(line: HostEnd, proof: Message, me: Identity, inbox: "SimpleQueue[Message | None]") -> tuple[int, str]:
    line.send("hello", **me.facts, sees=sees(proof.get("look")))
    setup = line.receive()
    if setup["say"] == "refused":
        return REFUSED, str(setup.get("text"))
    pickled, bundle = line.receive_bytes(), line.receive_bytes()
    threading.Thread(target=_listen, args=(line, inbox), name="hpo-line", daemon=True).start()
    scratch = new_scratch()
    try:
        return _offer(line, setup, (pickled, bundle), scratch, me, inbox)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _offer(
    line: HostEnd,
    setup: Message,
    code: tuple[bytes, bytes],
    scratch: Path,
    me: Identity,
    inbox: "SimpleQueue[Message | None]",
) -> tuple[int, str]:
    is_elsewhere = bool(setup["is_elsewhere"])
    try:
        work, limits = work_here(setup, code, scratch), Limits(**setup["limits"])  # type: ignore[arg-type]  # as sent
        share = Share(**setup["share"])  # type: ignore[arg-type]  # as sent
        executor = ProcessExecutor(work, slots=1, limits=limits, devices=[as_found(share, os.environ)])
    except Exception as error:
        text = str(error) if isinstance(error, HpoError) else f"no worker can be started: {failure_line(error)}"
        line.send("ready", problem=f"on host {me.host}: {text}{_REMEDY}" if is_elsewhere else text)
        _await_the_end(inbox)
        return REFUSED, text
    try:
        line.send("ready", problem="")
        SlotHost(line, inbox).serve(executor, {HOST_TAG: me.host} if is_elsewhere else {})
    finally:
        executor.close()
    return OVER, ""


def work_here(setup: Message, code: tuple[bytes, bytes], scratch: Path) -> Work:
    """The work as it can be done here."""
    pickled, bundle = code
    try:
        work: Work = arrived(pickle.loads(pickled))  # noqa: S301  # made by our driver, which has proved that it is
    except Exception as error:
        raise ObjectiveError(f"what trials need cannot be loaded: {failure_line(error)}") from error
    try:
        os.chdir(str(setup["cwd"]))
    except OSError:  # it is not here, or not for who we are here
        os.chdir(scratch)
    if not setup["is_elsewhere"]:
        return replace(work, scratch=scratch)
    seen_too = [folder for folder in work.search_path if os.path.isdir(folder)]  # noqa: PTH112  # Path.is_dir may raise
    return replace(work, scratch=scratch, results=None, search_path=(*unpack(bundle, scratch / "code"), *seen_too))


def _await_the_end(inbox: "SimpleQueue[Message | None]") -> None:
    while (message := inbox.get()) is not None and message["say"] != "end":
        pass


def _listen(line: HostEnd, inbox: "SimpleQueue[Message | None]") -> None:
    try:
        while True:
            inbox.put(line.receive())
    except (EOFError, OSError, BadFrame):
        _leave_soon(inbox)


def _watch_pilot(inbox: "SimpleQueue[Message | None]") -> None:
    while os.read(0, 1024):  # nothing more is ever sent: this ends when the pilot's end is closed
        pass
    _leave_soon(inbox)


def _leave_soon(inbox: "SimpleQueue[Message | None]") -> None:
    inbox.put(None)
    last = threading.Timer(LAST_SECONDS, os.kill, (os.getpid(), signal.SIGKILL))
    last.daemon = True
    last.start()
