"""What the process executor promises beyond the contract: deaths, output, signals, no survivors."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cloudpickle
import psutil
import pytest

from hpo.errors import ObjectiveError
from hpo.executor import Executor
from hpo.executors.names import make_executor
from hpo.objective import TrialContext
from hpo.trial import Goal, Outcome, SavedFile, SavedModel, State, Trial

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test file

PATIENCE = 60.0
Params = Mapping[str, object]


@dataclass(frozen=True)
class FolderFiles:
    """Real files in a folder."""

    root: Path

    def save_file(self, artifact_uri: str, source: Path, name: str) -> list[SavedFile]:
        target = self.root / artifact_uri / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        return [SavedFile(name, target.stat().st_size, "0" * 64)]

    def save_model(
        self, artifact_uri: str, model: object, *, name: str, run_id: str, input_example: object
    ) -> tuple[SavedModel, list[SavedFile]]:
        raise NotImplementedError


Make = Callable[..., Executor]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Executor] = []

    def make(objective: object, slots: int = 1, **more: object) -> Executor:
        settings: dict[str, object] = {
            "metric": "loss",
            "goal": Goal.MINIMIZE,
            "files": FolderFiles(tmp_path / "kept"),
            "scratch": tmp_path / "scratch",
        }
        made.append(make_executor("loky", slots=slots, objective=objective, **settings | more))
        return made[-1]

    yield make
    for executor in made:
        executor.close()


def trial(number: int, **params: object) -> Trial:
    return Trial(number, params, seed=number, artifact_uri=f"run{number}")


def run(executor: Executor, trial: Trial) -> Outcome:
    executor.submit(trial)
    (outcome,) = executor.wait(PATIENCE)
    return outcome


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


DEATHS = {
    "exit without a result": (lambda: os._exit(0), "no_result", "exit 0"),
    "exit with a code": (lambda: os._exit(7), "exit:7", "exit 7"),
    "killed": (lambda: os.kill(os.getpid(), signal.SIGKILL), "signal:9", "SIGKILL (maybe out of memory)"),
    "terminated": (lambda: os.kill(os.getpid(), signal.SIGTERM), "signal:15", "SIGTERM"),
    "segmentation fault": (lambda: os.kill(os.getpid(), signal.SIGSEGV), "signal:11", "SIGSEGV"),
}


@pytest.mark.everyday(count=3)
@pytest.mark.parametrize("death", DEATHS)
def test_a_dead_worker_costs_its_trial_alone_and_its_slot_works_again(death: str, make: Make, tmp_path: Path) -> None:
    def objective(params: Params, trial: TrialContext) -> float:
        if params["dies"]:
            (trial.dir / "half").touch()
            print("last words")
            DEATHS[death][0]()
        return 1.0

    executor = make(objective)
    assert run(executor, trial(0, dies=False)).state is State.COMPLETE
    dead = run(executor, trial(1, dies=True))
    after = run(executor, trial(2, dies=False))

    assert (dead.state, dead.reason) == (State.FAILED, DEATHS[death][1])
    assert DEATHS[death][2] in dead.error
    assert [file.path for file in dead.files] == ["logs/output.log"]
    assert (tmp_path / "kept/run1/logs/output.log").read_text().startswith("last words\n")
    assert not (tmp_path / "scratch/1-1").exists()
    assert after.state is State.COMPLETE
    assert list(after.files) == []


def test_other_slots_go_on_while_a_worker_dies(make: Make, tmp_path: Path) -> None:
    go = tmp_path / "go"

    def objective(params: Params, trial: TrialContext) -> float:
        if params["dies"]:
            os._exit(1)
        until(go.exists)
        return 5.0

    executor = make(objective, slots=2)
    executor.submit(trial(0, dies=False))
    executor.submit(trial(1, dies=True))
    (dead,) = executor.wait(PATIENCE)
    go.touch()
    (alive,) = executor.wait(PATIENCE)

    assert (dead.number, dead.reason) == (1, "exit:1")
    assert (alive.number, alive.metrics) == (0, {"loss": 5.0})


def test_printed_output_is_kept_with_that_of_libraries_and_child_processes(make: Make, tmp_path: Path) -> None:
    def objective(params: Params, trial: TrialContext) -> float:
        if params["says"]:
            print(params["says"])
            print("\udc80 to stderr", file=sys.stderr)
            os.write(2, b"from C\n")
            subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
        return 1.0

    executor = make(objective)
    first, silent, second = (run(executor, trial(n, says=says)) for n, says in enumerate(["one ✓", "", "two"]))

    kept = (tmp_path / "kept/run0/logs/output.log").read_text("utf-8")
    assert kept.splitlines() == ["one ✓", "\\udc80 to stderr", "from C", "from a child"]
    assert [file.path for file in first.files] == ["logs/output.log"]
    assert list(silent.files) == []
    assert (tmp_path / "kept/run2/logs/output.log").read_text("utf-8").splitlines()[0] == "two"
    assert second.state is State.COMPLETE


def test_endless_output_is_cut_in_the_middle(make: Make, tmp_path: Path) -> None:
    def objective(params: Params, trial: TrialContext) -> float:
        print("first line")
        for _ in range(24):
            os.write(1, b"x" * 1024 * 1024 + b"\n")
        print("last line")
        return 1.0

    outcome = run(make(objective), trial(0))
    kept = (tmp_path / "kept/run0/logs/output.log").read_text()

    assert outcome.state is State.COMPLETE
    assert kept.startswith("first line\n")
    assert kept.endswith("last line\n")
    assert "the middle was cut out here" in kept
    assert len(kept) <= 10 * 2**20


def test_output_that_cannot_be_kept_does_not_cost_the_result(make: Make, tmp_path: Path) -> None:
    (tmp_path / "kept").touch()  # a file where the folder should be

    outcome = run(make(lambda params, trial: print("hello") or 1.0), trial(0))

    assert outcome.state is State.COMPLETE
    assert "Error" in outcome.tags["hpo.output_lost"]


def test_workers_leave_ctrl_c_to_the_driver(make: Make) -> None:
    def objective(params: Params, trial: TrialContext) -> float:
        for number in (signal.SIGINT, signal.SIGHUP):
            os.kill(os.getpid(), number)
        trial.set_tag("blocked", sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
        return 1.0

    outcome = run(make(objective), trial(0))

    assert (outcome.state, outcome.tags) == (State.COMPLETE, {"blocked": "[]"})


def test_each_worker_has_its_own_state_and_keeps_it(make: Make, tmp_path: Path) -> None:
    class Counting:
        calls = 0

        def __call__(self, params: Params, trial: TrialContext) -> float:
            Counting.calls += 1
            (tmp_path / f"here{trial.number}").touch()
            until((tmp_path / f"here{trial.number ^ 1}").exists)  # both slots are busy: one pair at a time
            return Counting.calls

    executor = make(Counting(), slots=2)
    counts = []
    for pair in ((0, 1), (2, 3)):
        for number in pair:
            executor.submit(trial(number))
        ended: list[Outcome] = []
        while len(ended) < 2:
            ended += executor.wait(PATIENCE)
        counts.append([outcome.metrics["loss"] for outcome in ended])

    assert counts == [[1.0, 1.0], [2.0, 2.0]]
    assert Counting.calls == 0


def test_cancelling_kills_a_hanging_trial_and_its_children(make: Make, tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    def objective(params: Params, trial: TrialContext) -> float:
        if trial.number == 0:
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            (trial.dir / "half").touch()
            pids.with_suffix(".tmp").write_text(f"{os.getpid()} {child.pid}")
            pids.with_suffix(".tmp").rename(pids)
            threading.Event().wait()
        return 1.0

    executor = make(objective)
    executor.submit(trial(0))
    until(pids.exists)
    executor.cancel(trial(0))

    until(lambda: not any(is_running(int(pid)) for pid in pids.read_text().split()))
    assert not (tmp_path / "scratch/0-1").exists()
    assert run(executor, trial(1)).state is State.COMPLETE


def test_closing_kills_hanging_trials_and_removes_their_folders(make: Make, tmp_path: Path) -> None:
    def objective(params: Params, trial: TrialContext) -> float:
        (trial.dir / str(os.getpid())).touch()
        threading.Event().wait()
        return 1.0

    executor = make(objective)
    executor.submit(trial(0))
    until(lambda: bool(list((tmp_path / "scratch").glob("0-1/*"))))
    pid = int(next((tmp_path / "scratch").glob("0-1/*")).name)
    executor.close()

    assert not is_running(pid)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_what_cannot_be_pickled_is_known_before_trial_1(make: Make) -> None:
    lock = threading.Lock()

    with pytest.raises(ObjectiveError, match=r"cannot be sent to worker processes: .*cannot pickle '_thread\.lock'"):
        make(lambda params, trial: float(lock.locked()))


def test_what_cannot_be_imported_in_a_worker_is_known_before_trial_1(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("def objective(params, trial):\n    return 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    from only_here import objective  # type: ignore[import-not-found]  # made one line above

    sys.path.remove(str(tmp_path))  # a worker begins with the driver's search path

    with pytest.raises(ObjectiveError, match=r"cannot be loaded in a worker process: ModuleNotFoundError.*only_here"):
        make(objective)
    assert run(make(objective, search_path=[str(tmp_path)]), trial(0)).metrics == {"loss": 1.0}


def test_an_objective_that_kills_its_worker_while_getting_ready_is_named(make: Make) -> None:
    class Deadly:
        def prepare(self) -> None:
            print("about to die")
            os._exit(9)

        def __call__(self, params: Params, trial: TrialContext) -> float:
            return 1.0

    with pytest.raises(ObjectiveError, match=r"killed its worker: .*exit 9(.|\n)*about to die"):
        make(Deadly())


def test_inner_threads_are_set_before_numpy_is_imported(make: Make) -> None:
    def objective(params: Params, trial: TrialContext) -> Mapping[str, float]:
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        return {"loss": 0.0, **{name: float(os.environ[name]) for name in names}}

    metrics = run(make(objective, inner_threads=3), trial(0)).metrics

    assert metrics == {"loss": 0.0, "OMP_NUM_THREADS": 3.0, "OPENBLAS_NUM_THREADS": 3.0, "MKL_NUM_THREADS": 3.0}


DRIVER = """
import sys, threading
from pathlib import Path
from functools import partial
from hpo.executors import worker_source
from hpo.executors.lifeline import lifeline
from hpo.executors.names import make_executor
from hpo.trial import Goal, Trial

