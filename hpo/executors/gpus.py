"""Which GPUs of NVIDIA this process may hand to trials, by the names that CUDA knows them by."""

import importlib
import importlib.util
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

VISIBLE = "CUDA_VISIBLE_DEVICES"
ORDER = "CUDA_DEVICE_ORDER"
MIG = "MIG-"

_LISTED = re.compile(r"^(?P<inside>\s*)(?:GPU (?P<number>\d+):|MIG .*Device\s+\d+:).*\(UUID: (?P<uuid>[^)\s]+)\)")
_NAME = re.compile(r"\d+|(?:GPU|MIG)-.+")


@dataclass(frozen=True)
class Gpus:
    """`names` are numbers, or the names of whole or divided devices (`GPU-..`, `MIG-..`); `how` says who named them.

    `by_bus`: numbers count along the PCI bus, which CUDA has to be told (it counts the fastest first).
    """

    names: Sequence[str]
    how: str
    by_bus: bool = False

    @property
    def is_divided(self) -> bool:
        """Whether some are parts of a device (MIG), of which a process can use one at a time."""
        return any(name.startswith(MIG) for name in self.names)


def visible_gpus(environ: Mapping[str, str]) -> Gpus:
    """What $CUDA_VISIBLE_DEVICES names, be it nothing; else what NVML (extra `gpu`) or nvidia-smi finds."""
    if VISIBLE in environ:
        given = environ[VISIBLE]
        return Gpus(tuple(_named(given)), f"{VISIBLE}={given}" if given.strip() else f"{VISIBLE} is empty")
    for how, ask in _ASKED.items():
        names = ask()
        if names is not None:
            return Gpus(tuple(names), how, by_bus=True)
    return Gpus((), "neither NVML nor nvidia-smi finds any")


def _named(given: str) -> Sequence[str]:
    """As CUDA reads it: up to the first that is no device, such as -1."""
    names: dict[str, None] = {}
    for name in given.split(","):
        if not _NAME.fullmatch(name.strip()):
            break
        names[name.strip()] = None
    return tuple(names)


def _by_nvml() -> Sequence[str] | None:
    if importlib.util.find_spec("pynvml") is None:
        return None
    nvml = importlib.import_module("pynvml")
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    try:
        return [name for number in range(nvml.nvmlDeviceGetCount()) for name in _names_of(nvml, number)]
    except nvml.NVMLError:
        return None
    finally:
        nvml.nvmlShutdown()


def _names_of(nvml: Any, number: int) -> Iterator[str]:
    """The device, or the parts it is divided into, where the whole cannot be used."""
    handle = nvml.nvmlDeviceGetHandleByIndex(number)
    try:
        is_divided = nvml.nvmlDeviceGetMigMode(handle)[0] == nvml.NVML_DEVICE_MIG_ENABLE
    except nvml.NVMLError:  # cannot be divided
        is_divided = False
    if not is_divided:
        yield str(number)
        return
    for part in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        with suppress(nvml.NVMLError):  # it could be divided further than it is
            uuid = nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, part))
            yield uuid.decode() if isinstance(uuid, bytes) else uuid


def _by_tool() -> Sequence[str] | None:
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return listed_gpus(done.stdout) if done.returncode == 0 else None


def listed_gpus(listing: str) -> Sequence[str]:
    """The devices in what `nvidia-smi -L` prints; in place of a divided one its parts."""
    names: list[str] = []
    parent: str | None = None
    for found in filter(None, map(_LISTED.match, listing.splitlines())):
        if found["number"] is not None:
            parent = found["number"]
            names.append(parent)
            continue
        if names and names[-1] == parent:
            names.pop()
        names.append(found["uuid"])
    return names


_ASKED: Mapping[str, Callable[[], Sequence[str] | None]] = {"NVML": _by_nvml, "nvidia-smi": _by_tool}
