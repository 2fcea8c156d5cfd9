"""What NVIDIA's GPUs are doing, by NVML, where `nvidia-ml-py` is installed and there are any."""

import functools
import importlib
import importlib.util
import logging
from collections.abc import Mapping, Sequence
from typing import Any

log = logging.getLogger(__name__)


def gpu_metrics() -> dict[str, float]:
    """By MLflow's names: `gpu_0_utilization_percentage`, memory and power of each; none where there is none."""
    found: dict[str, float] = {}
    for index, handle in enumerate(_handles()):
        for read in (_utilization, _memory, _power):
            try:
                found |= {f"gpu_{index}_{name}": value for name, value in read(_nvml(), handle).items()}
            except Exception:  # NVML has an error of its own for each thing that a GPU cannot tell
                log.debug("GPU %d does not tell its %s", index, read.__name__.strip("_"), exc_info=True)
    return found


@functools.cache
def _handles() -> Sequence[object]:
    """The GPUs of this machine; asked once a process, since NVML takes a moment to start."""
    if importlib.util.find_spec("pynvml") is None:
        return ()
    nvml = _nvml()
    try:
        nvml.nvmlInit()
        return [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    except Exception:  # no driver, no GPU, no permission
        log.debug("no GPU is looked at", exc_info=True)
        return ()


def _nvml() -> Any:
    return importlib.import_module("pynvml")


def _utilization(nvml: Any, handle: object) -> Mapping[str, float]:
    return {"utilization_percentage": float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)}


def _memory(nvml: Any, handle: object) -> Mapping[str, float]:
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    return {
        "memory_usage_megabytes": round(memory.used / 1e6, 1),
        "memory_usage_percentage": round(memory.used / memory.total * 100, 1),
    }


def _power(nvml: Any, handle: object) -> Mapping[str, float]:
    watts = nvml.nvmlDeviceGetPowerUsage(handle) / 1000
    most = nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000
    return {"power_usage_watts": round(watts, 1), "power_usage_percentage": round(watts / most * 100, 1)}
