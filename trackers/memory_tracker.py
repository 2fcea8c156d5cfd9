"""A tracker in memory: the reference of what a tracker does, and the store of other tests.

It keeps nothing on disk and shares nothing between processes. Every rule is written the plain way here, so that the
SQL tracker can be held to it.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from trackers.checks import check_change, check_experiment
from trackers.errors import InvalidRecord, NameTaken, NotFound, Superseded
from trackers.memory_datasets import KnownDatasets
from trackers.memory_ownership import MemoryOwnership
from trackers.memory_run import KeptRun
from trackers.memory_search import meant, page
from trackers.records import (
    Artifact,
    Change,
    Fence,
    Point,
    Query,
    Run,
    RunDeleted,
    RunEnded,
    RunErased,
    RunErasing,
    RunRestored,
    RunStarted,
    RunUpdated,
    Status,
    TrialFacts,
)
from trackers.rows import (
    ERASING_TAG,
    PARENT_TAG,
    STATE_OF_STATUS,
    artifact_uri,
    attempt_uri,
    below,
    plain_trial,
    run_tags,
    status_at_start,
    text_of,
)
from trackers.tracker import Tracker


class MemoryTracker:
    """Runs in a dictionary; safe to use from several threads."""

    def __init__(self, artifacts: str = "mlruns") -> None:
        self._artifacts = artifacts
        self._lock = threading.RLock()
        self._locations: dict[str, str] = {"Default": below(artifacts, "0")}
        self._ids: dict[str, str] = {"Default": "0"}
        self._runs: dict[str, KeptRun] = {}
        self._by_number: dict[int, dict[str, None]] = {}
        """The ids of all runs that ever were the trial of a number, those of runs that are gone too."""
        self._datasets = KnownDatasets()
        self.ownership = MemoryOwnership(self._lock)
        self.writes = 0
        """Counts the transactions."""

    def experiment(self, name: str, artifact_location: str | None = None) -> str:
        """The id of the experiment of that name, made if missing."""
        check_experiment(name)
        with self._lock:
            if name not in self._ids:
                self._ids[name] = str(len(self._ids))
                self._locations[name] = artifact_location or below(self._artifacts, self._ids[name])
            return self._ids[name]

    def record(self, changes: Sequence[Change], fence: Fence | None = None) -> None:
        """Applies all changes in order, or none."""
        for change in changes:
            check_change(change)
        with self._lock:
            if fence is not None:
                self.ownership.check(fence)
            before = self._copies({change.run_id for change in changes})
            known = len(self._datasets)
            try:
                for change in changes:
                    self._apply(change)
            except BaseException:
                self._put_back(before)
                self._datasets.forget_after(known)
                raise
            self.writes += 1

    def get(self, run_id: str) -> Run:
        """One run by its whole id."""
        with self._lock:
            return self._kept(run_id).as_run()

    def find(self, query: Query) -> Sequence[Run]:
        """The runs that answer the query, in its order."""
        with self._lock:
            runs = meant(self._runs, query)
        found = page(runs, query)
        if not query.datasets:
            found = [replace(run, datasets=()) for run in found]
        if query.points_of is None:
            return found
        return [replace(run, points=self.history(run.id, query.points_of)) for run in found]

    def history(self, run_id: str, metric: str | None = None) -> Sequence[Point]:
        """Every recorded point of one metric, or of all, by metric, step, timestamp, value."""
        with self._lock:
            rows = [row for row in self._kept(run_id).metrics if metric in (None, row.key)]
        rows.sort(key=lambda row: (row.key, row.step, row.timestamp, row.value, row.is_nan))
        return [Point(row.key, row.number, row.step, row.timestamp) for row in rows]

    def artifacts(self, run_id: str) -> Sequence[Artifact]:
        """The manifest of the files the run keeps, by path."""
        with self._lock:
            return [artifact for _, artifact in sorted(self._kept(run_id).artifacts.items())]

    def counts(self, parents: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """For each parent run its children counted by trial state."""
        counted: dict[str, Counter[str]] = {parent: Counter() for parent in parents}
        with self._lock:
            for kept in self._runs.values():
                parent = kept.tags.get(PARENT_TAG)
                above = self._runs.get(parent or "")
                if parent in counted and (kept.deleted is None) == (above is None or above.deleted is None):
                    counted[parent][kept.trial.state if kept.trial else STATE_OF_STATUS[kept.status]] += 1
        return {parent: dict(counts) for parent, counts in counted.items()}

    def _kept(self, run_id: str) -> KeptRun:
        if run_id not in self._runs:
            raise NotFound(f"no run {run_id!r} in this memory")
        return self._runs[run_id]

    def _copies(self, ids: Iterable[str]) -> Mapping[str, KeptRun | None]:
        """The runs as they are now; None for those that are not there."""
        return {run_id: kept.copy() if (kept := self._runs.get(run_id)) else None for run_id in ids}

    def _put_back(self, before: Mapping[str, KeptRun | None]) -> None:
        for run_id, kept in before.items():
            if kept is None:
                self._runs.pop(run_id, None)
            else:
                self._runs[run_id] = kept

    def _apply(self, change: Change) -> None:
        if isinstance(change, RunStarted):
            self._start(change)
        elif isinstance(change, RunUpdated):
            self._update(change)
        elif isinstance(change, RunEnded):
            self._end(change)
        elif isinstance(change, RunErased):
            self._erase(change)
        else:
            self._set_stage(change, self._kept(change.run_id))

    def _start(self, change: RunStarted) -> None:
        if change.experiment not in self._locations:
            raise NotFound(f"no experiment {change.experiment!r}; there are {', '.join(self._ids)}")
        if change.new_name:
            self._check_name(change)
        attempt = change.trial.attempt if change.trial else 1
        uri = artifact_uri(self._locations[change.experiment], change.run_id, attempt)
        kept = self._runs.get(change.run_id)
        if kept is None:
            kept = KeptRun(change.run_id, "", change.experiment, Status.RUNNING, None, None, uri)
            self._runs[change.run_id] = kept
        if change.trial is not None:
            self._check_attempt(change, change.trial, kept.trial)
            if kept.trial is not None and attempt > max(kept.trial.attempt, 1):
                kept.clear_earlier(attempt_uri(kept.artifact_uri, attempt))
            kept.trial = plain_trial(change.trial)
            self._by_number.setdefault(kept.trial.number, {})[kept.id] = None
        kept.sweep = change.sweep or kept.sweep
        kept.name, kept.user = change.name, change.user
        kept.status, kept.started, kept.ended = status_at_start(change), change.started, None
        kept.params |= {key: text_of(value) for key, value in change.params.items()}
        kept.tags |= run_tags(change)
        self._datasets.add(kept.datasets, kept.experiment, change.datasets)

    def _check_name(self, change: RunStarted) -> None:
        if other := self._sweep_named(change.name, besides=change.run_id):
            raise NameTaken(f"sweep {change.name!r} is run {other.id} already")

    def _sweep_named(self, name: str, *, besides: str) -> KeptRun | None:
        for other in self._runs.values():
            is_root_sweep = other.sweep is not None and PARENT_TAG not in other.tags and other.deleted is None
            if is_root_sweep and other.name == name and other.id != besides:
                return other
        return None

    def _check_attempt(self, change: RunStarted, trial: TrialFacts, known: TrialFacts | None) -> None:
        if known is not None and not _may_start(trial, known):
            raise Superseded(
                f"trial {trial.number} (run {change.run_id}) is {known.state} in attempt {known.attempt} already"
            )
        for other in self._numbered(trial.number):
            if other.tags.get(PARENT_TAG) == change.parent_id and other.id != change.run_id:
                raise Superseded(f"trial {trial.number} of sweep {change.parent_id} is run {other.id} already")

    def _numbered(self, number: int) -> Sequence[KeptRun]:
        """The trials of that number, whatever sweep they are of."""
        ids = self._by_number.get(number, ())
        found = [self._runs[run_id] for run_id in ids if run_id in self._runs]
        return [kept for kept in found if kept.trial is not None and kept.trial.number == number]

    def _update(self, change: RunUpdated) -> None:
        kept = self._kept(change.run_id)
        kept.params |= {key: text_of(value) for key, value in change.params.items()}
        self._datasets.add(kept.datasets, kept.experiment, change.datasets)
        kept.add(change)
        kept.remove(change)

    def _set_stage(self, change: RunDeleted | RunRestored | RunErasing, kept: KeptRun) -> None:
        if isinstance(change, RunDeleted):
            kept.deleted = change.deleted if kept.deleted is None else kept.deleted
        elif isinstance(change, RunErasing):
            if kept.deleted is None:
                raise Superseded(f"run {kept.id} is not deleted, so it stays with its files")
            kept.tags[ERASING_TAG] = "true"
        elif kept.deleted is not None:
            self._restore(kept)

    def _restore(self, kept: KeptRun) -> None:
        if ERASING_TAG in kept.tags:
            raise Superseded(f"run {kept.id} cannot be restored: its files were removed by hpo gc, or part of them")
        other = self._sweep_named(kept.name, besides=kept.id)
        if kept.sweep is not None and other is not None:
            raise NameTaken(f"sweep {kept.name!r} is run {other.id} by now")
        kept.deleted = None

    def _erase(self, change: RunErased) -> None:
        kept = self._runs.get(change.run_id)
        if kept is not None and (kept.deleted is None or ERASING_TAG not in kept.tags):
            raise Superseded(f"run {kept.id} was restored meanwhile, so it stays")
        self._runs.pop(change.run_id, None)

    def _end(self, change: RunEnded) -> None:
        kept = self._kept(change.run_id)
        if change.trial is not None:
            kept.trial = _ended_trial(change, change.trial, kept.trial)
        elif kept.trial is not None:
            raise InvalidRecord(f"run {kept.id} is trial {kept.trial.number}; it ends with its trial's facts only")
        kept.status, kept.ended = change.status, max(change.ended, kept.started or change.ended)
        self._datasets.add(kept.datasets, kept.experiment, change.datasets)
        kept.add(change)


def _may_start(trial: TrialFacts, known: TrialFacts) -> bool:
    if trial.attempt == known.attempt:
        return known.state in ("RUNNING", "WAITING")
    return trial.attempt > known.attempt


def _ended_trial(change: RunEnded, trial: TrialFacts, known: TrialFacts | None) -> TrialFacts:
    if known is None:
        raise NotFound(f"run {change.run_id} is no trial")
    trial = plain_trial(trial)
    ended = replace(
        known,
        state=trial.state,
        value=trial.value,
        reason=trial.reason,
        error=trial.error,
        traceback=trial.traceback,
        seconds=trial.seconds,
    )
    if known.attempt == trial.attempt and (known.state == "RUNNING" or known == ended):
        return ended
    raise Superseded(
        f"trial {known.number} (run {change.run_id}) is {known.state} in attempt {known.attempt}; "
        f"the late end of attempt {trial.attempt} was refused"
    )


_: type[Tracker] = MemoryTracker
