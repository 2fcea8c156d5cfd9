"""Trials on Ray: a local cluster of our own, and one of several nodes that are lost and found."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import cloudpickle
import psutil
import pytest
from ray_processes import Nodes
from waiting import until

from hpo.errors import ClusterUnavailable
from hpo.executor import Executor
from hpo.executors.devices import Share
from hpo.executors.names import make_executor
from hpo.executors.remote.cluster import Cluster
from hpo.objective import TrialContext
from hpo.processes.slot_processes import is_alive
from hpo.trial import Goal, Outcome, State, Trial

pytest.importorskip("ray")
pytestmark = pytest.mark.slow
cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test file

PATIENCE = 120.0
Make = Callable[..., Executor]


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    nodes = Nodes()
    nodes.tell("add 1")
    nodes.tell("add 1")
    yield nodes
    nodes.close()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Executor] = []

    def make(objective: object, slots: int = 2, **more: object) -> Executor:
        settings: dict[str, object] = {
            "metric": "loss",
            "goal": Goal.MINIMIZE,
            "files": None,
            "scratch": tmp_path / "scratch",
        }
        made.append(make_executor("ray", slots=slots, objective=objective, **settings | more))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for executor in made:
        executor.close()


def trial(number: int, **params: object) -> Trial:
    return Trial(number, params, seed=number)  # type: ignore[arg-type]  # plain values


def ended(executor: Executor, count: int) -> list[Outcome]:
    outcomes: list[Outcome] = []
    deadline = time.monotonic() + PATIENCE
    while len(outcomes) < count:
        assert time.monotonic() < deadline, "nothing happened in time"
        outcomes += executor.wait(1.0)
    return outcomes


def held(params: Mapping[str, object], trial: TrialContext) -> float:
    """Waits until its file is gone; leaves its process's id in it before."""
    path = Path(str(params["path"]))
    pid = path.with_name(f"{path.name}-pid")
    pid.with_suffix(".half").write_text(str(os.getpid()))
    pid.with_suffix(".half").rename(pid)
    while path.exists():
        time.sleep(0.01)
    return 1.0


def hold(path: Path) -> Path:
    path.touch()
    return path


def ray_worker_above(pid: int) -> psutil.Process:
    """The process of Ray whose child's child, and so on, this is."""
    for process in psutil.Process(pid).parents():
        if process.name().startswith("ray::"):
            return process
    pytest.fail("no process of ray is above")


def listened_at(process: psutil.Process) -> list[str]:
    """Addresses; none where it has ended meanwhile, as idle workers of Ray do."""
    try:
        connections = process.net_connections("inet")
    except psutil.NoSuchProcess:
        return []
    return [connection.laddr.ip for connection in connections if connection.status == psutil.CONN_LISTEN]


def devices(params: Mapping[str, object], trial: TrialContext) -> float:
    trial.set_tag("sees", os.environ.get("CUDA_VISIBLE_DEVICES", "all"))
    trial.set_tag("threads", os.environ["OMP_NUM_THREADS"])
    trial.set_tag("pid", os.getpid())
    trial.set_tag("processors", sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else "")
    path = Path(str(params["path"]))
    while path.exists():
        time.sleep(0.01)
    return 1.0


_CALL = """
import ray
ray.init(address={address!r}, log_to_driver=False, logging_level="ERROR")
print("inside", int(ray.cluster_resources()["CPU"]))
"""

CALLING = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # so that it keeps to loopback, too
    "RAY_gcs_server_port_wait_time_s": "5",  # tries of whoever is refused: Ray has 20, a second each
}


def call(address: str, **environment: str) -> str:
    """What a client of a cluster says, in a process of its own that Ray may end."""
    code = _CALL.format(address=address)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, **CALLING, **environment},
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return done.stdout + done.stderr


