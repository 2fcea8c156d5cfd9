"""Runs trials in worker processes, one a slot (joblib's loky)."""

import signal
import warnings
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from functools import partial

import cloudpickle  # type: ignore[import-untyped]  # it has no types

from hpo.attempt import failed
from hpo.errors import ObjectiveError
from hpo.executor import Executor
from hpo.executors.inner_threads import thread_variables
from hpo.executors.lifeline import lifeline
from hpo.executors.open_trials import OpenTrials
from hpo.executors.output_log import left_behind
from hpo.executors.process_slot import ProcessSlot
from hpo.executors.work import Work, attempt_folder, remove_folder
from hpo.executors.worker import Setup, keep_output
from hpo.executors.worker_death import cause_of_death
from hpo.failure_text import failure_line
from hpo.trial import Outcome, Trial


class ProcessExecutor:
    """Slots are processes: a trial that crashes, leaks or kills its process costs itself alone.

    The objective is pickled (by value where it must be: lambdas, closures, functions of `__main__`) and sent to each
    worker once. Workers ignore SIGINT and SIGHUP, so the driver decides on Ctrl-C, and die when the driver dies.
    What a trial, its libraries and its child processes print becomes its file `logs/output.log` (10 MiB, the middle
    cut out), also when the trial killed its worker.

    Raises ObjectiveError when made with an objective that cannot be pickled, loaded or prepared in a worker.
    """

    def __init__(self, work: Work, *, slots: int) -> None:
        self._open: OpenTrials[Future[Outcome]] = OpenTrials(slots)
        self._work = work
        pickled = _pickled(work)
        work.scratch.mkdir(parents=True, exist_ok=True)
        self._lifeline, self._driver_end = lifeline()
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="hpo-starter", initializer=_hold_back_ctrl_c)
        self._free = [self._slot(number, pickled) for number in range(slots)]
        self._slots = tuple(self._free)
        self._busy: dict[int, ProcessSlot] = {}
        # loky replaces a worker that has leaked 300 MB; it warns where that happens just as the next trial arrives
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given", category=UserWarning)
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
        future.add_done_callback(partial(self._open.answer, ticket))

    def wait(self, timeout: float | None) -> Sequence[Outcome]:
        """What has ended since the last call."""
        outcomes = []
        for ticket, trial, future in self._open.take(timeout):
            slot = self._busy.pop(ticket)
            outcomes.append(self._outcome(slot, trial, future))
            self._free.append(slot)
        return outcomes

    def cancel(self, trial: Trial) -> None:
        """Kills the trial's worker with its child processes, and starts another one for the slot."""
        ticket = self._open.cancel(trial)
        if ticket is None:
            return
        slot = self._busy.pop(ticket)
        slot.start()
        remove_folder(attempt_folder(self._work.scratch, trial))
        self._free.append(slot)

    def close(self) -> None:
        """Kills all workers with their child processes."""
        for slot in self._slots:
            slot.kill()
        self._starter.shutdown()
        if self._driver_end is not None:
            self._driver_end.close()
        for trial in self._open.clear():
            remove_folder(attempt_folder(self._work.scratch, trial))
        for slot in self._slots:
            slot.output.unlink(missing_ok=True)

    def _slot(self, number: int, pickled: bytes) -> ProcessSlot:
        setup = Setup(
            lifeline=self._lifeline,
            output=self._work.scratch / f"slot-{number}.log",
            search_path=tuple(self._work.search_path),
            work=pickled,
        )
        return ProcessSlot(setup, environment=thread_variables(self._work.inner_threads), starter=self._starter)

    def _start_all(self) -> None:
        """Waits until every worker is ready, so that what is wrong is known before trial 1."""
        try:
            for problem in [(slot, slot.start()) for slot in self._slots]:
                _raise_if_not_ready(*problem)
        except BaseException:
            self.close()
            raise

    def _outcome(self, slot: ProcessSlot, trial: Trial, future: Future[Outcome]) -> Outcome:
        error = future.exception()
        if error is None:
            return future.result()
        if not isinstance(error, BrokenExecutor):
            return failed(trial, "lost", failure_line(error))
        outcome = failed(trial, *cause_of_death(error))
        printed = left_behind(slot.output)
        if printed is not None:
            outcome = keep_output(outcome, trial, self._work.files, printed)
        remove_folder(attempt_folder(self._work.scratch, trial))
        slot.start()
        return outcome


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
        printed = left_behind(slot.output)
        said = printed.read_text("utf-8", errors="replace")[-2000:].strip() if printed else ""
        problem = f"getting the objective ready killed its worker: {cause_of_death(error)[1]}\n{said}".strip()
    if problem:
        raise ObjectiveError(problem)


def _hold_back_ctrl_c() -> None:
    # inherited by new workers, which unblock it when they ignore it: a Ctrl-C cannot hit one that is still starting
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})


_: type[Executor] = ProcessExecutor
