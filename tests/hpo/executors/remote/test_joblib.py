"""Pilots in backends of joblib: what is said where they cannot be had, and what becomes of lost ones."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import cloudpickle
import joblib
import psutil
import pytest
from joblib._parallel_backends import LokyBackend, ThreadingBackend
from waiting import until

from hpo.errors import ClusterUnavailable, ConfigError
from hpo.executor import Executor
from hpo.executors.devices import Share
from hpo.executors.names import make_executor
from hpo.executors.remote.cluster import Cluster
from hpo.executors.remote.joblib_placement import TRIES, JoblibPlacement, joblib_placement
from hpo.executors.remote.placement import ENDED, LOST, PilotReport
from hpo.executors.remote.placement_process import FINDING, MAKING
from hpo.objective import TrialContext
from hpo.processes.slot_processes import is_alive
from hpo.trial import Goal, Outcome, State, Trial

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test file

PATIENCE = 60.0
Make = Callable[..., Executor]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Executor] = []

    def make(backend: str, slots: int = 1, **more: object) -> Executor:
        settings: dict[str, object] = {
            "metric": "loss",
            "goal": Goal.MINIMIZE,
            "files": None,
            "scratch": tmp_path / "scratch",
        }
        made.append(make_executor(backend, slots=slots, objective=double, **settings | more))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for executor in made:
        executor.close()


def double(params: Mapping[str, float], trial: TrialContext) -> float:
    return params["x"] * 2


def run(executor: Executor, number: int) -> Outcome:
    executor.submit(Trial(number, {"x": number}, seed=0))
    (outcome,) = executor.wait(PATIENCE)
    return outcome


def reports_of(placement: JoblibPlacement, count: int) -> list[PilotReport]:
    reports: list[PilotReport] = []
    deadline = time.monotonic() + PATIENCE
    while len(reports) < count:
        assert time.monotonic() < deadline, "nothing happened in time"
        reports += placement.ended()
        time.sleep(0.01)
    return reports


def test_a_backend_that_joblib_does_not_know_is_named() -> None:
    with pytest.raises(ConfigError, match=r"joblib has no backend 'spork' .* name with parallel\.register what regist"):
        JoblibPlacement(backend="spork", register=None)


def test_what_registers_a_backend_is_called_first_and_its_error_is_told() -> None:
    with pytest.raises(ConfigError, match=r"parallel\.register: operator:nothing cannot be called: AttributeError"):
        JoblibPlacement(backend="loky", register="operator:nothing")


def test_only_the_user_knows_how_workers_of_other_backends_reach_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    assert JoblibPlacement(backend="loky", register=None).address == "127.0.0.1"
    monkeypatch.setitem(joblib.parallel.BACKENDS, "elsewhere", LokyBackend)
    with pytest.raises(ConfigError, match=r"parallel\.listen: say at which address .* joblib's elsewhere reach it"):
        _ = JoblibPlacement(backend="elsewhere", register=None).address


def test_joblib_deals_no_devices(make: Make) -> None:
    with pytest.raises(ConfigError, match="joblib cannot deal devices through its backend loky"):
        make("joblib:loky", share=Share(gpus=1))


class Unraised(ThreadingBackend):  # type: ignore[misc]  # joblib has no types
    """Hands out a task's error as if it were its result, as Spark's."""

    supports_retrieve_callback = False


def fail() -> Callable[[str], str]:
    def pilot(errand: str) -> str:
        raise RuntimeError("in the worker:\nTraceback (most recent call last):\n  ..\nModuleNotFoundError: no joblib\n")

    return pilot


def test_the_reason_why_a_task_failed_is_told_where_a_backend_hands_it_out_as_a_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(joblib.parallel.BACKENDS, "unraised", Unraised)
    monkeypatch.setattr("hpo.executors.remote.joblib_placement.sent_pilot", fail)
    placement = JoblibPlacement(backend="unraised", register=None)
    placement.place("errand", 1)
    assert reports_of(placement, 1) == [PilotReport(LOST, "ModuleNotFoundError: no joblib")]


def test_a_backend_that_runs_nothing_any_more_is_registered_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spark's session is dead for good when its virtual machine is."""
    monkeypatch.setitem(joblib.parallel.BACKENDS, "unraised", Unraised)
    monkeypatch.setattr("hpo.executors.remote.joblib_placement.sent_pilot", fail)
    placement = JoblibPlacement(backend="unraised", register=None)
    for _ in range(TRIES):
        placement.place("errand", 1)
        reports_of(placement, 1)

    with pytest.raises(ClusterUnavailable, match="joblib's unraised runs nothing any more"):
        placement.ended()


def short() -> Callable[[str], str]:
    return lambda errand: PilotReport(ENDED).json


