"""How many trials run at once on this machine, by the devices that each of them asks for."""

import os

from hpo.config.schema import Parallel
from hpo.executors.devices import Machine, Share, check_fits, most_slots, this_machine
from hpo.provenance.machine import usable_cores


def share_of(parallel: Parallel) -> Share:
    """What each trial has for itself of the machine that it runs on."""
    return Share(parallel.gpus_per_trial, parallel.cpus_per_trial)


def slot_count(parallel: Parallel) -> int:
    """How many trials run at once; ConfigError where this machine has not the devices that they ask for."""
    if not _is_dealt_here(parallel):
        return parallel.slots(usable_cores())
    share, machine = share_of(parallel), _machine(parallel)
    most = most_slots(share, machine)
    slots = parallel.slots(max(1, most) if most is not None else usable_cores())
    check_fits(share, machine, slots)
    return slots


def as_far_as_it_fits(parallel: Parallel) -> Parallel:
    """The same on a machine that may have less: fewer at once, and where not even one fits with what is there."""
    most = most_slots(share_of(parallel), _machine(parallel)) if _is_dealt_here(parallel) else None
    if most is None:
        return parallel
    if most == 0:
        return parallel.model_copy(update={"gpus_per_trial": None, "cpus_per_trial": None})
    return parallel.model_copy(update={"n_jobs": min(parallel.slots(most), most)})


def _is_dealt_here(parallel: Parallel) -> bool:
    is_here = parallel.backend == "loky" or (parallel.backend == "ray" and parallel.address is None)
    return is_here and bool(parallel.asks_for_device)


def _machine(parallel: Parallel) -> Machine:
    return this_machine(share_of(parallel), os.environ, limit=usable_cores())
