"""Puts a replay on record: a run below that of the trial it repeats, so nobody counts or ranks it."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from hpo.artifact_root import root_of
from hpo.left_behind import records_of
from hpo.replaying.comparison import MetricVerdict, Verdict
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
    place = artifact_uri(root_of(parent), run_id)
    kept = _kept(place, run_id, verdict, folder)
    records = records_of(parent, parent.sweep.metric if parent.sweep else "")
    tags = {REPLAY_OF_TAG: verdict.run_id, REPLAY_TAG: "same" if verdict.is_same else "differs"}
    records = replace(records, parent_id=verdict.run_id, user=user, tags={**records.tags, **tags})
    while True:
        number = _free_number(tracker, verdict.run_id)
        trial = replace(done.trial, number=number, attempt=1, artifact_uri=place)
        name = f"{parent.name}-{done.trial.number}-replay"
        begun = replace(records.trial_started(trial), name=name, started=done.outcome.started)
        ending = records.ending(trial, _without_files(done.outcome))
        ended = replace(ending.change, artifacts=kept, points=[*ending.change.points, *done.logged])
        try:
            tracker.record([begun, ended, *ending.below])
            return run_id
        except Exception:
            if _free_number(tracker, verdict.run_id) == number:  # else another replay has it by now
                raise


def _free_number(tracker: Tracker, run_id: str) -> int:
    below = tracker.find(Query(parent=run_id, deleted=None))
    return max([FIRST_NUMBER - 1, *(run.trial.number for run in below if run.trial)]) + 1


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
        "metrics": [_metric(metric) for metric in verdict.metrics],
        "not_compared": dict(verdict.not_compared),
        "first_difference": None if verdict.is_same or first is None else asdict(first),
        "changes": [asdict(change) for change in verdict.changes],
    }


def _metric(metric: MetricVerdict) -> dict[str, object]:
    facts = {**asdict(metric), "same": metric.is_same}
    return {name: _strict(value) if isinstance(value, float) else value for name, value in facts.items()}


def _strict(value: float) -> float | str:
    """JSON knows no NaN and no infinity: they are texts."""
    return value if math.isfinite(value) else repr(value)


def _kept(place: str, run_id: str, verdict: Verdict, folder: Path) -> Sequence[Artifact]:
    saved: list[Artifact] = []
    said = folder / f"{run_id}-{FILE}"
    said.write_text(json.dumps(as_object(verdict), indent=1, allow_nan=False), "utf-8")
    for source, name in ((said, FILE), (folder / "files" / run_id / "artifacts" / OUTPUT_NAME, OUTPUT_NAME)):
        if source.is_file():
            saved += ArtifactFolder().save_file(place, source, name)
    return saved


def _without_files(outcome: Outcome) -> Outcome:
    """They lie in a folder that goes with the replay."""
    parts = [_without_files(part) for part in outcome.replicates]
    return replace(outcome, files=(), models=(), replicates=parts)
