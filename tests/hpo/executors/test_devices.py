"""GPUs and processors are found and dealt to slots as asked; GPUs are lists of names here, so none is needed."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace

import cloudpickle
import pytest

from hpo.errors import ConfigError
from hpo.executors.cores import bind, deal_processors, ranges, usable_cores
from hpo.executors.devices import Machine, Share, deal, most_slots, this_machine
from hpo.executors.gpus import Gpus, listed_gpus, visible_gpus
from hpo.executors.names import make_executor
from hpo.objective import TrialContext
from hpo.trial import Goal, Outcome, State, Trial

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test file

PATIENCE = 60.0
HYPERTHREADED = [(0, 4), (1, 5), (2, 6), (3, 7)]


def machine(gpus: int | Gpus = 0, cores: int = 0, processors: int | None = None) -> Machine:
    found = gpus if isinstance(gpus, Gpus) else Gpus([str(number) for number in range(gpus)], "NVML", by_bus=True)
    return Machine(found, [(number,) for number in range(cores)], cores if processors is None else processors)


def gpus_of(share: float, slots: int, found: int | Gpus) -> list[str]:
    dealt = deal(Share(gpus=share), machine(found), slots)
    return [devices.environment["CUDA_VISIBLE_DEVICES"] for devices in dealt]


VISIBLE = {
    "0,1": ("0", "1"),
    " 2 , 0 ": ("2", "0"),
    "": (),
    "-1": (),
    "NoDevFiles": (),
    "1,-1,0": ("1",),
    "0,0,1": ("0", "1"),
    "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6,GPU-1": ("GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "GPU-1"),
    "MIG-GPU-8932f937/1/0,MIG-7": ("MIG-GPU-8932f937/1/0", "MIG-7"),
}


@pytest.mark.parametrize("given", VISIBLE)
def test_cuda_visible_devices_is_read_as_cuda_reads_it(given: str) -> None:
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": given}).names == VISIBLE[given]


LISTING = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc40)
  MIG 3g.20gb     Device  0: (UUID: MIG-c7384736-a75d-5afc-978f-d2f1294409fd)
  MIG 1c.3g.20gb  Device  1: (UUID: MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d)
GPU 2: Tesla V100 (UUID: GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc41)
"""
PARTS = ["MIG-c7384736-a75d-5afc-978f-d2f1294409fd", "MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d"]


def test_parts_of_a_divided_gpu_stand_in_its_place() -> None:
    assert listed_gpus(LISTING) == ["0", *PARTS, "2"]
    assert listed_gpus("No devices found.\n") == []


def test_without_the_variable_nvidia_smi_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f'#!/bin/sh\n[ "$1" = -L ] && cat <<END\n{LISTING}END\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    assert visible_gpus({}) == Gpus(("0", *PARTS, "2"), "nvidia-smi", by_bus=True)


def test_nvml_is_asked_first_and_names_the_parts_of_divided_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    class NVMLError(Exception):
        pass

    def mode(handle: int) -> list[int]:
        if handle == 0:
            raise NVMLError
        return [1, 1]

    def part(_: int, number: int) -> str:
        if number > 1:
            raise NVMLError
        return PARTS[number]

    nvml = ModuleType("pynvml")
    nvml.__spec__ = SimpleNamespace(name="pynvml")  # type: ignore[assignment]  # only that it is there
    vars(nvml).update(
        NVMLError=NVMLError, NVML_DEVICE_MIG_ENABLE=1, nvmlInit=lambda: None, nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: 2, nvmlDeviceGetHandleByIndex=lambda index: index, nvmlDeviceGetMigMode=mode,
        nvmlDeviceGetMaxMigDeviceCount=lambda _: 7, nvmlDeviceGetMigDeviceHandleByIndex=part,
        nvmlDeviceGetUUID=str.encode,
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "pynvml", nvml)

    assert visible_gpus({}) == Gpus(("0", *PARTS), "NVML", by_bus=True)


def test_a_machine_without_any_says_who_was_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    assert visible_gpus({}) == Gpus((), "neither NVML nor nvidia-smi finds any")


def test_whole_gpus_go_to_one_slot_each_and_parts_are_spread() -> None:
    assert gpus_of(1, 3, found=4) == ["0", "1", "2"]
    assert gpus_of(2, 2, found=4) == ["0,1", "2,3"]
    assert gpus_of(0.5, 4, found=2) == ["0", "1", "0", "1"]
    assert gpus_of(0.5, 3, found=3) == ["0", "1", "2"]
    assert gpus_of(0, 2, found=3) == ["", ""]
    assert gpus_of(1, 2, found=Gpus(PARTS, "")) == PARTS


@pytest.mark.parametrize(
    ("part", "slots"), [(1 / 93, 93), (1 / 3, 3), (0.333, 3), (0.34, 2), (0.1, 10), (0.7, 1), (0.2, 5), (1, 1)]
)
def test_a_part_never_spans_two_gpus(part: float, slots: int) -> None:
    assert most_slots(Share(gpus=part), machine(1)) == slots
    assert most_slots(Share(gpus=part), machine(3)) == 3 * slots


