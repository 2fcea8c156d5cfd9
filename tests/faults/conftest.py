"""Common ground of the fault tests: a sweep folder, drivers that are real processes, and an independent ledger.

The objective of the folder writes `start|finish number params pid` into `ledger.txt` with O_APPEND, so what ran is
known without the store. It does what the files beside it say: `hold-3` (for every trial: `hold`) makes the trial wait
at a barrier, after writing `held-3`, until that file is removed.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from trackers.opening import open_store
from trackers.records import Query, Run, TrialFacts

ROOT = Path(__file__).parents[2]
HPO = (sys.executable, "-c", "from hpo.cli.main import main; main()")
SECONDS = 60.0
"""How long a condition may take before a test gives up; far above what it takes, for a machine that is busy."""

OBJECTIVE = """
import json
import os
import pathlib
import time

HERE = pathlib.Path(__file__).parent


def ledger(word, trial, params):
    line = f"{word}\\t{trial.number}\\t{json.dumps(params, sort_keys=True)}\\t{os.getpid()}\\n"
    descriptor = os.open(HERE / "ledger.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def hold(trial):
    barriers = (HERE / f"hold-{trial.number}", HERE / "hold")
    if any(barrier.exists() for barrier in barriers):
        (HERE / f"held-{trial.number}").touch()
    while any(barrier.exists() for barrier in barriers):
        time.sleep(0.005)


def objective(params, trial):
    ledger("start", trial, params)
    hold(trial)
    value = (params["x"] - 0.3) ** 2 + params["y"] / 100
    ledger("finish", trial, params)
    return {"loss": value}


def with_model(params, trial):
    from sklearn.dummy import DummyRegressor

    result = objective(params, trial)
    trial.log_model(DummyRegressor().fit([[0.0]], [params["x"]]))
    return result
"""

SWEEP: Mapping[str, object] = {
    "name": "faults",
    "metric": {"name": "loss"},
    "objective": {"python": "fault_objective:objective"},
    "parameters": {"x": {"type": "float", "low": 0.0, "high": 1.0}, "y": {"type": "int", "low": 1, "high": 9}},
    "engine": {"name": "optuna", "sampler": "random", "seed": 3},
    "budget": {"n_trials": 6},
    "parallel": {"n_jobs": 1, "backend": "serial"},
    "tracker": {"uri": "sqlite:///mlflow.db", "artifacts": "mlruns", "log_models": "none"},
}


@dataclass(frozen=True)
class Entry:
    """One line of the ledger."""

    word: str
    number: int
    params: Mapping[str, float]
    pid: int


@dataclass
class Driver:
    """A running `hpo` process with its output in files, so that no pipe can fill up."""

    process: subprocess.Popen[bytes]
    stdout_path: Path
    stderr_path: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def stdout(self) -> str:
        return self.stdout_path.read_text(errors="replace")

    @property
    def stderr(self) -> str:
        return self.stderr_path.read_text(errors="replace")

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def send(self, number: signal.Signals) -> None:
        """A signal to the driver alone."""
        self.process.send_signal(number)

    def send_group(self, number: signal.Signals) -> None:
        """A signal to its process group, as a terminal does."""
        os.killpg(self.pid, number)

    def wait(self, seconds: float = SECONDS) -> int:
        """Its exit code, as a shell has it for signals that killed it (137 for SIGKILL)."""
        code = self.process.wait(seconds)
        return 128 - code if code < 0 else code

    def kill9(self) -> None:
        """SIGKILL to the driver alone, and its end awaited."""
        self.process.kill()
        self.process.wait(SECONDS)


@dataclass
class SweepFolder:
    """A folder with a sweep file, its objective, its store and the ledger; `server` is the store's URI if no file."""

    path: Path
    drivers: list[Driver] = field(default_factory=list)
    server: str = ""

    @property
    def file(self) -> Path:
        return self.path / "sweep.yaml"

    @property
    def database(self) -> Path:
        return self.path / "mlflow.db"

    @property
    def uri(self) -> str:
        return self.server or f"sqlite:///{self.database}"

    @property
    def has_store(self) -> bool:
        """Whether there is a store to look into."""
        return bool(self.server) or self.database.exists()

    @property
    def root(self) -> Path:
        """Where the packages under test lie."""
        return ROOT

    @property
    def environment(self) -> dict[str, str]:
        """What its processes get."""
        return _environment(self.tracker)

    @property
    def tracker(self) -> Mapping[str, str]:
        """What names a server to its processes: a URI with a password is nothing for a file."""
        return {"HPO_TRACKER": self.server} if self.server else {}

    def command(self, *arguments: str) -> list[str]:
        """`hpo ARGUMENTS` for this interpreter."""
        return [*HPO, *arguments]

    def latest_name(self) -> str:
        """The name of the sweep that was started last."""
        with open_store(self.uri, read_only=True) as store:
            return store.tracker.find(Query(sweeps=True, roots=True))[-1].name

    def write(self, text: str = "", **sections: object) -> None:
        """The sweep file: `SWEEP` with these sections changed (a mapping is merged, None leaves the section out)."""
        wanted = dict(SWEEP)
        if self.server:
            wanted["tracker"] = {"artifacts": "mlruns", "log_models": "none"}
        for name, value in sections.items():
            base = wanted.get(name)
            wanted[name] = {**base, **value} if isinstance(base, dict) and isinstance(value, dict) else value
        kept = {name: value for name, value in wanted.items() if value is not None}
        self.file.write_text(text or json.dumps(kept, indent=1))  # JSON is YAML

    def hold(self, *numbers: int) -> None:
        """These trials, or all, will wait at the barrier."""
        for name in [f"hold-{number}" for number in numbers] or ["hold"]:
            (self.path / name).touch()

    def release(self, *numbers: int) -> None:
        """Lets them go on."""
        for name in [f"hold-{number}" for number in numbers] or ["hold"]:
            (self.path / name).unlink(missing_ok=True)

    def held(self, number: int) -> bool:
        """Whether that trial waits, or waited, at the barrier."""
        return (self.path / f"held-{number}").exists()

    def start(self, verb: str, *arguments: str, environment: Mapping[str, str] | None = None, host: str = "") -> Driver:
        """`hpo VERB ARGUMENTS` as a process in a session of its own, started in the folder, on a host of that name."""
        number = len(self.drivers)
        stdout, stderr = self.path / f"stdout-{number}.txt", self.path / f"stderr-{number}.txt"
        with stdout.open("wb") as out, stderr.open("wb") as err:
            process = subprocess.Popen(
                [*(_on(host) if host else HPO), verb, *arguments],
                cwd=self.path,
                env=_environment({**self.tracker, **(environment or {})}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        driver = Driver(process, stdout, stderr)
        self.drivers.append(driver)
        return driver

    def hpo(self, verb: str, *arguments: str, environment: Mapping[str, str] | None = None, host: str = "") -> Driver:
        """The same, run to its end."""
        driver = self.start(verb, *arguments, environment=environment, host=host)
        driver.wait()
        return driver

    def ledger(self) -> list[Entry]:
        """What the objective wrote, whole lines only."""
        path = self.path / "ledger.txt"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        fields = [line.split("\t") for line in lines]
        return [Entry(word, int(number), json.loads(params), int(pid)) for word, number, params, pid in fields]

    def executions(self, word: str = "finish") -> dict[int, int]:
        """How often each trial was run to its end (`start`: begun)."""
        counted: dict[int, int] = {}
        for entry in self.ledger():
            if entry.word == word:
                counted[entry.number] = counted.get(entry.number, 0) + 1
        return counted

    def sweep(self, name: str = "faults") -> Run:
        """The parent run on record."""
        with open_store(self.uri, read_only=True) as store:
            [*_, parent] = store.tracker.find(Query(sweeps=True, roots=True, name=name))
        return parent

    def trials(self, name: str = "faults") -> list[TrialFacts]:
        """What the store says of the sweep's trials, by number."""
        with open_store(self.uri, read_only=True) as store:
            parents = store.tracker.find(Query(sweeps=True, roots=True, name=name))
            runs = store.tracker.find(Query(parent=parents[-1].id)) if parents else ()
        return sorted((run.trial for run in runs if run.trial is not None), key=lambda trial: trial.number)

    def states(self, name: str = "faults") -> list[str]:
        """The trials' states, by number."""
        return [str(trial.state) for trial in self.trials(name)]

    def integrity(self) -> str:
        """SQLite's own word on the file: "ok"."""
        if self.server:
            return "ok"  # the server sees to that
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        try:
            return "\n".join(row[0] for row in connection.execute("PRAGMA integrity_check"))
        finally:
            connection.close()

    def end_all(self) -> None:
        """Ends the drivers that a test left behind, with what they started."""
        for driver in self.drivers:
            if driver.process.poll() is None:
                os.killpg(driver.pid, signal.SIGKILL)
                driver.process.wait(SECONDS)


class Zygote:
    """Runs `hpo` in forks of a process that has imported everything; see zygote.py."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("zygote.py"))],
            env=_environment({}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "ready"

    def start(self, folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> "Forked":
        """`hpo ARGUMENTS` in the folder; HPO_FAILPOINT counts in that process from its start."""
        number = len(list(folder.glob("*.stderr")))
        stdout, stderr = folder / f"{number}.stdout", folder / f"{number}.stderr"
        stderr.touch()
        request = {
            "folder": str(folder),
            "arguments": arguments,
            "environment": dict(environment or {}),
            "stdout": str(stdout),
            "stderr": str(stderr),
        }
        return Forked(self, int(self.ask(request)), stdout, stderr)

    def hpo(self, folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> "Ended":
        """The same, run to its end."""
        forked = self.start(folder, *arguments, environment=environment)
        code = int(self.ask({"wait": forked.pid, "options": 0}))
        return Ended(128 - code if code < 0 else code, forked.stdout, forked.stderr)

    def ask(self, request: Mapping[str, object]) -> str:
        """One request, one answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait(SECONDS)

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@dataclass
class Forked:
    """A driver that the zygote forked."""

    zygote: Zygote
    pid: int
    stdout_path: Path
    stderr_path: Path
    code: int | None = None

    @property
    def stdout(self) -> str:
        return self.stdout_path.read_text(errors="replace") if self.stdout_path.exists() else ""

    @property
    def stderr(self) -> str:
        return self.stderr_path.read_text(errors="replace")

    @property
    def has_ended(self) -> bool:
        if self.code is None:
            answer = self.zygote.ask({"wait": self.pid, "options": os.WNOHANG})
            self.code = None if answer == "running" else int(answer)
        return self.code is not None

    def send(self, number: signal.Signals) -> None:
        """A signal to the driver alone."""
        os.kill(self.pid, number)

    def send_group(self, number: signal.Signals) -> None:
        """A signal to its process group, as a terminal does."""
        os.killpg(self.pid, number)

    def wait(self, seconds: float = SECONDS) -> int:
        """Its exit code, as a shell has it."""
        until(lambda: self.has_ended, seconds, "the driver's end")
        assert self.code is not None
        return 128 - self.code if self.code < 0 else self.code

    def end(self) -> None:
        """Kills it if it still runs."""
        if not self.has_ended:
            os.killpg(self.pid, signal.SIGKILL)
            self.wait()


@dataclass(frozen=True)
class Ended:
    """A driver that ended: its exit code as a shell has it, and what it printed."""

    code: int
    stdout: str
    stderr: str


def _on(host: str) -> Sequence[str]:
    code = f"import socket; socket.gethostname = lambda: {host!r}; from hpo.cli.main import main; main()"
    return sys.executable, "-c", code


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HPO_", "MLFLOW_"))}
    return {**kept, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **more}


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie that nobody has awaited does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def processes_of(folder: Path) -> list[int]:
    """The living processes that work in this folder or below it, by /proc."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            where = (entry / "cwd").readlink()
        except OSError:
            continue
        if where.is_relative_to(folder) and alive(int(entry.name)):
            found.append(int(entry.name))
    return found


def until(condition: Callable[[], object], seconds: float = SECONDS, what: str = "") -> None:
    """Returns once the condition holds; fails the test if it does not within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:g} s in vain{' for ' + what if what else ''}")
        time.sleep(0.005)


@pytest.fixture
def wait_for() -> Callable[..., None]:
    """`wait_for(condition, seconds)`: polls until the condition holds."""
    return until


@pytest.fixture
def new_folder(tmp_path: Path) -> Callable[..., SweepFolder]:
    """`new_folder(name)`: one more folder with the standard sweep; `new_folder(name, uri)` with a store on a server."""

    def make(name: str, server: str = "") -> SweepFolder:
        (tmp_path / name).mkdir()
        folder = SweepFolder(tmp_path / name, server=server)
        (folder.path / "fault_objective.py").write_text(OBJECTIVE)
        folder.write()
        return folder

    return make


@pytest.fixture
def sweep_folder(tmp_path: Path) -> Iterator[SweepFolder]:
    """A folder with the standard sweep; drivers left behind are ended."""
    folder = SweepFolder(tmp_path)
    (tmp_path / "fault_objective.py").write_text(OBJECTIVE)
    folder.write()
    yield folder
    folder.end_all()


@pytest.fixture
def start_driver(sweep_folder: SweepFolder) -> Callable[..., Driver]:
    """`start_driver(*arguments, environment=..)`: `hpo run sweep.yaml ARGUMENTS` as a process of its own."""

    def start(*arguments: str, environment: Mapping[str, str] | None = None) -> Driver:
        return sweep_folder.start("run", "sweep.yaml", *arguments, environment=environment)

    return start


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """`zygote.hpo(folder, "run", "sweep.yaml")`: a driver that starts in milliseconds."""
    ready = Zygote()
    yield ready
    ready.close()


@pytest.fixture
def fork_driver(sweep_folder: SweepFolder, zygote: Zygote) -> Iterator[Callable[..., Forked]]:
    """As `start_driver`, but forked from a process that has everything imported: it starts in milliseconds."""
    forked: list[Forked] = []

    def start(*arguments: str, environment: Mapping[str, str] | None = None) -> Forked:
        forked.append(zygote.start(sweep_folder.path, "run", "sweep.yaml", *arguments, environment=environment))
        return forked[-1]

    yield start
    for driver in forked:
        driver.end()


@pytest.fixture
def ledger(sweep_folder: SweepFolder) -> Callable[[], Sequence[Entry]]:
    """`ledger()`: what the objective wrote so far."""
    return sweep_folder.ledger


@pytest.fixture
def living() -> Callable[[Path], list[int]]:
    """`living(folder)`: the processes that work below it."""
    return processes_of
