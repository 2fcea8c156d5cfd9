"""Puts a replay on record: a run below that of the trial it repeats, so nobody counts or ranks it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from hpo.artifact_root import root_of
from hpo.left_behind import records_of
from hpo.replaying.comparison import Verdict
from hpo.replaying.record import REPLAY_OF_TAG
from hpo.replaying.replay import Replayed
from hpo.secret_keeping import OUTPUT_NAME
from hpo.sweep_records import REPLAY_TAG
from hpo.trial import Outcome
from trackers.artifacts import ArtifactFolder
from trackers.records import Artifact, Query, Run
from trackers.rows import artifact_uri
from trackers.tracker import Tracker

FIRST_NUMBER = 1_000_000
"""Runs below one trial have numbers of their own; replicates have the first ones."""
FILE = "replay.json"


def put_on_record(tracker: Tracker, parent: Run, done: Replayed, *, user: str, folder: Path) -> str:
    """The id of the new run, of the sweep `parent`; `folder` is where the trial kept its files.

    In one transaction, with what differs as the artifact `replay.json`, and what the trial printed.
    """
    run_id, verdict = done.trial.run_id, done.verdict
    numbers = [run.trial.number for run in tracker.find(Query(parent=verdict.run_id, deleted=None)) if run.trial]
    tags = {REPLAY_OF_TAG: verdict.run_id, REPLAY_TAG: "same" if verdict.is_same else "differs"}
    records = replace(records_of(parent, parent.sweep.metric if parent.sweep else ""), parent_id=verdict.run_id)
    records = replace(records, user=user, tags={**records.tags, **tags})
    place = artifact_uri(root_of(parent), run_id)
    number = max([FIRST_NUMBER - 1, *numbers]) + 1
    trial = replace(done.trial, number=number, attempt=1, artifact_uri=place)
    begun = replace(
        records.trial_started(trial), name=f"{parent.name}-{done.trial.number}-replay", started=done.outcome.started
    )
    ending = records.ending(trial, _without_files(done.outcome))
    kept = _kept(place, run_id, verdict, folder)
    ended = replace(ending.change, artifacts=kept, points=[*ending.change.points, *done.logged])
    tracker.record([begun, ended, *ending.below])
    return run_id


def as_object(verdict: Verdict) -> dict[str, object]:
    """The verdict as plain data, for programs."""
    first = verdict.first_change
    return {
        "trial": verdict.name,
        "run_id": verdict.run_id,
        "same": verdict.is_same,
        "state": verdict.state,
        "replayed_state": verdict.replayed_state,
        "points": verdict.points,
        "metrics": [{**asdict(metric), "same": metric.is_same} for metric in verdict.metrics],
        "not_compared": dict(verdict.not_compared),
        "first_difference": None if verdict.is_same or first is None else asdict(first),
        "changes": [asdict(change) for change in verdict.changes],
    }


def _kept(place: str, run_id: str, verdict: Verdict, folder: Path) -> Sequence[Artifact]:
    saved: list[Artifact] = []
    said = folder / f"{run_id}-{FILE}"
    said.write_text(json.dumps(as_object(verdict), indent=1, default=str), "utf-8")
    for source, name in ((said, FILE), (folder / "files" / run_id / "artifacts" / OUTPUT_NAME, OUTPUT_NAME)):
        if source.is_file():
            saved += ArtifactFolder().save_file(place, source, name)
    return saved


def _without_files(outcome: Outcome) -> Outcome:
    """They lie in a folder that goes with the replay."""
    parts = [_without_files(part) for part in outcome.replicates]
    return replace(outcome, files=(), models=(), replicates=parts)
