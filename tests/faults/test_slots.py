"""What a trial or its worker can do wrong costs that trial alone (F4-F9), and leaves no process behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import cloudpickle
import psutil
import pytest

from hpo.executor import Executor
from hpo.executors import process_slot, verdict, worker_death
from hpo.executors.limits import Limits
from hpo.executors.names import make_executor
from hpo.executors.result_folder import WORTH_SAVING, ResultFolder
from hpo.objective import TrialContext
from hpo.trial import Goal, Outcome, Report, SavedFile, SavedModel, State, Trial

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test file

PATIENCE = 60.0
Params = Mapping[str, object]
Make = Callable[..., Executor]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Executor] = []

    def make(objective: object, slots: int = 1, **more: object) -> Executor:
        settings = {"metric": "loss", "goal": Goal.MINIMIZE, "files": None, "scratch": tmp_path / "scratch"}
        made.append(make_executor("loky", slots=slots, objective=objective, **settings | more))
        return made[-1]

    yield make
    for executor in made:
        executor.close()


def trial(number: int, attempt: int = 1, **params: object) -> Trial:
    return Trial(number, params, seed=number, attempt=attempt)


def run(executor: Executor, trial: Trial) -> Outcome:
    executor.submit(trial)
    (outcome,) = executor.wait(PATIENCE)
    return outcome


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.005)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


STUBBORN = "import signal, time\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\nopen({here!r}, 'w').close()\n"
STUBBORN += "while True: time.sleep(600)"


def stubborn_child(folder: Path, *, in_own_session: bool = False) -> int:
    """Starts a process that ignores whatever can be ignored; it does so when this returns."""
    here = folder / "here"
    code = STUBBORN.format(here=str(here))
    pid = subprocess.Popen([sys.executable, "-c", code], start_new_session=in_own_session).pid
    until(here.exists)
    return pid


def write_pids(path: Path, *pids: int) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(pids))
    part.rename(path)


def pids_in(path: Path) -> list[int]:
    until(path.exists)
    pids: list[int] = json.loads(path.read_text())
    return pids


def hang(folder: Path, *, in_own_session: bool = False) -> None:
    """Never returns, whatever signal comes, and neither does its child."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = stubborn_child(folder, in_own_session=in_own_session)
    write_pids(folder / "pids", os.getpid(), child)
    while True:
        time.sleep(600)


