"""Deals GPUs and processors to the slots of one machine, so that every trial has its own share."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hpo.errors import ConfigError
from hpo.executors.cores import CAN_BIND, Core, deal_processors, ranges, usable_cores
from hpo.executors.gpus import ORDER, VISIBLE, Gpus, visible_gpus

GPUS_TAG = "hpo.gpus"
CPUS_TAG = "hpo.cpus"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Share:
    """What each trial has for itself; None: what it finds. `gpus` is a whole number, or a part of one."""

    gpus: float | None = None
    cpus: int | None = None


@dataclass(frozen=True)
class Machine:
    """What there is to deal: `cores` side by side, `processors` how many of them may be busy at once (a container's
    limit may be lower)."""

    gpus: Gpus
    cores: Sequence[Core]
    processors: int


@dataclass(frozen=True)
class SlotDevices:
    """What a slot keeps for as long as it lives, whatever becomes of its workers: `environment` and `tags` are set in
    each worker and on each trial, `processors` is what it is bound to, none where it is not."""

    environment: Mapping[str, str] = field(default_factory=dict)
    processors: Sequence[int] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


def this_machine(share: Share, environ: Mapping[str, str], limit: int | None = None) -> Machine:
    """What this process may use; GPUs are looked for only if asked for. `limit` is a container's, in processors."""
    gpus = visible_gpus(environ) if share.gpus else Gpus((), "not asked for")
    cores = usable_cores() if share.cpus else []
    processors = sum(map(len, cores))
    return Machine(gpus, cores, min(processors, limit or processors))


def most_slots(share: Share, machine: Machine) -> int | None:
    """How many slots fit; None where nothing is asked for that could run out."""
    fits = []
    if share.gpus:
        fits.append(_slots_on_gpus(share.gpus, len(machine.gpus.names), is_divided=machine.gpus.is_divided))
    if share.cpus:
        fits.append(machine.processors // share.cpus)
    return min(fits, default=None)


def deal(share: Share, machine: Machine, slots: int) -> Sequence[SlotDevices]:
    """What each slot has. ConfigError, with the number that fits, where there is not enough.

    Slots with a part of a GPU are spread over all of them, each on one; so no GPU idles while another is shared.
    """
    check_fits(share, machine, slots)
    if share.cpus and not CAN_BIND:
        log.warning("this platform cannot bind trials to processors; cpus_per_trial limits their threads alone")
    gpus = _deal_gpus(share, machine, slots)
    bound = deal_processors(machine.cores, slots, share.cpus) if share.cpus and CAN_BIND else [()] * slots
    return [_slot(names, machine, processors) for names, processors in zip(gpus, bound, strict=True)]


def check_fits(share: Share, machine: Machine, slots: int) -> None:
    """ConfigError where not so many trials fit at once."""
    most = most_slots(share, machine)
    if most is None or slots <= most:
        return
    trials, needs = (f"{slots} trials", "need") if slots > 1 else ("1 trial", "needs")
    if share.gpus and (most_slots(Share(gpus=share.gpus), machine) or 0) < slots:
        each, needed = _counted(share.gpus, "GPU"), _needed_gpus(share.gpus, machine.gpus, slots)
        smaller = "gpus_per_trial, 0 for trials without any"
    else:
        each, needed = _counted(share.cpus or 0, "CPU"), _needed_processors(share.cpus or 0, machine, slots)
        smaller = "cpus_per_trial"
    remedy = f"write n_jobs: {most}" if most else f"not one fits: write a smaller {smaller}"
    raise ConfigError(f"parallel: {trials} of {each} {needs} {needed}; {remedy}")


def devices_of_slots(share: Share, slots: int) -> Sequence[SlotDevices]:
    """What each slot on this machine has."""
    return deal(share, this_machine(share, os.environ), slots)


def as_found(share: Share, environ: Mapping[str, str]) -> SlotDevices:
    """What a trial has where a cluster has dealt devices already: what this process sees, or none if none is wanted."""
    if share.gpus is None:
        return SlotDevices()
    if share.gpus == 0:
        return SlotDevices({VISIBLE: ""}, tags={GPUS_TAG: "none"})
    return SlotDevices(tags={GPUS_TAG: environ.get(VISIBLE, "all")})


def dask_resources(share: Share) -> dict[str, float] | None:
    """The same in dask's words, as workers offer them: `dask worker --resources "GPU=2 CPU=16"`."""
    asked = {"GPU": share.gpus, "CPU": share.cpus}
    return {name: float(number) for name, number in asked.items() if number} or None


def _slots_on_gpus(each: float, found: int, *, is_divided: bool) -> int:
    if each > 1:
        return 0 if is_divided else found // round(each)
    return found * _slots_on_one(each)


def _slots_on_one(each: float) -> int:
    return int(1 / each + 1e-6)  # 1 / (1 / 93) comes out as 92.99..


def _needed_gpus(each: float, gpus: Gpus, slots: int) -> str:
    if gpus.is_divided and each > 1:
        return f"whole ones, since a process can use one part of a divided one (MIG) alone ({gpus.how})"
    need = slots * round(each) if each > 1 else -(-slots // _slots_on_one(each))
    return f"{_counted(need, 'GPU')}, found {len(gpus.names) or 'none'} ({gpus.how})"


def _needed_processors(each: int, machine: Machine, slots: int) -> str:
    return f"{_counted(slots * each, 'CPU')}, found {machine.processors}"


def _counted(number: float, what: str) -> str:
    return f"{number:g} {what}{'' if number == 1 else 's'}"


def _deal_gpus(share: Share, machine: Machine, slots: int) -> Sequence[Sequence[str] | None]:
    names = machine.gpus.names
    if share.gpus is None:
        return [None] * slots
    if share.gpus == 0:
        return [()] * slots
    if share.gpus <= 1:
        return [(names[slot % len(names)],) for slot in range(slots)]
    each = round(share.gpus)
    return [tuple(names[slot * each : (slot + 1) * each]) for slot in range(slots)]


def _slot(gpus: Sequence[str] | None, machine: Machine, processors: Sequence[int]) -> SlotDevices:
    environment: dict[str, str] = {}
    tags: dict[str, str] = {}
    if gpus is not None:
        environment[VISIBLE] = tags[GPUS_TAG] = ",".join(gpus)
        tags[GPUS_TAG] = tags[GPUS_TAG] or "none"
    if gpus and machine.gpus.by_bus:  # numbers that somebody else has set count as that one counted
        environment[ORDER] = "PCI_BUS_ID"
    if processors:
        tags[CPUS_TAG] = ranges(processors)
    return SlotDevices(environment, processors, tags)
