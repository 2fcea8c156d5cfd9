"""Sweeps on dask clusters: lost workers, schedulers and drivers cost no result and no trial of the budget."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from dask_processes import SmallCluster

SLOW = pytest.mark.slow


def parallel(backend: str = "dask", n_jobs: int = 2, **more: object) -> dict[str, object]:
    return {"n_jobs": n_jobs, "backend": backend, "window": 4, **more}


@pytest.fixture
def small_cluster(dask_zygote) -> Iterator[Callable[..., SmallCluster]]:  # type: ignore[no-untyped-def]  # a fixture
    """`small_cluster(port, environment=..)`: scheduler and workers in one process, until it is closed."""
    made: list[SmallCluster] = []

    def start(port: int = 0, **more: object) -> SmallCluster:
        made.append(dask_zygote.cluster(port, **more))
        return made[-1]

    yield start
    for cluster in made:
        cluster.close()


def worker_of(folder, number: int) -> psutil.Process:  # type: ignore[no-untyped-def]  # the fixtures' classes
    """The cluster's worker that holds the slot host of the trial that was begun last under this number."""
    pid = [entry.pid for entry in folder.ledger() if entry.number == number][-1]
    slot_host = psutil.Process(pid).parent()
    assert slot_host is not None
    worker = slot_host.parent()
    assert worker is not None
    return worker


def points(folder, name: str = "faults") -> list[tuple[int, float]]:  # type: ignore[no-untyped-def]
    return [(trial.number, trial.value) for trial in folder.trials(name)]


def assert_exact(folder, count: int) -> None:  # type: ignore[no-untyped-def]
    """Every trial has one result, and each was run to its end once."""
    assert folder.states() == ["COMPLETE"] * count
    assert folder.executions() == dict.fromkeys(range(count), 1)


def test_a_local_cluster_makes_the_trials_of_loky_also_when_a_worker_of_it_is_killed(
    sweep_folder, fork_driver, zygote, new_folder, wait_for
) -> None:
    sweep_folder.write(parallel=parallel())
    sweep_folder.hold(2)
    driver = fork_driver()
    wait_for(lambda: sweep_folder.held(2))

    worker_of(sweep_folder, 2).kill()
    wait_for(lambda: sweep_folder.executions("start")[2] == 2)
    sweep_folder.release(2)

    assert driver.wait() == 0, driver.stderr
    assert "trial 2: its worker on host" in driver.stderr
    assert_exact(sweep_folder, 6)
    assert [trial.attempt for trial in sweep_folder.trials()] == [1, 1, 2, 1, 1, 1]
    twin = new_folder("twin")
    twin.write(parallel={"n_jobs": 1, "backend": "serial", "window": 4})
    assert zygote.hpo(twin.path, "run", "sweep.yaml").code == 0
    assert points(twin) == points(sweep_folder)


@SLOW
def test_a_worker_that_is_lost_with_its_nanny_costs_one_attempt(
    sweep_folder, start_driver, wait_for, dask_processes
) -> None:
    workers = [dask_processes.start_worker() for _ in range(2)]
    sweep_folder.write(parallel=parallel(address=dask_processes.address), budget={"n_trials": 8})
    sweep_folder.hold(3)
    driver = start_driver()
    wait_for(lambda: sweep_folder.held(3))

    lost = worker_of(sweep_folder, 3)
    (nanny,) = [each.pid for each in workers if each.pid in {lost.pid, lost.ppid()}]
    os.kill(nanny, signal.SIGKILL)
    lost.kill()
    wait_for(lambda: sweep_folder.executions("start").get(3) == 2)
    sweep_folder.release(3)

    assert driver.wait() == 0, driver.stderr
    assert_exact(sweep_folder, 8)


def test_a_scheduler_that_comes_back_at_its_address_is_found_again(
    sweep_folder, fork_driver, wait_for, small_cluster
) -> None:
    cluster = small_cluster()
    sweep_folder.write(parallel=parallel(n_jobs=1, address=cluster.address))
    sweep_folder.hold(2)
    driver = fork_driver()
    wait_for(lambda: sweep_folder.held(2))

    cluster.close()
    wait_for(lambda: "trial 2: its worker on host" in driver.stderr)
    sweep_folder.release(2)
    small_cluster(cluster.port)

    assert driver.wait(120) == 0, driver.stderr
    assert_exact(sweep_folder, 6)


