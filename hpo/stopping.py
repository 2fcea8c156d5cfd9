"""Ends the driver of a sweep from outside, through the store."""

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from hpo.budget import Stop
from hpo.driver import Driver, Life, life_of
from hpo.errors import NothingFound
from hpo.ownership import claimed
from hpo.reclaim import reclaimed
from hpo.standing import STOPPED_TAG
from trackers.opening import Store
from trackers.records import Change, Query, Run, RunEnded, Status


class Stopped(StrEnum):
    """What came of the wish."""

    STOPPED = "stopped"
    NO_DRIVER = "no driver"
    STILL_AT_WORK = "still at work"


@dataclass(frozen=True)
class Stopping:
    """What came of the wish, and that for people."""

    how: Stopped
    message: str


def stop(store: Store, run: Run, *, waiting: Callable[[], None], is_over: Callable[[], bool]) -> Stopping:
    """Asks the sweep's driver to end and waits until it has: `waiting` between looks, until `is_over`.

    What a dead driver left open is put to WAITING. NothingFound for a run that is no sweep of ours.
    """
    if run.sweep is None:
        raise NothingFound(f"run {run.name!r} is no sweep of ours; nobody drives it")
    asked = store.ownership.holder(run.id)
    if asked is None:
        return Stopping(Stopped.NO_DRIVER, f"nobody drives sweep {run.name}; nothing to stop")
    driver, go_on = Driver.parse(asked.owner), f"go on with: hpo resume {shlex.quote(run.name)}"
    while (holder := store.ownership.holder(run.id)) is not None and holder.token == asked.token:
        if life_of(driver) is Life.DEAD:
            count = _put_back(store, run)
            left = f"{count} trial{'' if count == 1 else 's'} it left open will run again; " if count else ""
            return Stopping(Stopped.NO_DRIVER, f"the driver of sweep {run.name}, {driver}, is dead; {left}{go_on}")
        if is_over():
            return Stopping(
                Stopped.STILL_AT_WORK,
                f"{driver} was asked to stop sweep {run.name} and is still at work; it ends once its open trials have, "
                "or had their time",
            )
        if not holder.stop_asked:
            store.ownership.ask_to_stop(run.id)
        waiting()
    return Stopping(Stopped.STOPPED, f"sweep {run.name} was stopped; {go_on}")


def _put_back(store: Store, run: Run) -> int:
    """Ends what a dead driver left open; how many trials that were."""
    with claimed(store.ownership, run.id, run.name) as claim:
        now = round(time.time() * 1000)
        changes: list[Change] = [*reclaimed(store.tracker.find(Query(parent=run.id)), now, is_lost=claim.died)]
        ended = RunEnded(run.id, Status.KILLED, now, tags={STOPPED_TAG: Stop.INTERRUPTED.value})
        if store.tracker.get(run.id).status is Status.RUNNING:
            store.tracker.record([*changes, ended], claim.fence)
    return len(changes)
