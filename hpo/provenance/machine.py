"""On which machine something runs: processor, memory, graphics cards; asked of the system, never guessed."""

import os
import platform
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
INSTRUCTIONS = frozenset(["sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_bf16", "amx_tile", "asimd", "sve", "sve2"])
"""Instruction sets by which numeric libraries choose their kernels, and so the last bits of what they compute."""


def processor() -> str:
    """The model of the CPU, and which of the instruction sets it has that decide last bits; empty where unknown."""
    facts = _first_of_cpuinfo()
    model = facts.get("model name") or facts.get("Model") or _brand_on_macos() or platform.processor()
    sets = sorted(INSTRUCTIONS & {*facts.get("flags", "").split(), *facts.get("Features", "").split()})
    return " ".join([model, f"({' '.join(sets)})" if sets else ""]).strip()


def usable_cores() -> int:
    """How many cores this process may use: those it is bound to, and no more than its container's limit rounded up."""
    with suppress(AttributeError, OSError):  # not on macOS
        return _limited(len(os.sched_getaffinity(0)))
    return _limited(os.cpu_count() or 1)


def physical_memory() -> int:
    """Bytes of memory of the machine, or of its container where that has less; 0 where unknown."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 0
    return min([total, *(int(text) for text in _cgroup_values("memory.max") if text.isdigit())])


def graphics_cards() -> Sequence[str]:
    """One text a card of NVIDIA: its model and driver, and the newest CUDA that the driver serves; empty without any.

    The kernel's own files answer in a millisecond and where neither nvidia-ml-py nor nvidia-smi is installed; those are
    asked where there is a driver without such files (WSL).
    """
    cards = _cards_of_the_kernel()
    if not cards and not any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/dxg")):
        return ()
    cuda = newest_cuda()
    return [f"{card}, CUDA {cuda}" if cuda else card for card in cards or _cards_of_nvml() or _cards_of_the_tool()]


def newest_cuda() -> str:
    """The newest version of CUDA that the installed driver serves; empty without a driver."""
    import ctypes  # only where there is a card

    version = ctypes.c_int()
    try:
        if ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(version)):
            return ""
    except (OSError, AttributeError):
        return ""
    return f"{version.value // 1000}.{version.value % 1000 // 10}"


def _first_of_cpuinfo() -> dict[str, str]:
    try:
        text = (PROC / "cpuinfo").read_text("utf-8", errors="replace")
    except OSError:
        return {}
    return _fields(text.split("\n\n")[0])


def _brand_on_macos() -> str:
    return _said(["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]) if platform.system() == "Darwin" else ""


def _cards_of_the_kernel() -> Sequence[str]:
    driver = ""
    with suppress(OSError):
        words = (PROC / "driver/nvidia/version").read_text("utf-8", errors="replace").split()
        driver = next((word for word in words if word.replace(".", "").isdigit() and "." in word), "")
    cards = []
    for path in sorted((PROC / "driver/nvidia/gpus").glob("*/information")):
        with suppress(OSError):
            model = _fields(path.read_text("utf-8", errors="replace")).get("Model", "")
            cards.append(f"{model}, driver {driver}" if driver else model)
    return cards


def _cards_of_nvml() -> Sequence[str]:
    try:
        import pynvml  # type: ignore[import-not-found,unused-ignore]  # the extra `gpu`
    except ImportError:
        return ()
    try:
        pynvml.nvmlInit()
        try:
            driver = _text(pynvml.nvmlSystemGetDriverVersion())
            handles = [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(pynvml.nvmlDeviceGetCount())]
            return [f"{_text(pynvml.nvmlDeviceGetName(handle))}, driver {driver}" for handle in handles]
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return ()


def _text(answer: str | bytes) -> str:
    return answer.decode() if isinstance(answer, bytes) else answer  # bytes before nvidia-ml-py 11.5


def _cards_of_the_tool() -> Sequence[str]:
    lines = _said(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]).splitlines()
    return [", driver ".join(part.strip() for part in line.rsplit(",", 1)) for line in lines if "," in line]


def _limited(cores: int) -> int:
    limits = []
    for text in _cgroup_values("cpu.max"):
        with suppress(ValueError, ZeroDivisionError):  # `max 100000`: no limit
            quota, period = text.split()
            limits.append(max(1, -(-int(quota) // int(period))))
    return min([cores, *limits])


def _cgroup_values(name: str) -> Sequence[str]:
    """What the process's cgroup (version 2) and all above it say of one limit."""
    try:
        lines = (PROC / "self/cgroup").read_text().splitlines()
    except OSError:
        return ()
    own = next((line[len("0::/") :] for line in lines if line.startswith("0::/")), None)
    if own is None:
        return ()
    values = []
    for folder in (CGROUPS / own, *(CGROUPS / own).parents):
        if folder == CGROUPS or CGROUPS in folder.parents:
            with suppress(OSError):
                values.append((folder / name).read_text().strip())
    return values


def _fields(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _said(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