def test_a_local_cluster_refuses_a_client_without_its_token(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(prefix="hpo-", dir="/tmp") as short:
        monkeypatch.setenv("TMPDIR", short)
        monkeypatch.setattr("tempfile.tempdir", short)
        executor = make(lambda params, trial: 1.0)
        [raylet] = [each for each in psutil.Process().children(recursive=True) if each.name() == "raylet"]
        [address] = [part.partition("=")[2] for part in raylet.cmdline() if part.startswith("--gcs-address=")]
        [token] = Path(short).rglob("token")
        wrong = tmp_path / "token"
        wrong.write_text("0" * 64)

        assert "inside" not in call(address)
        assert "inside" not in call(address, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(wrong))
        assert "inside 2" in call(address, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(token))
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        executor.submit(trial(0))
        assert [outcome.state for outcome in ended(executor, 1)] == [State.COMPLETE]
        executor.close()


def test_a_local_cluster_deals_gpus_listens_on_loopback_alone_and_goes_when_closed(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,MIG-b")
    short = Path(tempfile.mkdtemp(prefix="hpo-", dir="/tmp"))
    monkeypatch.setenv("TMPDIR", str(short))
    monkeypatch.setattr("tempfile.tempdir", str(short))
    executor = make(devices, inner_threads=3, share=Share(gpus=1, cpus=2))
    until(lambda: executor.slots == 2)
    path = hold(tmp_path / "hold")
    for number in range(2):
        executor.submit(trial(number, path=str(path)))
    processes = psutil.Process().children(recursive=True)
    listening = [address for process in processes for address in listened_at(process)]
    path.unlink()
    outcomes = ended(executor, 2)
    executor.close()

    assert sorted(outcome.tags["sees"] for outcome in outcomes) == ["GPU-a", "MIG-b"]
    assert all(outcome.tags["hpo.gpus"] == outcome.tags["sees"] for outcome in outcomes)
    assert {outcome.tags["threads"] for outcome in outcomes} == {"3"}
    if hasattr(os, "sched_getaffinity"):  # Ray counts CPUs and binds nobody
        assert {outcome.tags["processors"] for outcome in outcomes} == {str(sorted(os.sched_getaffinity(0)))}
    assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
    assert not [process for process in processes if is_alive(process.pid)]
    assert list(short.iterdir()) == []
    short.rmdir()


@pytest.mark.parametrize("kind", ["address", "client_address"])
def test_more_slots_than_there_is_room_for_all_end(kind: str, make: Make, nodes: Nodes) -> None:
    executor = make(lambda params, trial: 1.0, slots=5, cluster=Cluster(address=getattr(nodes, kind)))
    until(lambda: executor.slots == 2)

    outcomes: list[Outcome] = []
    for start in range(0, 10, 2):
        for number in (start, start + 1):
            executor.submit(trial(number))
        outcomes += ended(executor, 2)
    assert sorted(outcome.number for outcome in outcomes) == list(range(10))
    assert {outcome.state for outcome in outcomes} == {State.COMPLETE}


def test_a_killed_worker_of_ray_costs_its_trial_alone_and_another_takes_its_place(
    make: Make, nodes: Nodes, tmp_path: Path
) -> None:
    executor = make(held, cluster=Cluster(address=nodes.address))
    until(lambda: executor.slots == 2)
    paths = [hold(tmp_path / f"hold{number}") for number in range(2)]
    for number, path in enumerate(paths):
        executor.submit(trial(number, path=str(path)))
    until(lambda: all((tmp_path / f"hold{number}-pid").exists() for number in range(2)))
    pid = int((tmp_path / "hold0-pid").read_text())
    ray_worker_above(pid).kill()

    (lost,) = ended(executor, 1)
    assert (lost.number, lost.state, lost.reason) == (0, State.FAILED, "lost")
    assert "its worker on host" in lost.error
    until(lambda: not psutil.pid_exists(pid))
    until(lambda: executor.wait(0) == [] and executor.slots == 2)
    paths[1].unlink()
    paths[0].unlink()
    executor.submit(trial(2, path=str(paths[0])))
    assert sorted((outcome.number, outcome.state) for outcome in ended(executor, 2)) == [
        (1, State.COMPLETE),
        (2, State.COMPLETE),
    ]


def test_a_lost_node_is_a_slot_less_until_another_comes(make: Make, nodes: Nodes, tmp_path: Path) -> None:
    executor = make(held, cluster=Cluster(address=nodes.address))
    until(lambda: executor.slots == 2)
    paths = [hold(tmp_path / f"hold{number}") for number in range(2)]
    for number, path in enumerate(paths):
        executor.submit(trial(number, path=str(path)))
    until(lambda: all((tmp_path / f"hold{number}-pid").exists() for number in range(2)))
    nodes.tell("drop")

    (lost,) = ended(executor, 1)
    assert (lost.state, lost.reason) == (State.FAILED, "lost")
    assert executor.slots == 1
    paths[1 - lost.number].unlink()
    assert [outcome.state for outcome in ended(executor, 1)] == [State.COMPLETE]
    nodes.tell("add 1")
    until(lambda: executor.wait(0) == [] and executor.slots == 2)


def test_without_a_head_trials_go_on_and_without_nodes_waiting_ends(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "3")
    nodes = Nodes()
    try:
        nodes.tell("add 1")
        executor = make(held, cluster=Cluster(address=nodes.address, patience=1.0))
        path = hold(tmp_path / "hold")
        executor.submit(trial(0, path=str(path)))
        until((tmp_path / "hold-pid").exists)
        nodes.tell("head")
        path.unlink()
        assert [outcome.state for outcome in ended(executor, 1)] == [State.COMPLETE]

        (tmp_path / "hold-pid").unlink()
        executor.submit(trial(1, path=str(hold(path))))
        until((tmp_path / "hold-pid").exists)
        pid = int((tmp_path / "hold-pid").read_text())
        nodes.kill()
        (lost,) = ended(executor, 1)
        assert (lost.state, lost.reason) == (State.FAILED, "lost")
        executor.submit(trial(2, path=str(path)))
        with pytest.raises(ClusterUnavailable, match="the cluster is gone"):
            ended(executor, 1)
        until(lambda: not psutil.pid_exists(pid))
    finally:
        nodes.kill()


def test_a_cluster_that_is_not_there_is_known_at_once(make: Make) -> None:
    with pytest.raises(ClusterUnavailable, match=r"no ray cluster at 127\.0\.0\.1:9"):
        make(held, cluster=Cluster(address="127.0.0.1:9"))


def test_it_does_not_matter_what_signals_do_to_the_process_that_holds_the_cluster(
    make: Make, nodes: Nodes, tmp_path: Path
) -> None:
    executor = make(lambda params, trial: 1.0, cluster=Cluster(address=nodes.address))
    holders = [process for process in psutil.Process().children() if "placement_child" in " ".join(process.cmdline())]
    assert len(holders) == 1
    holders[0].send_signal(signal.SIGKILL)

    until(lambda: executor.wait(0) == [] and not holders[0].is_running())
    for number in range(20):
        executor.submit(trial(number))
        (outcome,) = ended(executor, 1)
        assert outcome.state is State.COMPLETE or outcome.reason == "lost"
        if number > 5 and executor.slots == 2:
            break
    until(lambda: executor.wait(0) == [] and executor.slots == 2)
