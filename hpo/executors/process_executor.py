"""Runs trials in worker processes, one a slot (joblib's loky)."""

import os
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Future
from contextlib import suppress
from functools import partial

import cloudpickle  # type: ignore[import-untyped]  # it has no types

from hpo.attempt import failed
from hpo.errors import ObjectiveError
from hpo.executor import Answer, Executor, go_on
from hpo.executors.devices import SlotDevices
from hpo.executors.limits import Limits
from hpo.executors.open_trials import OpenTrials
from hpo.executors.process_slot import ProcessSlot
from hpo.executors.slot_state import Phase, WorkerState
from hpo.executors.verdict import Verdict
from hpo.executors.watch import Watch
from hpo.executors.work import Work, attempt_folder, remove_folder
from hpo.executors.worker import keep_output, with_devices
from hpo.executors.worker_death import KillCount, cause_of_death, kills_for_memory
from hpo.executors.worker_process import WorkerProcess
from hpo.executors.worker_source import WorkerKind, WorkerSource
from hpo.failure_text import failure_line
from hpo.processes.output_log import left_behind
from hpo.search_path import first_of
from hpo.trial import Outcome, Trial
from hpo.worker_variables import set_by_libraries


class ProcessExecutor:
    """Slots are processes: a trial that crashes, hangs, leaks or kills its process costs itself alone.

    The objective is pickled (by value where it must be: lambdas, closures, functions of `__main__`) and sent to each
    worker once. Workers ignore SIGINT and SIGHUP, so the driver decides on Ctrl-C, and end with all that their trials
    started when the driver dies. What a trial, its libraries and its child processes print becomes its file
    `logs/output.log` (10 MiB, the middle cut out), also when the trial killed its worker. A trial that goes beyond
    `limits` is ended with reason timeout or oom; one whose worker died before the objective began is `lost`.
    `devices` are those of each slot, none for all that there is. `source` has workers already; it is closed with this.

    Raises ObjectiveError when made with an objective that cannot be pickled, loaded or prepared in a worker.
    """

    def __init__(
        self,
        work: Work,
        *,
        slots: int,
        limits: Limits = Limits(),  # noqa: B008  # frozen
        devices: Sequence[SlotDevices] = (),
        source: WorkerSource | None = None,
    ) -> None:
        self._open: OpenTrials[Future[Outcome]] = OpenTrials(slots)
        self._work = work
        self._pickled = _pickled(work)
        work.scratch.mkdir(parents=True, exist_ok=True)
        asks = work.metric if work.asks else ""
        self._source = source or WorkerSource(WorkerKind(work.scratch, work.inner_threads, asks))
        self._source.hand_questions_to(self._open.ask)
        dealt = devices or [SlotDevices()] * slots
        self._slots = tuple(ProcessSlot(partial(self._new_worker, each), self._source.starter) for each in dealt)
        self._free = list(self._slots)
        self._busy: dict[int, ProcessSlot] = {}
        self._kills = KillCount()
        self._kills_before: dict[int, int] = {}
        self._watch = Watch(self._slots, limits)
        self._start_all()

    @property
    def slots(self) -> int:
        """How many trials can run at once."""
        return self._open.slots

    def submit(self, trial: Trial) -> None:
        """Starts a trial in a free worker."""
        ticket = self._open.add(trial)
        try:
            future = self._free[-1].submit(trial)
        except BaseException:
            self._open.cancel(trial)
            raise
        self._busy[ticket] = self._free.pop()
        self._kills_before[ticket] = self._kills.lately()
        future.add_done_callback(partial(self._open.end, ticket))

    def wait(self, timeout: float | None, answer: Answer = go_on) -> Sequence[Outcome]:
        """What has ended since the last call."""
        outcomes = []
        for ticket, trial, future in self._open.take(timeout, answer):
            slot, kills_before = self._busy.pop(ticket), self._kills_before.pop(ticket)
            outcomes.append(self._outcome(slot, trial, future, kills_before))
            self._free.append(slot)
        return outcomes

    def cancel(self, trial: Trial) -> None:
        """Kills the trial's worker with its child processes, and starts another one for the slot."""
        ticket = self._open.cancel(trial)
        if ticket is None:
            return
        slot = self._busy.pop(ticket)
        del self._kills_before[ticket]
        slot.end()
        slot.start()
        remove_folder(attempt_folder(self._work.scratch, trial))
        self._free.append(slot)

    def close(self) -> None:
        """Kills all workers with their child processes."""
        self._watch.end()
        for slot in self._slots:
            slot.end()
            slot.kill()
        self._source.close()
        for trial in self._open.clear():
            remove_folder(attempt_folder(self._work.scratch, trial))

    def _new_worker(self, devices: SlotDevices) -> WorkerProcess:
        told = (self._pickled, first_of(self._work.search_path, sys.path), set_by_libraries(os.environ))
        worker = self._source.make(devices)
        try:
            worker.get_ready(*told)
        except BrokenExecutor:  # it was started early, and something killed it
            worker.kill()
            worker = self._source.make(devices)
            worker.get_ready(*told)
        return worker

    def _start_all(self) -> None:
        """Waits until every worker is ready, so that what is wrong is known before trial 1."""
        try:
            for problem in [(slot, slot.start()) for slot in self._slots]:
                _raise_if_not_ready(*problem)
        except BaseException:
            self.close()
            raise

    def _outcome(self, slot: ProcessSlot, trial: Trial, future: Future[Outcome], kills_before: int) -> Outcome:
        verdict, error, worker = slot.end(), future.exception(), slot.worker
        if worker is None:
            raise RuntimeError(f"the slot of trial {trial.number} has no worker")
        if verdict is None and error is None:
            slot.refresh()
            return future.result()
        if verdict is None and not isinstance(error, BrokenExecutor):
            return failed(trial, "lost", failure_line(error or RuntimeError()))
        worker.send(signal.SIGKILL)  # what is left of it still prints
        began, seconds = _times(worker.state(), trial)
        reason, text = _why(worker.state(), trial, verdict, error, kills_before)
        outcome = with_devices(failed(trial, reason, text, started=began, seconds=seconds), worker.setup.devices)
        printed = left_behind(worker.setup.output)
        if printed is not None:
            outcome = keep_output(outcome, trial, self._work.files, printed)
        remove_folder(attempt_folder(self._work.scratch, trial))
        with suppress(OSError):  # no memory or no process number left: the next `submit` tries again, and says so
            slot.start()
        return outcome