@pytest.mark.everyday(count=1)
@pytest.mark.parametrize("in_own_session", [False, True], ids=["same session", "own session"])
def test_a_trial_that_ignores_sigterm_ends_after_timeout_and_grace_with_its_children(
    in_own_session: bool, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F7"""
    monkeypatch.setattr(verdict, "GRACE", 0.5)

    def objective(params: Params, trial: TrialContext) -> float:
        if params["hangs"]:
            hang(tmp_path, in_own_session=in_own_session)
        return 1.0

    executor = make(objective, limits=Limits(timeout=1.0))
    began = time.monotonic()
    outcome = run(executor, trial(0, hangs=True))
    took = time.monotonic() - began

    assert (outcome.state, outcome.reason) == (State.FAILED, "timeout")
    assert outcome.error == "ran longer than 1s (objective.timeout); its processes were ended"
    assert 1.5 <= took < 20
    assert 1.5 <= outcome.seconds <= took
    assert not any(is_running(pid) for pid in pids_in(tmp_path / "pids"))
    assert run(executor, trial(1, hangs=False)).state is State.COMPLETE


@pytest.mark.slow
def test_a_trial_that_ends_itself_on_sigterm_timed_out_all_the_same(make: Make, tmp_path: Path) -> None:
    """F7"""

    def objective(params: Params, trial: TrialContext) -> float:
        if params["hangs"]:
            signal.signal(signal.SIGTERM, lambda number, frame: (tmp_path / "cleaned up").touch())
            while not (tmp_path / "cleaned up").exists():
                time.sleep(0.005)
        return 1.0

    executor = make(objective, limits=Limits(timeout=0.3))
    outcome = run(executor, trial(0, hangs=True))

    assert (tmp_path / "cleaned up").exists()
    assert (outcome.state, outcome.reason, outcome.metrics) == (State.FAILED, "timeout", {})
    assert run(executor, trial(1, hangs=False)).state is State.COMPLETE


@pytest.mark.slow
def test_the_time_of_a_trial_begins_when_its_worker_is_ready(make: Make, tmp_path: Path) -> None:
    class SlowToGetReady:
        def prepare(self) -> None:
            if (tmp_path / "slow").exists():
                time.sleep(1.0)

        def __call__(self, params: Params, trial: TrialContext) -> float:
            if params["dies"]:
                (tmp_path / "slow").touch()
                os._exit(3)
            return 1.0

    executor = make(SlowToGetReady(), limits=Limits(timeout=0.5))
    assert run(executor, trial(0, dies=True)).reason == "exit:3"

    assert run(executor, trial(1, dies=False)).state is State.COMPLETE


@pytest.mark.everyday(count=1)
@pytest.mark.parametrize("where", ["itself", "a child"])
def test_a_trial_that_holds_too_much_memory_is_killed_and_both_numbers_are_named(
    where: str, make: Make, tmp_path: Path
) -> None:
    """F4"""
    grow = "import time\nheld = []\nwhile True: held.append(bytearray(b'x' * 2**24)); time.sleep(0.02)"

    def objective(params: Params, trial: TrialContext) -> float:
        if params["where"] == "itself":
            exec(grow)
        elif params["where"] == "a child":
            child = subprocess.Popen([sys.executable, "-c", grow])
            write_pids(tmp_path / "pids", child.pid)
            child.wait()
        return 1.0

    executor = make(objective, limits=Limits(memory=300 * 2**20))
    outcome = run(executor, trial(0, where=where))

    assert (outcome.state, outcome.reason) == (State.FAILED, "oom")
    assert outcome.error.startswith("held ")
    assert outcome.error.endswith(" MiB of memory, more than the 300 MiB of objective.memory")
    assert 300 < int(outcome.error.split()[1]) < 1000
    if where == "a child":
        assert not any(is_running(pid) for pid in pids_in(tmp_path / "pids"))
    assert run(executor, trial(1, where="nowhere")).state is State.COMPLETE


def test_a_memory_error_is_out_of_memory(make: Make) -> None:
    """F4"""
    outcome = run(make(lambda params, trial: len(bytearray(2**62))), trial(0))

    assert (outcome.state, outcome.reason) == (State.FAILED, "oom")


@pytest.mark.slow
def test_a_sigkill_counts_as_out_of_memory_where_the_kernel_says_that_it_killed_for_that(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F4"""
    vmstat = tmp_path / "vmstat"
    vmstat.write_text("nr_free 7\noom_kill 4\n")
    monkeypatch.setattr(worker_death, "VMSTAT", vmstat)

    def objective(params: Params, trial: TrialContext) -> float:
        if params["memory"]:
            vmstat.write_text("nr_free 7\noom_kill 5\n")
        os.kill(os.getpid(), signal.SIGKILL)
        return 1.0

    executor = make(objective)
    unexplained, explained = run(executor, trial(0, memory=False)), run(executor, trial(1, memory=True))

    assert (unexplained.reason, unexplained.error.split(", ")[-1]) == ("signal:9", "SIGKILL (maybe out of memory)")
    assert explained.reason == "oom"


def test_the_death_of_a_worker_is_noticed_though_its_child_lives_on(make: Make, tmp_path: Path) -> None:
    """F6: a forked child holds the pipes open whose end tells the driver of its worker's death."""

    def objective(params: Params, trial: TrialContext) -> float:
        if params["dies"]:
            child = os.fork()
            if child == 0:
                os.setsid()
                while True:
                    time.sleep(600)
            write_pids(tmp_path / "pids", child)
            os._exit(0)
        return 1.0

    executor = make(objective)
    outcome = run(executor, trial(0, dies=True))

    assert (outcome.state, outcome.reason) == (State.FAILED, "no_result")
    until(lambda: not is_running(pids_in(tmp_path / "pids")[0]))
    assert run(executor, trial(1, dies=False)).state is State.COMPLETE


def test_a_segmentation_fault_fails_its_trial_alone(make: Make) -> None:
    """F6"""

    def objective(params: Params, trial: TrialContext) -> float:
        if params["dies"]:
            import ctypes

            ctypes.string_at(0)
        return 1.0

    executor = make(objective)
    outcome = run(executor, trial(0, dies=True))

    assert (outcome.state, outcome.reason) == (State.FAILED, "signal:11")
    assert outcome.started > 1_600_000_000_000
    assert run(executor, trial(1, dies=False)).state is State.COMPLETE


def test_a_worker_killed_while_idle_costs_nothing(make: Make) -> None:
    """F5"""
    executor = make(lambda params, trial: os.getpid())
    pid = int(run(executor, trial(0)).metrics["loss"])
    os.kill(pid, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(pid))

    again = run(executor, trial(1))

    assert again.state is State.COMPLETE
    assert again.metrics["loss"] != pid


@pytest.mark.slow
def test_a_worker_killed_before_the_trial_began_is_lost(make: Make, tmp_path: Path) -> None:
    """F5"""

    class Waiting:
        def prepare(self) -> None:
            if (tmp_path / "wait").exists():
                write_pids(tmp_path / "pids", os.getpid())
                while True:
                    time.sleep(600)

        def __call__(self, params: Params, trial: TrialContext) -> float:
            if trial.number == 0:
                (tmp_path / "wait").touch()
                os._exit(1)
            return 1.0

    executor = make(Waiting())
    assert run(executor, trial(0)).reason == "exit:1"
    executor.submit(trial(1))
    (pid,) = pids_in(tmp_path / "pids")
    (tmp_path / "wait").unlink()
    os.kill(pid, signal.SIGKILL)
    (outcome,) = executor.wait(PATIENCE)

    assert (outcome.reason, outcome.error) == ("lost", "its worker died before the trial began")
    assert run(executor, trial(1, attempt=2)).state is State.COMPLETE


@pytest.mark.parametrize("way", ["cancel", "close"])
def test_what_a_trial_started_ends_with_it(way: str, make: Make, tmp_path: Path) -> None:
    """F7"""
    executor = make(lambda params, trial: hang(tmp_path, in_own_session=True))
    executor.submit(trial(0))
    pids = pids_in(tmp_path / "pids")

    if way == "cancel":
        executor.cancel(trial(0))
    else:
        executor.close()

    assert not any(is_running(pid) for pid in pids)


def test_a_worker_leads_a_session_and_is_the_first_to_go_when_memory_runs_out(make: Make) -> None:
    def objective(params: Params, trial: TrialContext) -> Mapping[str, float]:
        score = float(Path("/proc/self/oom_score_adj").read_text())
        return {"loss": 0.0, "pid": os.getpid(), "session": os.getsid(0), "group": os.getpgid(0), "score": score}

    metrics = run(make(objective), trial(0)).metrics

    assert metrics["session"] == metrics["group"] == metrics["pid"] != os.getsid(0)
    assert metrics["score"] == 1000


def test_a_worker_is_replaced_after_many_trials_and_no_trial_waits_for_that(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_slot, "WORN_TRIALS", 3)

    class SlowToGetReady:
        def prepare(self) -> None:
            while (tmp_path / "hold").exists():
                time.sleep(0.005)

        def __call__(self, params: Params, trial: TrialContext) -> float:
            return os.getpid()

    executor = make(SlowToGetReady())
    (tmp_path / "hold").touch()
    first = [run(executor, trial(n)).metrics["loss"] for n in range(20)]
    (tmp_path / "hold").unlink()
    pids = [*first]
    deadline = time.monotonic() + PATIENCE
    while pids[-1] == pids[0] and time.monotonic() < deadline:
        pids.append(run(executor, trial(len(pids))).metrics["loss"])

    assert len(set(first)) == 1  # the old one went on while the new one was not ready
    assert len(set(pids)) == 2
    until(lambda: not is_running(int(pids[0])))


def test_a_worker_that_has_grown_is_replaced(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_slot, "WORN_GROWTH", 32 * 2**20)
    monkeypatch.setattr(process_slot, "LOOK", 0.0)

    class Leaking:
        kept: ClassVar[list[bytes]] = []

        def __call__(self, params: Params, trial: TrialContext) -> float:
            Leaking.kept.append(b"x" * 2**20 * int(str(params["megabytes"])))
            return os.getpid()

    executor = make(Leaking())
    sizes = [1, 1, 1, 1000, 1]
    pids = [run(executor, trial(n, megabytes=size)).metrics["loss"] for n, size in enumerate(sizes)]

    assert len(set(pids[:4])) == 1
    assert pids[4] != pids[0]
    assert not is_running(int(pids[0]))


DRIVER = """
import sys
from pathlib import Path
from typing import ClassVar
from hpo.executors.names import make_executor
from hpo.trial import Goal, Trial

folder = Path(sys.argv[1])
exec(Path(sys.argv[2]).read_text())

if __name__ == "__main__":
    executor = make_executor("loky", slots=1, objective=objective, metric="m", goal=Goal.MINIMIZE, files=None,
                             scratch=folder / "scratch")
    executor.submit(Trial(0, {}, 0))
    executor.wait(None)
"""
HANGING = """
def objective(params, trial):
    import json, os, subprocess, sys, time
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
    children = [subprocess.Popen([sys.executable, "-c", code], start_new_session=own).pid for own in (False, True)]
    (folder / "pids.part").write_text(json.dumps([os.getpid(), *children]))
    (folder / "pids.part").rename(folder / "pids")
    time.sleep(600)
"""


def test_nothing_a_trial_started_outlives_a_killed_driver(tmp_path: Path) -> None:
    """F1, G11: the kernel tells the worker alone of the driver's death; its children are the guard's."""
    (tmp_path / "objective.py").write_text(HANGING)
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(tmp_path), str(tmp_path / "objective.py")])
    pids = pids_in(tmp_path / "pids")
    assert all(is_running(pid) for pid in pids)

    driver.kill()
    driver.wait()

    until(lambda: not any(is_running(pid) for pid in pids))


