"""How everyone.py asks a side: one JSON request as argument, one JSON answer as the last line of output.

Standard library only, for it runs in each peer's own environment.
"""

import json
import os
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
warnings.filterwarnings("ignore")

Request = Mapping[str, object]
Work = Callable[[Request], Mapping[str, object]]
MARK = "ANSWER "
SO_FAR = "SO FAR "
CHECKPOINTS = (1_000, 3_000, 10_000, 30_000, 100_000)
LETTERS = ["x", "y", "z"]


def answer(works: Mapping[str, Work]) -> None:
    """Do what the first argument asks for, in the folder it names."""
    request = json.loads(sys.argv[1])
    os.chdir(request["folder"])
    say(MARK, works[request["work"]](request))
    if request.get("leave"):  # what a library does at exit is not what was asked for
        sys.stdout.flush()
        os._exit(0)


def say(mark: str, found: Mapping[str, object]) -> None:
    """An answer, or, marked SO_FAR, what shall not be lost if none comes."""
    print("\n" + mark + json.dumps(found), flush=True)


def steady(times: list[float]) -> dict[str, object]:
    """Trials a second after the first tenth: to start is not a trial's overhead (and has a table of its own)."""
    kept = sorted(times)[len(times) // 10 :]
    if len(kept) < 2:
        return {}
    return {"rate": (len(kept) - 1) / (kept[-1] - kept[0])}


def first_trial() -> None:
    """To be called by an objective: notes when it was called first."""
    Path("first").exists() or Path("first").write_text(str(time.time()))


def peak() -> int:
    """The most bytes of memory that this process ever had (getrusage would count those of the one that started it)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def on_disk(folder: Path) -> int:
    """Bytes that the files below a folder take, blocks that are not full included."""
    return sum(path.lstat().st_blocks * 512 for path in [folder, *folder.rglob("*")])


class Growth:
    """Notes what the tenth of the trials before each checkpoint took; `tick` is called after every trial.

    The last trial that is wanted is a checkpoint, too. Each is said at once: a process that is ended keeps them.
    """

    def __init__(self, last: int) -> None:
        self.count = 0
        self.checkpoints = {*CHECKPOINTS, last}
        self.points: list[dict[str, float]] = []
        self._began = (time.perf_counter(), time.process_time())
        self._starts = {mark - mark // 10 for mark in self.checkpoints}

    def tick(self) -> None:
        self.count += 1
        if self.count in self._starts:
            self._began = (time.perf_counter(), time.process_time())
        elif self.count in self.checkpoints:
            wall, cpu = time.perf_counter() - self._began[0], time.process_time() - self._began[1]
            many = self.count // 10
            self.points.append(
                {"trials": self.count, "ms": wall / many * 1000, "cpu_ms": cpu / many * 1000, "bytes": peak()}
            )
            say(SO_FAR, self.answer())

    def answer(self) -> dict[str, object]:
        return {"points": self.points, "count": self.count}


def timed(question: Callable[[], object], *, opened: float, repeat: int, limit: float) -> dict[str, object]:
    """The first call and the median of the next, which find caches filled, as ms; at most `limit` seconds of calls.

    `opened` is when the store was about to be opened, which is a part of the first answer.
    """
    seconds: list[float] = []
    began = time.perf_counter()
    result: object = None
    while len(seconds) <= repeat and time.perf_counter() - began < limit:
        at = time.perf_counter()
        result = question()
        seconds.append(time.perf_counter() - (at if seconds else opened))
    later = sorted(seconds[1:]) or seconds
    return {"first": seconds[0] * 1000, "later": later[len(later) // 2] * 1000, "result": result}


def emptied(folder: Path) -> Path:
    """The folder, new."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