class Elsewhere(ThreadingBackend):  # type: ignore[misc]  # joblib has no types
    """Counts the calls of joblib that it is part of."""

    calls = 0

    def start_call(self) -> None:
        type(self).calls += 1


@pytest.mark.parametrize(("name", "calls"), [("elsewhere", 1), ("spark", 3)])
def test_spark_has_a_call_for_each_pilot_so_that_one_that_fails_costs_no_other(
    name: str, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(joblib.parallel.BACKENDS, name, Elsewhere)
    monkeypatch.setattr(Elsewhere, "calls", 0)
    monkeypatch.setattr("hpo.executors.remote.joblib_placement.sent_pilot", short)
    placement = JoblibPlacement(backend=name, register=None)
    placement.place("errand", 3)

    assert len(reports_of(placement, 3)) == 3
    assert Elsewhere.calls == calls


def test_a_single_pilot_runs_in_the_backend_too_and_not_beside_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(joblib.parallel.BACKENDS, "elsewhere", Elsewhere)
    monkeypatch.setattr(Elsewhere, "calls", 0)
    monkeypatch.setattr("hpo.executors.remote.joblib_placement.sent_pilot", short)
    placement = JoblibPlacement(backend="elsewhere", register=None)
    placement.place("errand", 1)

    assert len(reports_of(placement, 1)) == 1
    assert Elsewhere.calls == 1


def test_a_backend_of_the_users_has_longer_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = []
    monkeypatch.setattr(
        "hpo.executors.remote.joblib_placement.PlacementProcess",
        lambda *_, **settings: seconds.append(settings["seconds"]),
    )
    for backend in ("loky", "spark"):
        joblib_placement(backend, Cluster())

    assert seconds == [FINDING, MAKING]


@pytest.mark.slow
def test_a_backend_that_hands_results_out_together_will_do(make: Make) -> None:
    """joblib's multiprocessing knows no generators, as Ray's and Spark's backends."""
    executor = make("joblib:multiprocessing")

    assert [run(executor, number).metrics for number in range(3)] == [{"loss": 2.0 * number} for number in range(3)]


REGISTER = """
import joblib
from joblib._parallel_backends import LokyBackend

class Together(LokyBackend):
    supports_return_generator = False

def register():
    joblib.register_parallel_backend("together", Together)
"""


@pytest.mark.slow
def test_a_backend_of_the_user_is_registered_from_beside_the_sweep(make: Make, tmp_path: Path) -> None:
    (tmp_path / "registering_together.py").write_text(REGISTER)
    cluster = Cluster(register="registering_together:register", listen="127.0.0.1")
    executor = make("joblib:together", slots=2, cluster=cluster, search_path=[str(tmp_path)])

    assert run(executor, 4).metrics == {"loss": 8.0}
    until(lambda: executor.wait(0) == [] and executor.slots == 2)
    processes = psutil.Process().children(recursive=True)
    executor.close()
    until(lambda: not any(is_alive(process.pid) for process in processes))


@pytest.mark.slow
def test_without_its_address_a_backend_of_the_user_is_refused(make: Make, tmp_path: Path) -> None:
    (tmp_path / "registering_together.py").write_text(REGISTER)
    cluster = Cluster(register="registering_together:register")
    with pytest.raises(ConfigError, match=r"parallel\.listen"):
        make("joblib:together", cluster=cluster, search_path=[str(tmp_path)])


@pytest.mark.slow
def test_joblibs_dask_is_reached_by_what_makes_its_client(make: Make, tmp_path: Path, dask_cluster: str) -> None:
    connecting = f"def connect():\n    import distributed\n    distributed.Client({dask_cluster!r})\n"
    (tmp_path / "connecting_dask.py").write_text(connecting)
    cluster = Cluster(register="connecting_dask:connect", listen="127.0.0.1")
    executor = make("joblib:dask", slots=2, cluster=cluster, search_path=[str(tmp_path)])

    assert run(executor, 4).metrics == {"loss": 8.0}
    until(lambda: executor.wait(0) == [] and executor.slots == 2)


@pytest.mark.slow
def test_a_lost_pilot_is_placed_again(make: Make) -> None:
    executor = make("joblib:loky", slots=2)
    until(lambda: executor.wait(0) == [] and executor.slots == 2)
    assert run(executor, 0).state is State.COMPLETE
    pilots = [
        process
        for process in psutil.Process().children(recursive=True)
        if any("slot_host" in " ".join(child.cmdline()) for child in process.children())
    ]
    pilots[0].kill()

    until(lambda: executor.wait(0) == [] and executor.slots < 2)
    until(lambda: executor.wait(0) == [] and executor.slots == 2)
    assert run(executor, 1).metrics == {"loss": 2.0}
