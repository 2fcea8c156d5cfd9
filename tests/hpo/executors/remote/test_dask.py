"""What dask's own workers and settings add: resources, devices and encrypted schedulers."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import cloudpickle
import pytest
from dask_processes import DaskZygote, SmallCluster

from hpo.errors import ClusterUnavailable
from hpo.executor import Executor
from hpo.executors.devices import Share
from hpo.executors.names import make_executor
from hpo.executors.remote import dask_placement
from hpo.executors.remote.cluster import Cluster
from hpo.objective import TrialContext
from hpo.trial import Goal, Outcome, State, Trial

dask = pytest.importorskip("dask")
cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test file

PATIENCE = 60.0


@pytest.fixture
def cluster(dask_zygote: DaskZygote) -> Iterator[Callable[..., SmallCluster]]:
    made: list[SmallCluster] = []

    def cluster(**more: object) -> SmallCluster:
        made.append(dask_zygote.cluster(workers=1, **more))  # type: ignore[arg-type]  # its settings
        return made[-1]

    yield cluster
    for each in made:
        each.close()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Executor]]:
    made: list[Executor] = []

    def make(address: str, **more: object) -> Executor:
        made.append(
            make_executor(
                "dask",
                slots=1,
                objective=found,
                metric="loss",
                goal=Goal.MINIMIZE,
                files=None,
                scratch=tmp_path / "scratch",
                cluster=Cluster(address=address),
                **more,  # type: ignore[arg-type]  # its settings
            )
        )
        return made[-1]

    yield make
    for executor in made:
        executor.close()


def found(params: Mapping[str, object], trial: TrialContext) -> float:
    """What a trial finds on the worker."""
    trial.set_tag("sees", os.environ.get("CUDA_VISIBLE_DEVICES", "all"))
    trial.set_tag("threads", os.environ.get("OMP_NUM_THREADS", ""))
    trial.set_tag("processors", sorted(os.sched_getaffinity(0)))
    return 1.0


def one(executor: Executor) -> Outcome:
    executor.submit(Trial(0, {}, 0))
    (outcome,) = executor.wait(PATIENCE)
    executor.close()  # the cluster has room for one
    return outcome


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this platform cannot bind processes")
def test_a_trial_has_the_devices_of_its_worker_and_as_many_threads_as_asked_for(
    cluster: Callable[..., SmallCluster], make: Callable[..., Executor]
) -> None:
    """dask deals by name and binds nobody, and our slots on its workers do not either."""
    there = cluster(environment={"CUDA_VISIBLE_DEVICES": "GPU-3"}, resources={"GPU": 1, "CPU": 4})

    half = one(make(there.address, share=Share(gpus=0.5, cpus=2), inner_threads=2))
    none = one(make(there.address, share=Share(gpus=0)))

    assert (half.tags["sees"], half.tags["hpo.gpus"], half.tags["threads"]) == ("GPU-3", "GPU-3", "2")
    assert half.tags["processors"] == str(sorted(os.sched_getaffinity(0)))
    assert (none.tags["sees"], none.tags["hpo.gpus"]) == ("", "none")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl to make a certificate with")
def test_a_users_encrypted_scheduler_is_reached_by_dasks_own_settings_and_not_without(
    cluster: Callable[..., SmallCluster],
    make: Callable[..., Executor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(dask_placement, "SECONDS", 0.5)
    settings = certified(tmp_path)
    environment = {f"DASK_DISTRIBUTED__COMM__TLS__{name}": path for name, path in settings.items()}
    there = cluster(protocol="tls://", environment=environment)
    assert there.address.startswith("tls://")

    with pytest.raises(ClusterUnavailable, match=r"the dask scheduler at tls://.* is not reachable"):
        make(there.address)
    monkeypatch.setattr(dask_placement, "SECONDS", 10.0)
    keys = {
        f"distributed.comm.tls.{name.replace('__', '.').replace('_', '-').lower()}": settings[name] for name in settings
    }
    with dask.config.set(keys):
        assert one(make(there.address)).state is State.COMPLETE
    assert "neither encrypted nor protected" not in caplog.text


def certified(folder: Path) -> dict[str, str]:
    """dask's settings for a certificate of our own, which is its own authority."""
    key, certificate = str(folder / "key.pem"), str(folder / "certificate.pem")
    how = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=dask"]
    command = ["openssl", "req", "-x509", *how, "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    sides = ("SCHEDULER", "WORKER", "CLIENT")
    of_sides = [{f"{side}__KEY": key, f"{side}__CERT": certificate} for side in sides]
    return {"CA_FILE": certificate, **of_sides[0], **of_sides[1], **of_sides[2]}
