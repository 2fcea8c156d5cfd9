"""Workers that start before their driver knows what they are to do: the same as any other, and never left behind."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import psutil
import pytest

from hpo.config.reading import read_sweep_text
from hpo.config.schema import SweepConfig
from hpo.early_workers import EarlyWorkers
from hpo.errors import ObjectiveError
from hpo.executors.names import make_executor
from hpo.executors.worker_source import WorkerKind
from hpo.objective import Objective, TrialContext
from hpo.search import run
from hpo.space import Params
from hpo.trial import Goal, Outcome, Trial
from trackers.errors import StoreUnavailable

SWEEP = """
name: early
metric: {name: loss}
objective: {python: "early_objective:objective"}
parameters: {x: {type: float, low: 0, high: 1}}
engine: {name: optuna, sampler: random}
budget: {n_trials: 1}
"""
LOKY = "parallel: {n_jobs: 1, backend: loky}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, where scratch folders are made too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def config(parallel: str = LOKY) -> SweepConfig:
    return read_sweep_text(SWEEP + parallel)


def workers() -> list[int]:
    return [child.pid for child in psutil.Process().children(recursive=True) if "HPO_SLOTS" in child.environ()]


def scratch_folders(folder: Path) -> list[Path]:
    return list(folder.glob("hpo-scratch-*"))


def outcome(early: EarlyWorkers, folder: Path, objective: Objective) -> Outcome:
    executor = make_executor(
        "loky", slots=1, objective=objective, metric="loss", goal=Goal.MINIMIZE, files=None, scratch=folder / "scratch",
        source=early.take(),
    )  # fmt: skip
    try:
        executor.submit(Trial(0, {"x": 0.5}, 0))
        return executor.wait(None)[0]
    finally:
        executor.close()


def seen(params: Params, trial: TrialContext) -> Mapping[str, float]:
    worker = os.environ["HPO_SLOTS"].rstrip(";").rpartition("/")[2]
    return {"loss": params["x"], "worker": float(worker), "set": float(os.environ.get("EARLY_TEST", "0"))}  # type: ignore[dict-item]  # a number


def test_a_trial_runs_in_the_worker_that_was_started_early(folder: Path) -> None:
    with EarlyWorkers() as early:
        early.start(config())
        assert outcome(early, folder, seen).metrics == {"loss": 0.5, "worker": 0, "set": 0}
    assert not workers()
    assert not scratch_folders(folder)


def test_what_user_code_sets_in_the_environment_reaches_the_trials(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EarlyWorkers() as early:
        early.start(config())
        monkeypatch.setenv("EARLY_TEST", "7")  # as a module of the user's may when it is imported
        assert outcome(early, folder, seen).metrics == {"loss": 0.5, "worker": 1, "set": 7}
    assert not workers()


def test_what_scikit_learn_sets_when_it_is_imported_is_told_to_a_worker(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "KMP_INIT_AT_FORK"
    monkeypatch.delenv(name, raising=False)
    with EarlyWorkers() as early:
        early.start(config())
        monkeypatch.setenv(name, "FALSE")
        metrics = outcome(
            early, folder, lambda p, t: {**seen(p, t), "told": float(os.environ[name] == "FALSE")}
        ).metrics
    assert metrics == {"loss": 0.5, "worker": 0, "set": 0, "told": 1}


def missing_objective(_: Path) -> str:
    return "sqlite:///mlflow.db"


def missing_store(folder: Path) -> str:
    (folder / "early_objective.py").write_text("def objective(params, trial):\n    return params['x']\n")
    return f"sqlite:///{folder / 'missing' / 'mlflow.db'}/no"


@pytest.mark.parametrize(("broken", "error"), [(missing_objective, ObjectiveError), (missing_store, StoreUnavailable)])
def test_a_run_that_is_refused_leaves_no_worker_behind(
    broken: Callable[[Path], str], error: type[Exception], folder: Path
) -> None:
    (folder / "sweep.yaml").write_text(SWEEP + LOKY)
    with pytest.raises(error):
        run("sweep.yaml", tracker=broken(folder))
    assert not workers()
    assert not scratch_folders(folder)


@pytest.mark.parametrize("parallel", ["parallel: {backend: serial}\n", "parallel: {cpus_per_trial: 1, n_jobs: 1}\n"])
def test_none_are_started_where_trials_run_elsewhere_or_have_devices_of_their_own(parallel: str, folder: Path) -> None:
    with EarlyWorkers() as early:
        early.start(config(parallel))
        assert early.take() is None
    assert not scratch_folders(folder)


class Noting:
    """In place of a WorkerSource: notes what it is asked to start."""

    def __init__(self, noted: list[object], kind: WorkerKind) -> None:
        noted += [kind.inner_threads, kind.asks]
        self._noted = noted

    def start_early(self, number: int, modules: Sequence[str]) -> None:
        self._noted += [number, modules[-1]]

    def close(self) -> None:
        """There is nothing to end."""


@pytest.mark.parametrize(
    ("parallel", "kind"),
    [
        (LOKY, [1, "", 1]),
        ("parallel: {n_jobs: 1, backend: loky, inner_threads: 3}\npruner: median\n", [3, "loss", 1]),
        ("parallel: {n_jobs: 1000, backend: loky}\n", [1, "", 2]),
    ],
)
def test_they_are_of_the_kind_that_the_search_takes_and_no_more_than_cores(
    parallel: str, kind: list[object], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[object] = []
    monkeypatch.setattr("hpo.executors.worker_source.WorkerSource", partial(Noting, noted))
    monkeypatch.setattr("hpo.early_workers.usable_cores", lambda: 2)
    with EarlyWorkers() as early:
        early.start(config(parallel))
        early.start(config(parallel))
        assert (early.take() is None, early.take() is None) == (False, True)
    assert noted == [*kind, "hpo.objectives.python_objective"]


DRIVER = """
import sys, time
from hpo.config.reading import read_sweep_text
from hpo.early_workers import EarlyWorkers

with EarlyWorkers() as early:
    early.start(read_sweep_text(sys.argv[1]))
    print("started", flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_none_outlives_a_driver_that_is_killed_before_there_is_work(folder: Path) -> None:
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, SWEEP + LOKY], cwd=folder, stdout=subprocess.PIPE)
    assert driver.stdout is not None
    assert driver.stdout.readline()
    started = psutil.Process(driver.pid).children(recursive=True)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    driver.stdout.close()
    assert started
    assert not psutil.wait_procs(started, timeout=60)[1]
