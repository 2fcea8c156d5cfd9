"""Replays what a store has on record: one trial, or all trials of a sweep."""

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hpo.captures import Capture, capture_of
from hpo.driver import login_name
from hpo.errors import ConfigError, NothingFound
from hpo.replaying.kept_files import found_here
from hpo.replaying.project import CODE, DATA, edited, read_project
from hpo.replaying.record import Record, TrialRecord, origin_of, record_of, trials_of
from hpo.replaying.recorded_replay import put_on_record
from hpo.replaying.replay import Replayed, keep_copy, replay
from hpo.replaying.surroundings import surroundings_of
from hpo.replaying.wishes import RECORDED, Wishes
from hpo.scratch import new_scratch
from trackers.errors import TrackerError
from trackers.records import Run
from trackers.tracker import Tracker

log = logging.getLogger(__name__)


def replay_run(tracker: Tracker, run: Run, wishes: Wishes, *, records: bool) -> Iterator[Replayed]:
    """The trial run again, or every trial of the sweep that has ended, put on record below it where `records` is set.

    NothingFound where there is none; ProvenanceError or ConfigError where it cannot be run here.
    """
    for sweep, runs in _groups(tracker, run):
        parent = found_here(sweep, wishes.artifacts)
        record = record_of(tracker, parent, runs)
        for key, trials in _by_capture(record).items():
            capture = capture_of(tracker, parent, next(run for run in runs if run.id == trials[0].run_id))
            log.debug("replaying with capture %s", key or "of the sweep")
            yield from _replay(tracker, parent, replace(record, trials=trials), capture, wishes, records=records)


def replay_project(folder: Path, wishes: Wishes) -> Sequence[Replayed]:
    """The trials of a project run again, without a store."""
    if wishes.code != RECORDED:
        raise ConfigError(f"the code of a project is what lies in {folder / CODE}: edit that, or leave out --code")
    record, capture = read_project(folder)
    data = folder / DATA
    wishes = replace(wishes, data=wishes.data or (data if data.is_dir() else None))
    with _scratch() as scratch, surroundings_of(record, capture, wishes, scratch, tree=folder / CODE) as surroundings:
        surroundings = replace(surroundings, changes=[*edited(folder), *surroundings.changes])
        done = replay(record, surroundings, wishes)
        keep_copy(surroundings, wishes.keep)
        return done


def record_of_run(tracker: Tracker, run: Run, artifacts: Sequence[Path] = ()) -> tuple[Record, Capture | None]:
    """What is on record of a trial, or of the trials of a sweep, where all ran with one and the same code.

    `artifacts` are folders to look for the store's files in. ConfigError where the trials ran with different code.
    """
    groups = _groups(tracker, run)
    parent, runs = groups[0]
    record = record_of(tracker, parent, runs)
    if len(groups) > 1 or len(_by_capture(record)) > 1:
        raise ConfigError(f"the trials of {run.name!r} did not all run with the same code; name one: {run.name}#0")
    return record, capture_of(tracker, found_here(parent, artifacts), runs[0])


def _replay(
    tracker: Tracker, parent: Run, record: Record, capture: Capture | None, wishes: Wishes, *, records: bool
) -> Sequence[Replayed]:
    count = len(record.trials)
    what = f"{count} trials of {parent.name}" if count > 1 else record.trials[0].name
    with _scratch() as folder:
        with surroundings_of(record, capture, wishes, folder) as surroundings:
            log.info("replaying %s with %s", what, _described(capture, wishes))
            done = replay(record, surroundings, wishes)
            keep_copy(surroundings, wishes.keep)
        if records:
            _put_on_record(tracker, parent, done, folder)
    return done


def _put_on_record(tracker: Tracker, parent: Run, done: Sequence[Replayed], folder: Path) -> None:
    """What cannot be recorded is said: the verdict itself is known, and worth more."""
    try:
        for each in done:
            put_on_record(tracker, parent, each, user=login_name(), folder=folder)
    except TrackerError as error:
        log.warning("the replay is not put on record: %s", error)


def _described(capture: Capture | None, wishes: Wishes) -> str:
    code = capture.code if capture and wishes.code == RECORDED else None
    if code is None:
        return "the code as it is now"
    edits = " with its edits" if code.dirty or code.files else ""
    return f"commit {code.commit[:10]}{edits}" if code.commit else "the code on record"


@contextmanager
def _scratch() -> Iterator[Path]:
    folder = new_scratch()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _by_capture(record: Record) -> Mapping[str, Sequence[TrialRecord]]:
    """The trials by what they ran with: the sweep's own capture, or a later one."""
    found: dict[str, list[TrialRecord]] = {}
    for trial in record.trials:
        found.setdefault(trial.capture, []).append(trial)
    return found


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
