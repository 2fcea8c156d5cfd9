"""Runs one side of a comparison: a process in the peer's environment, watched from outside, that answers in JSON."""

import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
from environments import python_of

PEERS = Path(__file__).parent / "peers"
MARK = "ANSWER "
SO_FAR = "SO FAR "
LOOK_EVERY = 0.1
SHOWN = ("side", "engine", "sampler", "window", "mlflow", "jobs", "trials", "question")


@dataclass(frozen=True)
class Run:
    """What a process said and took: wall seconds, CPU seconds and the most memory of it and all below it together.

    With a failure the answer is what it had said before, which may be nothing.
    """

    answer: Mapping[str, object]
    seconds: float
    cpu: float
    peak: int
    began: float
    failure: str = ""
    output: str = ""


class Watch(threading.Thread):
    """Looks at a tree of processes ten times a second; of one that ends, up to that much CPU goes unseen."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.root = psutil.Process(pid)
        self.cpu: dict[int, float] = {}
        self.peak = 0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(LOOK_EVERY):
            self.look()

    def look(self) -> None:
        together = 0
        with contextlib.suppress(psutil.Error):
            for process in [self.root, *self.root.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    times = process.cpu_times()
                    self.cpu[process.pid] = times.user + times.system
                    together += process.memory_info().rss
        self.peak = max(self.peak, together)


def environment() -> dict[str, str]:
    """That of this process without what would make a side slower or lead it to another store."""
    dropped = ("PYTHONDONTWRITEBYTECODE", "HPO_TRACKER", "MLFLOW_TRACKING_URI", "VIRTUAL_ENV")
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet", "WANDB_MODE": "offline"}
    return {**kept, **quiet, "RAY_USAGE_STATS_ENABLED": "0"}


_cut_off = threading.Event()


def is_cut_off() -> bool:
    """Whether the whole comparison was interrupted while a side ran."""
    return _cut_off.is_set()


def command(argv: Sequence[str | Path], folder: Path, limit: float) -> Run:
    """Runs a command in a folder; one that takes longer than `limit` seconds is ended, with all it started.

    One that is interrupted gives what it has said, so that it can be kept; the interruption comes at the next command.
    """
    if is_cut_off():
        raise KeyboardInterrupt
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began, clock = time.time(), time.perf_counter()
    process = subprocess.Popen(
        [str(word) for word in argv], cwd=folder, env=environment(), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    watch = Watch(process.pid)
    watch.start()
    failure = output = ""
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        failure = f"not done after {limit:.0f} s"
    except KeyboardInterrupt:
        failure = f"cut off after {time.perf_counter() - clock:.0f} s"
        _cut_off.set()
    finally:
        seconds = time.perf_counter() - clock
        output = _end(process) or output
        watch.over.set()
        watch.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    waited_for = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if process.returncode and not failure:
        failure = f"exit {process.returncode}"
    return Run({}, seconds, max(waited_for, sum(watch.cpu.values())), watch.peak, began, failure, output)


def _end(process: subprocess.Popen[str]) -> str:
    """Ends what is left of a command, and gives what it had said.

    The processes below it are found first, since some leave the session; what they hold open would keep us waiting.
    """
    if process.poll() is not None:
        return ""
    below = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for each in below:
        with contextlib.suppress(psutil.Error):
            each.kill()
    return process.communicate()[0]


_telling: list[str] = []


@contextlib.contextmanager
def told(what: str) -> Iterator[Callable[[str], None]]:
    """One line on stderr, begun before a step and ended with its seconds and what the step has to say after it.

    A step within a step says nothing.
    """
    words: list[str] = []
    if _telling:
        yield words.append
        return
    print(f"{time.strftime('%H:%M:%S')}  {what} ..", end="", file=sys.stderr, flush=True)
    began = time.perf_counter()
    _telling.append(what)
    try:
        yield words.append
    finally:
        _telling.pop()
        print(f" {time.perf_counter() - began:.1f} s", *words, file=sys.stderr, flush=True)


def ask(
    peer: str, file: str, work: str, *, limit: float, hard: float = 0.0, folder: Path | None = None, **request: object
) -> Run:
    """Has a peer's file do a work, in this folder or in a new one that is gone afterwards.

    `limit` is told to the work, some of which end by themselves then; after `hard` seconds (if not given, three times
    as long and a minute) the process is ended.
    """
    place = folder or Path(tempfile.mkdtemp(prefix="bench-"))
    whole = json.dumps({"work": work, "folder": str(place), "limit": limit, "seed": 1, "jobs": 1, **request})
    shown = " ".join(f"{key}={request[key]}" for key in SHOWN if request.get(key))
    try:
        with told(f"{file} {work} {shown}") as say:
            run = _answered(
                command([python_of(peer), PEERS / f"{file}_peer.py", whole], place, limit=hard or limit * 3 + 60)
            )
            say(run.failure)
            return run
    finally:
        if folder is None:
            shutil.rmtree(place, ignore_errors=True)


def _answered(run: Run) -> Run:
    """The run with what it answered; without a whole answer, with what it had said so far and why there is no more."""
    whole = _said(run.output, MARK)
    if whole is not None:
        return replace(run, answer=whole, failure="", output="")
    lines = [line.strip() for line in run.output.splitlines() if line.strip() and not line.startswith(SO_FAR)]
    ended_here = run.failure.startswith(("not done", "cut off"))
    why = run.failure if ended_here else f"{run.failure}: {(lines or ['no answer'])[-1][:120]}"
    return replace(run, answer=_said(run.output, SO_FAR) or {}, failure=why)


def _said(output: str, mark: str) -> dict[str, object] | None:
    """The last whole line with this mark; the last of all may have been cut off."""
    for line in reversed(output.splitlines()):
        if line.startswith(mark):
            with contextlib.suppress(json.JSONDecodeError):
                return dict(json.loads(line.removeprefix(mark)))
    return None