FULL = Outcome(
    number=7,
    attempt=2,
    state=State.COMPLETE,
    metrics={"loss": 0.1 + 0.2, "nan": float("nan"), "inf": float("-inf"), "tiny": 5e-324},
    reports=(Report("loss", float("inf"), 3, 1_700_000_000_000),),
    tags={"emoji ✓": "line\nbreak \u2028 \x7f"},
    files=(SavedFile("a/b.txt", 12, "0" * 64),),
    models=(SavedModel("m-1", "model", "model", "sklearn"),),
    reason="",
    error="é",
    traceback="Traceback\n",
    started=1_700_000_000_001,
    seconds=1.2345678901234567,
)


def test_a_written_result_comes_back_as_it_was(tmp_path: Path) -> None:
    folder = ResultFolder(tmp_path / "results")
    folder.save(FULL)

    (found,) = folder.adopt([trial(7, attempt=2)])

    assert repr(found) == repr(FULL)  # NaN does not equal itself
    assert (tmp_path / "results").stat().st_mode & 0o777 == 0o700
    folder.forget(found)
    assert list((tmp_path / "results").iterdir()) == []


def test_many_slots_write_down_long_trials_only(tmp_path: Path) -> None:
    folder = ResultFolder(tmp_path).shared_by(64)

    folder.save(FULL)
    assert list(tmp_path.iterdir()) == []

    folder.save(replace(FULL, seconds=3.2))
    (found,) = folder.adopt([trial(7, attempt=2)])
    ResultFolder(tmp_path).forget(found)
    assert list(tmp_path.iterdir()) == []


