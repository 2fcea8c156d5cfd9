"""What runs in a worker process: it is set up once, gets its work once, and then runs trial after trial."""

import importlib
import math
import os
import pickle
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from hpo.attempt import failed
from hpo.errors import HpoError
from hpo.executors.cores import bind
from hpo.executors.devices import SlotDevices
from hpo.executors.inner_threads import InnerThreads
from hpo.executors.lifeline import Lifeline
from hpo.executors.question_line import WorkerEnd
from hpo.executors.slot_state import StateFile
from hpo.executors.work import Work
from hpo.failure_text import failure_line
from hpo.objective import TrialFiles
from hpo.processes.output_log import OutputLog
from hpo.trial import Outcome, Report, SavedFile, Trial

OUTPUT_NAME = "logs/output.log"
OOM_SCORE = Path("/proc/self/oom_score_adj")


@dataclass(frozen=True)
class Setup:
    """Everything a new worker process is told, but its work."""

    lifeline: Lifeline
    output: Path
    state: Path
    devices: SlotDevices = SlotDevices()  # noqa: RUF009  # frozen


class _Worker:
    """The state of this process."""

    def __init__(self, setup: Setup, line: WorkerEnd | None) -> None:
        self.setup = setup
        self._line = line
        self.output = OutputLog(setup.output)
        self.state = StateFile(setup.state)
        self.pickled = b""
        self.work: Work | None = None
        self.threads = InnerThreads(None)

    def load(self) -> Work:
        if self.work is None:
            work: Work = pickle.loads(self.pickled)  # noqa: S301  # made by our own driver
            work.prepare()
            self.threads = InnerThreads(work.inner_threads)
            self.work = work
        return self.work

    def run(self, work: Work, trial: Trial) -> Outcome:
        def ask(reports: Sequence[Report]) -> bool:
            if self._line is None:
                raise RuntimeError("this worker has no line to its driver")
            with self.state.asking():
                return self._line.ask(trial, reports)

        return work.run(trial, ask)


_workers: list[_Worker] = []  # one in a worker process, none in any other


def set_up(setup: Setup, line: WorkerEnd | None) -> None:
    """Makes the calling process a worker: it dies with its driver, leaves Ctrl-C to it, and prints into a file.

    It leads a session of its own, so that a terminal's signals reach neither it nor what its trials start, and is the
    first to go when the machine runs out of memory.
    """
    setup.lifeline.hold()
    os.setsid()
    with suppress(OSError):  # there is no such file but on Linux, and a container may forbid to write it
        OOM_SCORE.write_text("1000")
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGHUP})
    _leave_leaks_to_the_slot()
    bind(setup.devices.processors)
    worker = _Worker(setup, line)
    worker.output.redirect()
    _workers.append(worker)


def _leave_leaks_to_the_slot() -> None:
    # loky's own check replaces the process behind our back, and it would take a trial that is just arriving along
    pool = sys.modules.get("joblib.externals.loky.process_executor")
    if hasattr(pool, "_MAX_MEMORY_LEAK_SIZE"):
        setattr(pool, "_MAX_MEMORY_LEAK_SIZE", math.inf)  # noqa: B010  # it is not ours to know the type of


def warm_up(modules: Sequence[str]) -> None:
    """Imports modules of ours that the work is going to need."""
    for name in modules:
        with suppress(Exception):  # where it is needed, that says what is wrong
            importlib.import_module(name)


def get_ready(pickled: bytes, search_path: Sequence[str], environment: Mapping[str, str]) -> str:
    """Loads the work, a pickled Work, by the driver's search path; what is wrong with it, or an empty text."""
    try:
        os.environ.update(environment)
        sys.path[:] = [entry or os.getcwd() for entry in search_path]  # noqa: PTH109  # a text
        _workers[0].pickled = pickled
        _workers[0].load()
    except HpoError as error:
        return str(error)
    except BaseException as error:
        return f"the objective cannot be loaded in a worker process: {failure_line(error)}"
    finally:
        _workers[0].output.flush()
        _workers[0].output.clear()
    return ""


def run(trial: Trial) -> Outcome:
    """Runs one attempt; what it printed is kept as one more file of the run."""
    worker = _workers[0]
    try:
        work = worker.load()
        worker.threads.apply()
        bind(worker.setup.devices.processors)  # again: libraries bind threads in their own ways (OMP_PROC_BIND)
        worker.state.enter(trial)
        outcome = with_devices(worker.run(work, trial), worker.setup.devices)
        outcome = _with_output(outcome, trial, work.files, worker.output)
        work.save(outcome)
        worker.state.leave(trial)
        return outcome
    except BaseException as error:  # outside the objective
        return failed(trial, "lost", failure_line(error))


def with_devices(outcome: Outcome, devices: SlotDevices) -> Outcome:
    """The outcome with a tag for each kind of device that the trial had for itself."""
    return replace(outcome, tags={**outcome.tags, **devices.tags}) if devices.tags else outcome


def _with_output(outcome: Outcome, trial: Trial, files: TrialFiles | None, output: OutputLog) -> Outcome:
    path = output.flush()
    if path is None:
        return outcome
    outcome = keep_output(outcome, trial, files, path)
    output.clear()
    return outcome


def keep_output(outcome: Outcome, trial: Trial, files: TrialFiles | None, output: Path) -> Outcome:
    """The outcome with a trial's printed output among its files; where it cannot be saved, a tag says so."""
    if files is None:
        return outcome
    try:
        saved: Sequence[SavedFile] = files.save_file(trial.artifact_uri, output, OUTPUT_NAME)
    except Exception as error:  # a finished result is worth more than what was printed on the way
        return replace(outcome, tags={**outcome.tags, "hpo.output_lost": failure_line(error)})
    return replace(outcome, files=(*outcome.files, *saved))
