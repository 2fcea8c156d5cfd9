"""Ends the driver of a sweep from outside, through the store."""

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from hpo.driver import Driver, Life
from hpo.errors import NothingFound
from hpo.lease import life_of_holder
from hpo.left_behind import put_on_record
from hpo.ownership import claimed
from hpo.patience import spool_of, take_in
from trackers.opening import Store
from trackers.records import Run, Status, SweepFacts


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

    What a dead driver left open goes on record as it ended, where that is known, else it is put to WAITING.
    NothingFound for a run that is no sweep of ours.
    """
    if run.sweep is None:
        raise NothingFound(f"run {run.name!r} is no sweep of ours; nobody drives it")
    asked = store.ownership.holder(run.id)
    if asked is None:
        return Stopping(Stopped.NO_DRIVER, f"nobody drives sweep {run.name}; nothing to stop")
    driver, go_on = Driver.parse(asked.owner), f"go on with: hpo resume {shlex.quote(run.name)}"
    while (holder := store.ownership.holder(run.id)) is not None and holder.token == asked.token:
        if life_of_holder(holder) is Life.DEAD:
            left = _put_back(store, run, run.sweep)
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


def _put_back(store: Store, run: Run, facts: SweepFacts) -> str:
    """Ends what a dead driver left open; what that was, for people."""
    with claimed(store.ownership, run.id, run.name) as claim:
        taken = take_in(
            spool_of(store, run.id, os.environ, run.artifact_uri),
            lambda changes: store.tracker.record(changes, claim.fence),
        )
        parent = store.tracker.get(run.id)
        finished, waiting = 0, 0
        if parent.status is Status.RUNNING:
            finished, waiting = put_on_record(store, parent, facts, claim.fence, died=claim.died)
    results, trials = f"{_counted(finished + taken, 'result')} it had not recorded", _counted(waiting, "trial")
    return (f"{results} on record now; " if finished + taken else "") + (
        f"{trials} it left open will run again; " if waiting else ""
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