def test_numbers_count_along_the_bus_where_we_have_counted() -> None:
    (ours,) = deal(Share(gpus=1), machine(Gpus(["0"], "NVML", by_bus=True)), 1)
    (given,) = deal(Share(gpus=1), machine(Gpus(["0"], "CUDA_VISIBLE_DEVICES=0")), 1)

    assert ours.environment == {"CUDA_VISIBLE_DEVICES": "0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    assert given.environment == {"CUDA_VISIBLE_DEVICES": "0"}


TOO_MUCH: Mapping[str, tuple[Share, int | Gpus, int]] = {
    "parallel: 4 trials of 0.5 GPUs need 2 GPUs, found 1 (NVML); write n_jobs: 2": (Share(0.5), 1, 4),
    "parallel: 3 trials of 2 GPUs need 6 GPUs, found 5 (NVML); write n_jobs: 2": (Share(2), 5, 3),
    "parallel: 1 trial of 1 GPU needs 1 GPU, found none (NVML); not one fits: write a smaller gpus_per_trial, "
    "0 for trials without any": (Share(1), 0, 1),
    "parallel: 3 trials of 2 CPUs need 6 CPUs, found 4; write n_jobs: 2": (Share(0.5, 2), 2, 3),
    "parallel: 1 trial of 8 CPUs needs 8 CPUs, found 4; not one fits: write a smaller cpus_per_trial": (
        Share(cpus=8),
        0,
        1,
    ),
    "parallel: 1 trial of 2 GPUs needs whole ones, since a process can use one part of a divided one (MIG) "
    "alone (nvidia-smi); not one fits: write a smaller gpus_per_trial, 0 for trials without any": (
        Share(2),
        Gpus(PARTS, "nvidia-smi"),
        1,
    ),
}


@pytest.mark.parametrize("message", TOO_MUCH)
def test_more_than_there_is_says_what_fits(message: str) -> None:
    share, gpus, slots = TOO_MUCH[message]
    with pytest.raises(ConfigError) as raised:
        deal(share, machine(gpus, cores=4), slots)
    assert str(raised.value) == message


def test_the_limit_of_a_container_counts_and_so_does_what_this_process_is_bound_to() -> None:
    found = this_machine(Share(cpus=1), {}, limit=1)

    assert found.processors == 1
    assert sorted(number for core in found.cores for number in core) == sorted(os.sched_getaffinity(0))


def test_a_slot_begins_with_a_core_of_its_own_if_there_are_enough() -> None:
    assert deal_processors(HYPERTHREADED, 4, 1) == [(0,), (1,), (2,), (3,)]
    assert deal_processors(HYPERTHREADED, 2, 2) == [(0, 4), (1, 5)]
    assert deal_processors(HYPERTHREADED, 2, 3) == [(0, 4, 1), (2, 6, 3)]
    assert deal_processors(HYPERTHREADED, 8, 1) == [(0,), (4,), (1,), (5,), (2,), (6,), (3,), (7,)]
    assert deal_processors([(0,), (1, 5)], 1, 3) == [(0, 1, 5)]
    with pytest.raises(ValueError, match="do not fit on 8"):
        deal_processors(HYPERTHREADED, 3, 3)


def test_the_threads_of_a_core_and_the_cores_of_a_socket_stand_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, (socket, core) in enumerate([(0, 0), (1, 0), (0, 1), (1, 1), (0, 0), (1, 0)]):
        folder = tmp_path / f"cpu{number}" / "topology"
        folder.mkdir(parents=True)
        (folder / "physical_package_id").write_text(f"{socket}\n")
        (folder / "core_id").write_text(f"{core}\n")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3, 4, 5})

    assert usable_cores(tmp_path) == [(0, 4), (2,), (1, 5), (3,)]


def test_numbers_are_written_as_ranges() -> None:
    assert ranges([3, 0, 1, 2, 8]) == "0-3,8"
    assert ranges([5]) == "5"


def test_nothing_is_bound_where_nothing_was_dealt() -> None:
    before = os.sched_getaffinity(0)
    bind(())
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize("backend", ["threading", "serial"])
def test_backends_of_one_process_refuse(backend: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"backend {backend} has one process.* write backend: loky"):
        make_executor(
            backend, slots=1, objective=seen, metric="loss", goal=Goal.MINIMIZE, files=None, scratch=tmp_path,
            share=Share(cpus=1),
        )  # fmt: skip


def seen(params: Mapping[str, object], trial: TrialContext) -> float:
    trial.set_tag("sees", os.environ.get("CUDA_VISIBLE_DEVICES"))
    trial.set_tag("runs on", ranges(os.sched_getaffinity(0)))
    if params["dies"]:
        os._exit(3)
    return 1.0


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two processors")
def test_each_slot_keeps_its_devices_when_its_worker_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
    executor = make_executor(
        "loky", slots=2, objective=seen, metric="loss", goal=Goal.MINIMIZE, files=None, scratch=tmp_path,
        share=Share(gpus=1, cpus=1),
    )  # fmt: skip
    first, second = [str(number) for core in usable_cores() for number in core][:2]

    def run(numbers: range, *, dies: bool) -> list[Outcome]:
        for number in numbers:
            executor.submit(Trial(number, {"dies": dies}, seed=0))
        ended: list[Outcome] = []
        while len(ended) < len(numbers):
            ended += executor.wait(PATIENCE)
        return ended

    try:
        before, died, after = run(range(2), dies=False), run(range(2, 4), dies=True), run(range(4, 6), dies=False)
    finally:
        executor.close()

    own = [{"hpo.gpus": "GPU-a", "hpo.cpus": first}, {"hpo.gpus": "GPU-b", "hpo.cpus": second}]
    saw = [{**tags, "sees": tags["hpo.gpus"], "runs on": tags["hpo.cpus"]} for tags in own]
    assert {outcome.state for outcome in died} == {State.FAILED}
    assert sorted((dict(outcome.tags) for outcome in died), key=lambda tags: tags["hpo.gpus"]) == own
    for outcomes in (before, after):
        assert sorted((dict(outcome.tags) for outcome in outcomes), key=lambda tags: tags["hpo.gpus"]) == saw