def test_two_slots_write_down_all_that_is_worth_it(tmp_path: Path) -> None:
    assert ResultFolder(tmp_path).shared_by(2) == ResultFolder(tmp_path) == ResultFolder(tmp_path).shared_by(1)


@pytest.mark.parametrize("harm", ["cut", "altered", "half written", "of another attempt", "renamed"])
def test_what_is_not_whole_or_not_of_this_attempt_is_no_result(harm: str, tmp_path: Path) -> None:
    folder = ResultFolder(tmp_path)
    folder.save(FULL)
    path = tmp_path / "7-2.json"
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    if harm == "altered":
        path.write_text(path.read_text().replace("0.30000000000000004", "0.20000000000000004"))
    if harm == "half written":
        path.rename(tmp_path / "7-2.123.part")
    if harm == "renamed":
        path.rename(tmp_path / "8-1.json")

    attempts = {"of another attempt": trial(7, attempt=3), "renamed": trial(8)}

    assert list(folder.adopt([attempts.get(harm, trial(7, attempt=2))])) == []
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_for_results_costs_no_trial(make: Make, tmp_path: Path) -> None:
    (tmp_path / "results").touch()  # a file where the folder should be

    executor = make(lambda params, trial: time.sleep(0.15) or 1.0, results=ResultFolder(tmp_path / "results"))

    assert run(executor, trial(0)).state is State.COMPLETE


