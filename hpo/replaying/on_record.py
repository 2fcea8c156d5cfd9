"""Replays what a store has on record: one trial, or all trials of a sweep."""

import getpass
import logging
import shutil
from collections.abc import Iterator, Sequence

from hpo.errors import NothingFound
from hpo.replaying.record import origin_of, record_of, trials_of
from hpo.replaying.recorded_replay import put_on_record
from hpo.replaying.replay import Replayed, replay
from hpo.replaying.surroundings import Wishes, surroundings_of
from hpo.scratch import new_scratch
from trackers.records import Run
from trackers.tracker import Tracker

log = logging.getLogger(__name__)


def replay_run(tracker: Tracker, run: Run, wishes: Wishes, *, records: bool) -> Iterator[Replayed]:
    """The trial run again, or every trial of the sweep that has ended, put on record below it where `records` is set.

    NothingFound where there is none; ProvenanceError or ConfigError where it cannot be run here.
    """
    for parent, runs in _groups(tracker, run):
        yield from _replay(tracker, parent, runs, wishes, records=records)


def _replay(tracker: Tracker, parent: Run, runs: Sequence[Run], wishes: Wishes, *, records: bool) -> Sequence[Replayed]:
    record = record_of(tracker, parent, runs)
    folder = new_scratch()
    try:
        with surroundings_of(record, None, wishes, folder) as surroundings:
            what = f"{len(runs)} trials of {parent.name}" if len(runs) > 1 else record.trials[0].name
            log.info("replaying %s in %s", what, surroundings.code.folder)
            done = replay(record, surroundings, wishes)
        if records:
            for each in done:
                put_on_record(tracker, parent, each, user=getpass.getuser(), folder=folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return done


def _groups(tracker: Tracker, run: Run) -> list[tuple[Run, list[Run]]]:
    """The trials to run by the sweep that they ran in: some of a sweep may have been taken over from another one."""
    asked = [run] if run.trial is not None else list(trials_of(tracker, run))
    if not asked:
        raise NothingFound(f"sweep {run.name!r} has no trial that has ended, so there is nothing to replay")
    groups: dict[str, list[Run]] = {}
    for each in asked:
        origin = origin_of(tracker, tracker.get(each.id))
        if origin.id != each.id:
            log.info(
                "%s was not run itself, its numbers were measured in run %s: that one is replayed", each.name, origin.id
            )
        known = groups.setdefault(origin.parent_id or "", [])
        if all(other.id != origin.id for other in known):
            known.append(origin)
    return [(tracker.get(parent), runs) for parent, runs in groups.items()]