def _why(
    state: WorkerState, trial: Trial, verdict: Verdict | None, error: BaseException | None, kills_before: int
) -> tuple[str, str]:
    """Reason and text for a trial that was ended, or whose worker died."""
    if verdict is not None:
        return verdict.reason, verdict.error
    if not state.is_of(trial):
        return "lost", "its worker died before the trial began"
    if state.phase is Phase.DONE:
        return "lost", "its worker died when the trial had ended, before it told how"
    memory_ran_out = kills_for_memory() > kills_before
    return cause_of_death(error or RuntimeError(), memory_ran_out=memory_ran_out)


def _times(state: WorkerState, trial: Trial) -> tuple[int, float]:
    """When the trial began, milliseconds since 1970, and how many seconds ago that is."""
    seconds = time.monotonic() - state.since if state.is_of(trial) else 0.0
    return round((time.time() - seconds) * 1000), seconds


def _pickled(work: Work) -> bytes:
    try:
        pickled: bytes = cloudpickle.dumps(work)
    except Exception as error:
        raise ObjectiveError(
            f"the objective cannot be sent to worker processes: {failure_line(error)}; "
            "name it as 'module:function', or use parallel.backend: threading"
        ) from error
    return pickled


def _raise_if_not_ready(slot: ProcessSlot, ready: Future[str]) -> None:
    try:
        problem = ready.result()
    except BrokenExecutor as error:
        printed = left_behind(slot.worker.setup.output) if slot.worker is not None else None
        said = printed.read_text("utf-8", errors="replace")[-2000:].strip() if printed else ""
        problem = f"getting the objective ready killed its worker: {cause_of_death(error)[1]}\n{said}".strip()
    if problem:
        raise ObjectiveError(problem)


_: type[Executor] = ProcessExecutor