OBJECTIVE = """
import os
import signal
import time
from pathlib import Path

HERE = Path(__file__).parent


def write(word, trial):
    descriptor = os.open(HERE / "attempts.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{word} {trial.number} {os.getpid()}\\n".encode())
    os.close(descriptor)


def objective(params, trial):
    write("start", trial)
    if trial.number == 1 and (HERE / "fatal").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    if trial.number == 1 and (HERE / "hang").exists():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(600)
    while trial.number == 1 and (HERE / "barrier").exists():
        time.sleep(0.005)
    write("finish", trial)
    return params["x"]
"""


@pytest.fixture
def slots_folder(sweep_folder):
    (sweep_folder.path / "slots_objective.py").write_text(OBJECTIVE)
    return sweep_folder


def write_sweep(folder, **objective: object) -> None:
    folder.write(
        objective={"python": "slots_objective:objective", **objective},
        parallel={"n_jobs": 2, "backend": "loky"},
        budget={"n_trials": 4},
    )


def attempts(folder) -> list[tuple[str, int, int]]:
    """What the objective itself wrote: word, number, pid."""
    path = folder.path / "attempts.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(word, int(number), int(pid)) for word, number, pid in map(str.split, lines)]


def test_a_worker_killed_from_outside_is_replaced_and_its_trial_runs_again(slots_folder) -> None:
    """F5"""
    write_sweep(slots_folder)
    (slots_folder.path / "barrier").touch()
    driver = slots_folder.start("run", "sweep.yaml")
    until(lambda: any(word == "start" and number == 1 for word, number, _ in attempts(slots_folder)))
    (pid,) = [pid for word, number, pid in attempts(slots_folder) if (word, number) == ("start", 1)]
    os.kill(pid, signal.SIGKILL)
    (slots_folder.path / "barrier").unlink()

    assert driver.wait() == 0
    assert "trial 1: the worker process was killed by signal 9, SIGKILL" in driver.stderr
    assert "worker replaced, trial put back as attempt 2" in driver.stderr
    assert slots_folder.states() == ["COMPLETE"] * 4
    assert [trial.attempt for trial in slots_folder.trials()] == [1, 2, 1, 1]