def test_a_scheduler_that_stays_away_ends_the_driver_with_75_and_the_sweep_goes_on_later(
    sweep_folder, fork_driver, zygote, wait_for, small_cluster
) -> None:
    cluster = small_cluster()
    sweep_folder.write(parallel=parallel(n_jobs=1, address=cluster.address))
    sweep_folder.hold(2)
    driver = fork_driver(environment={"HPO_STORE_RETRY_FOR": "1s"})
    wait_for(lambda: sweep_folder.held(2))

    cluster.close()

    assert driver.wait(120) == 75, driver.stderr
    assert "the cluster is gone for" in driver.stderr
    assert "go on with: hpo resume faults" in driver.stderr
    assert sweep_folder.states() == ["COMPLETE", "COMPLETE", "WAITING"]
    sweep_folder.release(2)
    small_cluster(cluster.port)
    resumed = zygote.hpo(sweep_folder.path, "resume", "faults")
    assert resumed.code == 0, resumed.stderr
    assert_exact(sweep_folder, 6)


@SLOW
def test_without_a_scheduler_a_sweep_is_not_resumed_and_nothing_is_lost(sweep_folder, wait_for, dask_processes) -> None:
    dask_processes.start_worker()
    sweep_folder.write(parallel=parallel(n_jobs=1, address=dask_processes.address))
    sweep_folder.hold(2)
    driver = sweep_folder.start("run", "sweep.yaml", environment={"HPO_STORE_RETRY_FOR": "2s"})
    wait_for(lambda: sweep_folder.held(2))
    dask_processes.close()
    assert driver.wait(120) == 75, driver.stderr

    away = sweep_folder.hpo("resume", "faults")

    assert away.process.returncode == 75, away.stderr
    assert sweep_folder.states() == ["COMPLETE", "COMPLETE", "WAITING"]
    assert "is not reachable" in away.stderr
    sweep_folder.release(2)
    dask_processes.start_scheduler()
    dask_processes.start_worker()
    resumed = sweep_folder.hpo("resume", "faults")
    assert resumed.process.returncode == 0, resumed.stderr
    assert_exact(sweep_folder, 6)


@SLOW
def test_nothing_survives_a_driver_that_is_killed_and_resume_finishes(
    sweep_folder, start_driver, wait_for, living
) -> None:
    sweep_folder.write(parallel=parallel())
    sweep_folder.hold(2)
    driver = start_driver()
    wait_for(lambda: sweep_folder.held(2))

    driver.kill9()
    wait_for(lambda: not living(sweep_folder.path))
    sweep_folder.release(2)

    resumed = sweep_folder.hpo("resume", "faults")
    assert resumed.process.returncode == 0, resumed.stderr
    assert_exact(sweep_folder, 6)


@SLOW
def test_ctrl_c_lets_open_trials_end_and_leaves_nothing_running(sweep_folder, start_driver, wait_for, living) -> None:
    sweep_folder.write(parallel=parallel())
    sweep_folder.hold()
    driver = start_driver()
    wait_for(lambda: sweep_folder.held(0) and sweep_folder.held(1))

    driver.send_group(signal.SIGINT)
    wait_for(lambda: "stopping" in driver.stderr)
    sweep_folder.release()

    assert driver.wait() == 130
    assert sweep_folder.states() == ["COMPLETE", "COMPLETE"]
    wait_for(lambda: not living(sweep_folder.path))
    assert sweep_folder.hpo("resume", "faults").process.returncode == 0
    assert_exact(sweep_folder, 6)


@SLOW
def test_a_second_ctrl_c_ends_trials_at_once_and_they_wait(sweep_folder, start_driver, wait_for, living) -> None:
    sweep_folder.write(parallel=parallel())
    sweep_folder.hold()
    driver = start_driver()
    wait_for(lambda: sweep_folder.held(0) and sweep_folder.held(1))

    driver.send_group(signal.SIGINT)
    wait_for(lambda: "stopping" in driver.stderr)
    driver.send_group(signal.SIGINT)

    assert driver.wait() == 130
    assert sweep_folder.states() == ["WAITING", "WAITING"]
    wait_for(lambda: not living(sweep_folder.path))


@SLOW
def test_ctrl_c_ends_the_driver_at_once_while_a_cluster_is_made(sweep_folder, fork_driver, wait_for, living) -> None:
    made, forever = sweep_folder.path / "begun", "import time\ndef forever():\n    open('begun', 'w').close()\n    "
    (sweep_folder.path / "registering.py").write_text(f"{forever}time.sleep(3600)\n")
    sweep_folder.write(parallel=parallel("joblib:loky", register="registering:forever"))
    driver = fork_driver()
    wait_for(made.exists)

    driver.send_group(signal.SIGINT)

    assert driver.wait(20) == 130, driver.stderr  # it would be given up after 60
    assert sweep_folder.states() == []
    wait_for(lambda: not living(sweep_folder.path))


