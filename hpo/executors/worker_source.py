"""Where an executor has its worker processes from; the first may be started before there is work for them."""

import os
import secrets
import signal
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from hpo.executors.devices import SlotDevices
from hpo.executors.lifeline import lifeline
from hpo.executors.open_trials import Reply
from hpo.executors.question_line import Ask, DriverEnd
from hpo.executors.worker import Setup
from hpo.executors.worker_process import Start, WorkerProcess
from hpo.processes.guard import Guard
from hpo.trial import Question
from hpo.worker_variables import SET_BY_LIBRARIES, worker_variables


@dataclass(frozen=True)
class WorkerKind:
    """What all workers of an executor have in common, whatever they work on.

    `folder` is where they write, for this driver alone. `asks` is the metric by which trials that report are judged,
    empty where they are not.
    """

    folder: Path
    inner_threads: int | None
    asks: str = ""


class WorkerSource:
    """Starts worker processes in a thread of its own, and sees to it that they die with the driver.

    Those of `start_early` are handed out first, but only where they are just what would be started instead.
    """

    def __init__(self, kind: WorkerKind) -> None:
        kind.folder.mkdir(parents=True, exist_ok=True)
        self._kind = kind
        self._mark = secrets.token_hex(8)
        self._made = count()
        self._guard = Guard(f"{self._mark}/")
        self._lifeline, self._driver_end = lifeline()
        self.starter = ThreadPoolExecutor(1, thread_name_prefix="hpo-starter", initializer=_hold_back_ctrl_c)
        self._early: list[Future[WorkerProcess]] = []
        self._started_in: object = None
        self._hand_in: Ask | None = None

    def start_early(self, number: int, modules: Sequence[str]) -> None:
        """Starts so many workers in the background, for slots without devices; they import these modules of ours."""
        self._started_in = _surroundings()
        self._early = [self.starter.submit(self._new, SlotDevices(), modules) for _ in range(number)]

    def make(self, devices: SlotDevices) -> WorkerProcess:
        """A worker that waits for work; to be called in the thread `starter`."""
        while self._early:
            future = self._early.pop(0)
            if future.exception():  # what is wrong is said when it is still wrong
                continue
            worker = future.result()
            if devices == SlotDevices() and self._started_in == _surroundings() and not worker.is_dead():
                return worker
            worker.kill()
        return self._new(devices)

    def hand_questions_to(self, hand_in: Ask) -> None:
        """From now on trials that report are heard."""
        self._hand_in = hand_in

    def close(self) -> None:
        """Kills the workers that nobody took, and what is left of the others; safe to call twice."""
        for future in self._early:
            if not future.cancel():
                with suppress(Exception):  # it never started
                    future.result().kill()
        self._early = []
        self.starter.shutdown()
        self._guard.dismiss()
        if self._driver_end is not None:
            self._driver_end.close()

    def _new(self, devices: SlotDevices, modules: Sequence[str] = ()) -> WorkerProcess:
        number, kind = next(self._made), self._kind
        setup = Setup(
            lifeline=self._lifeline,
            output=kind.folder / f"worker-{number}.log",
            state=kind.folder / f"worker-{number}.state",
            devices=devices,
        )
        environment = {**worker_variables(kind.inner_threads, os.environ), **devices.environment}
        line = DriverEnd(kind.asks, self._ask) if kind.asks else None
        return WorkerProcess(Start(setup, environment, mark=f"{self._mark}/{number};", modules=modules), line)

    def _ask(self, question: Question, reply: Reply) -> None:
        if self._hand_in is not None:  # no worker has a trial before that
            self._hand_in(question, reply)


def _surroundings() -> tuple[Mapping[str, str], Path | None]:
    """What a process inherits that the user's code may have changed, and that it cannot be told later."""
    environment = {name: value for name, value in os.environ.items() if name not in SET_BY_LIBRARIES}
    try:
        return environment, Path.cwd()
    except OSError:  # the folder is gone
        return environment, None


def _hold_back_ctrl_c() -> None:
    # inherited by new workers, which unblock it when they ignore it: a Ctrl-C cannot hit one that is still starting
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