def test_a_trial_that_kills_its_process_has_one_more_try_and_is_failed(slots_folder) -> None:
    """F4"""
    write_sweep(slots_folder)
    (slots_folder.path / "fatal").touch()
    driver = slots_folder.hpo("run", "sweep.yaml")

    assert driver.wait() == 0
    assert "trial 1 FAILED signal:9: the worker process was killed by signal 9, SIGKILL (maybe out of memory)" in (
        driver.stderr
    )
    assert slots_folder.states() == ["COMPLETE", "FAILED", "COMPLETE", "COMPLETE"]
    assert slots_folder.trials()[1].reason == "signal:9"
    assert [number for word, number, _ in attempts(slots_folder) if word == "start"].count(1) == 2


def test_a_sweep_goes_on_past_a_trial_that_hangs(slots_folder) -> None:
    """F7"""
    write_sweep(slots_folder, timeout="1s")
    (slots_folder.path / "hang").touch()
    driver = slots_folder.hpo("run", "sweep.yaml")

    assert driver.wait() == 0
    assert "trial 1 FAILED timeout: ran longer than 1s (objective.timeout)" in driver.stderr
    assert slots_folder.states() == ["COMPLETE", "FAILED", "COMPLETE", "COMPLETE"]
    assert 1.0 < slots_folder.trials()[1].seconds < 30
    assert not any(is_running(pid) for _, _, pid in attempts(slots_folder))


def killed_with_a_result_to_adopt(slots_folder) -> None:
    """As after a driver that is killed when a worker has written its result down, and it is not recorded yet."""
    write_sweep(slots_folder)
    (slots_folder.path / "barrier").touch()
    driver = slots_folder.start("run", "sweep.yaml")
    until(lambda: any(word == "start" and number == 1 for word, number, _ in attempts(slots_folder)))
    driver.send(signal.SIGSTOP)
    time.sleep(WORTH_SAVING)  # the trial is to have taken long enough
    (slots_folder.path / "barrier").unlink()
    until(lambda: list(slots_folder.path.glob("mlruns/**/results/1-1.json")))
    driver.kill9()
    assert slots_folder.trials()[1].state == "RUNNING"


@pytest.mark.slow
def test_a_result_written_by_a_worker_is_adopted_and_its_trial_not_run_again(slots_folder) -> None:
    """F1: the driver is killed after the worker wrote its result down and before it was recorded."""
    killed_with_a_result_to_adopt(slots_folder)

    resumed = slots_folder.hpo("run", "sweep.yaml")

    assert resumed.wait() == 0
    assert "took over 1 result that workers had written down" in resumed.stderr
    assert "trial 1 COMPLETE" in resumed.stderr
    assert slots_folder.states() == ["COMPLETE"] * 4
    assert slots_folder.trials()[1].attempt == 1
    assert [number for word, number, _ in attempts(slots_folder) if word == "start"].count(1) == 1
    assert slots_folder.integrity() == "ok"
    assert list(slots_folder.path.glob("mlruns/**/results/*")) == []


@pytest.mark.slow
def test_stop_adopts_the_results_that_workers_of_a_dead_driver_wrote(slots_folder) -> None:
    """F1: what has finished is on record, with the best, and does not run again."""
    killed_with_a_result_to_adopt(slots_folder)

    stopped = slots_folder.hpo("stop", "@latest")

    assert stopped.wait() == 1
    assert "1 result it had not recorded on record now" in stopped.stderr
    adopted = slots_folder.trials()[1]
    assert (adopted.state, adopted.attempt) == ("COMPLETE", 1)
    parent = slots_folder.sweep(slots_folder.latest_name())
    assert parent.status == "KILLED"
    ended = [trial for trial in slots_folder.trials() if trial.state == "COMPLETE"]
    assert json.loads(parent.tags["hpo.progress"])["complete"] == len(ended)
    best = min(ended, key=lambda trial: trial.value)
    assert (parent.tags["hpo.best_trial"], float(parent.tags["hpo.best_value"])) == (str(best.number), best.value)
    assert list(slots_folder.path.glob("mlruns/**/results/*")) == []
    assert slots_folder.hpo("run", "sweep.yaml").wait() == 0
    assert slots_folder.states() == ["COMPLETE"] * 4
    assert [number for word, number, _ in attempts(slots_folder) if word == "start"].count(1) == 1