@SLOW
def test_two_sweeps_share_a_cluster(new_folder, wait_for, dask_cluster) -> None:
    folders = [new_folder(name) for name in ("one", "two")]
    for folder in folders:
        folder.write(parallel=parallel(address=dask_cluster))
        folder.hold()
    drivers = [folder.start("run", "sweep.yaml") for folder in folders]
    wait_for(lambda: all(folder.held(0) and folder.held(1) for folder in folders))
    for folder in folders:
        folder.release()

    assert [driver.wait() for driver in drivers] == [0, 0]
    for folder in folders:
        assert_exact(folder, 6)
    assert points(folders[0]) == points(folders[1])


@SLOW
def test_a_cluster_may_be_smaller_than_n_jobs_and_grow(sweep_folder, start_driver, wait_for, dask_processes) -> None:
    dask_processes.start_worker()
    sweep_folder.write(parallel=parallel(n_jobs=3, address=dask_processes.address))
    sweep_folder.hold()
    driver = start_driver()
    wait_for(lambda: sweep_folder.held(0))
    assert not sweep_folder.held(1)

    dask_processes.start_worker()
    wait_for(lambda: sweep_folder.held(1))
    sweep_folder.release()

    assert driver.wait() == 0, driver.stderr
    assert_exact(sweep_folder, 6)


@SLOW
def test_trials_wait_for_a_worker_that_offers_their_gpus(sweep_folder, start_driver, wait_for, dask_processes) -> None:
    dask_processes.start_worker()
    there = f"import distributed; distributed.Client({dask_processes.address!r}, timeout=60).wait_for_workers(1, 60)"
    subprocess.run([sys.executable, "-c", there], check=True)
    sweep_folder.write(parallel=parallel(address=dask_processes.address, gpus_per_trial=0.5))
    driver = start_driver()
    wait_for(lambda: "a trial needs 0.5 of dask's resource GPU" in driver.stderr)
    assert '--resources "GPU=1"' in driver.stderr
    assert not sweep_folder.ledger()

    dask_processes.start_worker({"CUDA_VISIBLE_DEVICES": "3"}, "--resources", "GPU=1", "--nthreads", "2")

    assert driver.wait() == 0, driver.stderr
    assert_exact(sweep_folder, 6)


@SLOW
def test_a_worker_without_the_package_is_named_as_the_reason(sweep_folder, dask_processes, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "sitecustomize.py").write_text(
        "import sys\nclass Missing:\n    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'hpo':\n"
        "            raise ModuleNotFoundError(\"No module named 'hpo'\", name='hpo')\n"
        "sys.meta_path.insert(0, Missing())\n"
    )
    dask_processes.start_worker({"PYTHONPATH": str(bare)})
    sweep_folder.write(parallel=parallel(n_jobs=1, address=dask_processes.address))

    driver = sweep_folder.hpo("run", "sweep.yaml")

    assert driver.process.returncode == 2, driver.stderr
    assert "cannot import hpo in " in driver.stderr
    assert sweep_folder.states() == []


def test_a_worker_elsewhere_gets_the_code_and_keeps_what_it_is_told_to(sweep_folder, zygote, small_cluster) -> None:
    """Two hosts: their trials are pruned as on one machine, since the driver alone judges."""
    (sweep_folder.path / "loss_parts.py").write_text("def loss(x):\n    return (x - 0.3) ** 2\n")
    (sweep_folder.path / "far_objective.py").write_text(
        "import pathlib\nfrom loss_parts import loss\n"
        "def objective(params, trial):\n    print('printed by', trial.number)\n"
        "    for step in range(1, 4):\n        trial.report(step, params['x'] + 1 / step)\n"
        "    trial.set_tag('file', __file__)\n    return loss(params['x'])\n"
    )
    pruned = {"objective": {"python": "far_objective:objective"}, "pruner": "median", "budget": {"n_trials": 12}}
    cluster = small_cluster(environment={"HPO_HOST": "far", "PYTHONPATH": ""})
    sweep_folder.write(name="far", parallel=parallel(address=cluster.address), **pruned)

    far = zygote.hpo(sweep_folder.path, "run", "sweep.yaml")
    sweep_folder.write(name="near", **pruned, parallel={"window": 4})
    near = zygote.hpo(sweep_folder.path, "run", "sweep.yaml")

    assert (far.code, near.code) == (0, 0), far.stderr
    assert set(sweep_folder.states("far")) == {"COMPLETE", "PRUNED"}
    assert sweep_folder.states("far") == sweep_folder.states("near")
    assert points(sweep_folder, "far") == points(sweep_folder, "near")
    logs = zygote.hpo(sweep_folder.path, "logs", "far#1")
    assert "printed by 1" in logs.stdout