folder, by_kernel = Path(sys.argv[1]), sys.argv[2] == "kernel"
worker_source.lifeline = partial(lifeline, by_kernel=by_kernel)

def objective(params, trial):
    import os, threading
    (folder / f"worker{trial.number}.pid").write_text(str(os.getpid()))
    threading.Event().wait()

def start():
    global executor
    executor = make_executor("loky", slots=2, objective=objective, metric="m", goal=Goal.MINIMIZE, files=None,
                             scratch=folder / "scratch")
    for number in range(2):
        executor.submit(Trial(number, {}, 0))

thread = threading.Thread(target=start)  # ends long before its executor does
thread.start()
thread.join()
executor.wait(None)
"""


@pytest.mark.parametrize(
    "way", ["pipe", pytest.param("kernel", marks=pytest.mark.skipif(sys.platform != "linux", reason="Linux only"))]
)
def test_no_worker_outlives_a_killed_driver(way: str, tmp_path: Path) -> None:
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(tmp_path), way], stderr=subprocess.DEVNULL)
    files = [tmp_path / f"worker{number}.pid" for number in range(2)]
    try:
        until(lambda: all(file.exists() and file.read_text() for file in files))
        pids = [int(file.read_text()) for file in files]
        assert all(is_running(pid) for pid in pids)
    finally:
        driver.kill()
        driver.wait()

    try:
        until(lambda: not any(is_running(pid) for pid in pids))
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
