"""Sweeps on Ray: what is left when its head, its nodes or the driver are gone."""

import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from ray_processes import Nodes

from hpo.processes.slot_processes import is_alive

pytest.importorskip("ray")
pytestmark = pytest.mark.slow
Wait = Callable[..., None]
PATIENCE = 180


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    nodes = Nodes()
    nodes.tell("add 2")
    yield nodes
    nodes.kill()


def assert_exact(folder: Any) -> None:
    """Every trial has one result, and each was run to its end once."""
    assert folder.states() == ["COMPLETE"] * 6
    assert folder.executions() == dict.fromkeys(range(6), 1)


def test_a_cluster_that_is_gone_ends_the_driver_with_75_and_the_sweep_goes_on_elsewhere(
    sweep_folder: Any, wait_for: Wait, nodes: Nodes
) -> None:
    sweep_folder.write(parallel={"n_jobs": 2, "backend": "ray", "address": nodes.address, "window": 4})
    sweep_folder.hold(2, 3)
    environment = {"HPO_STORE_RETRY_FOR": "2s", "RAY_gcs_rpc_server_reconnect_timeout_s": "3"}
    driver = sweep_folder.start("run", "sweep.yaml", environment=environment)
    wait_for(lambda: sweep_folder.held(2) and sweep_folder.held(3), PATIENCE)

    nodes.kill()

    assert driver.wait(PATIENCE) == 75, driver.stderr
    assert "the cluster is gone for" in driver.stderr
    assert "go on with: hpo resume faults" in driver.stderr
    assert set(sweep_folder.states()) == {"COMPLETE", "WAITING"}
    sweep_folder.release(2, 3)
    sweep_folder.write(parallel={"n_jobs": 2, "backend": "loky", "window": 4})
    again = sweep_folder.hpo("run", "sweep.yaml")
    assert again.process.returncode == 0, again.stderr
    assert_exact(sweep_folder)


def test_nothing_survives_a_driver_that_is_killed(
    sweep_folder: Any, start_driver: Callable[..., Any], wait_for: Wait, living: Callable[..., list[int]]
) -> None:
    sweep_folder.write(parallel={"n_jobs": 2, "backend": "ray", "window": 4})
    sweep_folder.hold(2, 3)
    folder = Path(tempfile.mkdtemp(prefix="hpo-", dir="/tmp"))
    driver = start_driver(environment={"TMPDIR": str(folder)})
    wait_for(lambda: sweep_folder.held(2) and sweep_folder.held(3), PATIENCE)

    driver.kill9()
    wait_for(lambda: not living(sweep_folder.path), PATIENCE)
    sweep_folder.release(2, 3)
    resumed = sweep_folder.hpo("resume", "faults")
    assert resumed.process.returncode == 0, resumed.stderr
    assert_exact(sweep_folder)
    wait_for(lambda: not living(sweep_folder.path))
    assert [path.name for path in folder.iterdir() if not path.name.startswith("hpo-scratch-")] == []
    shutil.rmtree(folder)


def test_ctrl_c_ends_the_driver_at_once_while_its_cluster_is_made(
    sweep_folder: Any, start_driver: Callable[[], Any], wait_for: Wait
) -> None:
    sweep_folder.write(parallel={"n_jobs": 2, "backend": "ray", "window": 4})
    driver = start_driver()
    wait_for(lambda: "raylet" in names_below(driver.pid), PATIENCE)
    below = psutil.Process(driver.pid).children(recursive=True)

    driver.send_group(signal.SIGINT)

    assert driver.wait(PATIENCE) == 130, driver.stderr
    assert sweep_folder.states() == []
    assert not [process for process in below if is_alive(process.pid)]


def names_below(pid: int) -> list[str]:
    """The names of a process's children and theirs; of those that end meanwhile, nothing."""
    names = []
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            names.append(process.name())
    return names


def test_sigterm_ends_the_driver_as_ever_whatever_ray_makes_of_it(
    sweep_folder: Any, start_driver: Callable[[], Any], wait_for: Wait, living: Callable[..., list[int]]
) -> None:
    sweep_folder.write(parallel={"n_jobs": 2, "backend": "ray", "window": 4})
    sweep_folder.hold()
    driver = start_driver()
    wait_for(lambda: sweep_folder.held(0) and sweep_folder.held(1), PATIENCE)

    driver.send(signal.SIGTERM)

    assert driver.wait(PATIENCE) == 143, driver.stderr
    assert sweep_folder.states() == ["WAITING", "WAITING"]
    wait_for(lambda: not living(sweep_folder.path), PATIENCE)
