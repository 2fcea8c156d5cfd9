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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from environments import python_of

PEERS = Path(__file__).parent / "peers"
MARK = "ANSWER "
LOOK_EVERY = 0.1


@dataclass(frozen=True)
class Run:
    """What a process said and took: wall seconds, CPU seconds and the most memory of it and all below it together."""

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


def command(argv: Sequence[str | Path], folder: Path, limit: float) -> Run:
    """Runs a command in a folder; one that takes longer than `limit` seconds is ended, with all it started."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began, clock = time.time(), time.perf_counter()
    process = subprocess.Popen(
        [str(word) for word in argv], cwd=folder, env=environment(), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    watch = Watch(process.pid)
    watch.start()
    failure = ""
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        failure = f"not done after {limit:.0f} s"
        output = ""
    finally:
        seconds = time.perf_counter() - clock
        _end(process)
        watch.over.set()
        watch.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    waited_for = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if process.returncode and not failure:
        failure = f"exit {process.returncode}"
    return Run({}, seconds, max(waited_for, sum(watch.cpu.values())), watch.peak, began, failure, output)


def _end(process: subprocess.Popen[str]) -> None:
    """Ends what is left of a command; the processes below it are found first, since some leave the session."""
    if process.poll() is not None:
        return
    below = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    for each in below:
        with contextlib.suppress(psutil.Error):
            each.kill()


def ask(peer: str, file: str, work: str, *, limit: float, folder: Path | None = None, **request: object) -> Run:
    """Has a peer's file do a work, in this folder or in a new one that is gone afterwards."""
    place = folder or Path(tempfile.mkdtemp(prefix="bench-"))
    whole = json.dumps({"work": work, "folder": str(place), "limit": limit, "seed": 1, "jobs": 1, **request})
    try:
        run = command([python_of(peer), PEERS / f"{file}_peer.py", whole], place, limit=limit * 3 + 60)
    finally:
        if folder is None:
            shutil.rmtree(place, ignore_errors=True)
    told = {key: request[key] for key in ("side", "sampler", "jobs", "trials", "question") if key in request}
    print(f"  {run.seconds:6.1f} s  {file} {work} {told}", file=sys.stderr, flush=True)
    said = [line for line in run.output.splitlines() if line.startswith(MARK)]
    if said:
        return Run(json.loads(said[-1].removeprefix(MARK)), run.seconds, run.cpu, run.peak, run.began)
    last = next((line for line in reversed(run.output.splitlines()) if line.strip()), "no answer")
    failure = run.failure if run.failure.startswith("not done") else f"{run.failure}: {last.strip()[:120]}"
    print(f"{file} {work} {whole}: {failure}", file=sys.stderr)
    return Run({}, run.seconds, run.cpu, run.peak, run.began, failure)
