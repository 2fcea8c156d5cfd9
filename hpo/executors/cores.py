"""The processors of this machine, in an order in which neighbours belong together; and binding a process to some."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path

SYSTEM = Path("/sys/devices/system/cpu")

Core = tuple[int, ...]
"""The numbers of the processors (hardware threads) of one core."""

CAN_BIND = hasattr(os, "sched_setaffinity")
"""Whether processes can be bound to processors on this platform (Linux)."""


def usable_cores(system: Path = SYSTEM) -> Sequence[Core]:
    """The cores this process may run on, those of one socket side by side; each with the processors it may use."""
    numbers = sorted(os.sched_getaffinity(0)) if CAN_BIND else range(os.cpu_count() or 1)
    placed = sorted((_place(system, number), number) for number in numbers)
    return [tuple(number for _, number in core) for _, core in groupby(placed, key=lambda each: each[0])]


def deal_processors(cores: Sequence[Core], slots: int, each: int) -> Sequence[Core]:
    """As many processors for each slot, side by side: beginning with a core of its own if there are enough cores.

    ValueError where there are too few processors.
    """
    width = max(map(len, cores), default=1)
    step = -(-each // width)
    whole = [cores[slot * step : (slot + 1) * step] for slot in range(slots)]
    dealt = [_flat(part)[:each] for part in whole]
    if all(len(part) == each for part in dealt):
        return dealt
    processors = _flat(cores)
    if len(processors) < slots * each:
        raise ValueError(f"{slots} slots of {each} processors do not fit on {len(processors)}")
    return [processors[slot * each : (slot + 1) * each] for slot in range(slots)]


def bind(processors: Sequence[int]) -> None:
    """Binds all threads of the calling process, and what they will start, to these processors; none: left as it is."""
    if not (processors and CAN_BIND):
        return
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it has ended
            os.sched_setaffinity(int(thread.name), processors)


def ranges(numbers: Iterable[int]) -> str:
    """Numbers as Linux writes them: 0-3,8."""
    ordered = sorted(numbers)
    runs = [[number for _, number in run] for _, run in groupby(enumerate(ordered), key=lambda pair: pair[1] - pair[0])]
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _place(system: Path, number: int) -> tuple[int, int]:
    """Socket and core; a processor that does not tell is a core of its own."""
    folder = system / f"cpu{number}" / "topology"
    try:
        return int((folder / "physical_package_id").read_text()), int((folder / "core_id").read_text())
    except (OSError, ValueError):
        return 0, number


def _flat(cores: Iterable[Core]) -> Core:
    return tuple(number for core in cores for number in core)
