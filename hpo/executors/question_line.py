"""The line over which a trial in a worker process asks its driver whether to go on.

A pair of connected sockets, handed to the worker as it starts: it has no name that anybody else could connect to. What
comes from a worker is read as numbers and never unpickled.
"""

import os
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from hpo.executors.open_trials import Reply
from hpo.trial import Question, Report, Trial

_HEAD = struct.Struct("<qqq")
_REPORT = struct.Struct("<qdq")
_REPLY = struct.Struct("<q?")

Ask = Callable[[Question, Reply], None]


class WorkerEnd:
    """The worker's side; pickles only while its process is being started."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._count = 0

    def ask(self, trial: Trial, reports: Sequence[Report]) -> bool:
        """Whether the trial is to stop; waits for the reply. Without a driver the process ends here."""
        self._count += 1
        body = b"".join(_REPORT.pack(report.step, report.value, report.timestamp) for report in reports)
        try:
            self._connection.send_bytes(_HEAD.pack(self._count, trial.number, trial.attempt) + body)
            while True:
                number, stop = _REPLY.unpack(self._connection.recv_bytes())
                if number == self._count:  # an older question may have been broken off by an exception in the trial
                    return bool(stop)
        except (EOFError, ConnectionError):  # no other OSError: a trial's own alarm may raise a TimeoutError here
            os.kill(os.getpid(), signal.SIGKILL)
            raise


class DriverEnd:
    """The driver's side: a thread that hands each question in, with what sends the reply."""

    def __init__(self, metric: str, ask: Ask) -> None:
        self._connection, self._others = Pipe()
        self._metric = metric
        self._ask = ask
        self._thread = threading.Thread(target=self._listen, name="hpo-questions", daemon=True)

    @contextmanager
    def handed_over(self) -> Iterator[WorkerEnd]:
        """The worker's side, for a process that is started inside; from then on that process alone has it."""
        with self._others:
            yield WorkerEnd(self._others)
        self._thread.start()

    def close(self) -> None:
        """Hangs up; safe to call twice."""
        if not self._connection.closed:
            with suppress(OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)  # closing alone would leave the thread waiting
            if self._thread.ident is not None:
                self._thread.join()
            self._connection.close()

    def _listen(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                self._hand_in(self._connection.recv_bytes())

    def _hand_in(self, message: bytes) -> None:
        count, number, attempt = _HEAD.unpack_from(message)
        values = _REPORT.iter_unpack(message[_HEAD.size :])
        reports = [Report(self._metric, value, step, timestamp) for step, value, timestamp in values]

        def reply(stop: bool | None) -> None:
            if stop is None:  # its process is about to end
                return
            with suppress(EOFError, OSError):  # a worker that died meanwhile is noticed elsewhere
                self._connection.send_bytes(_REPLY.pack(count, stop))

        self._ask(Question(number, attempt, reports), reply)
