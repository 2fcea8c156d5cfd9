"""Removes for good what was deleted long enough ago: the files first, then the rows.

In between, the runs are marked: they cannot be restored any more, and a clean-up that was killed is done again from
where it stood. What a registered model came from stays, whoever deleted it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpo.deletion import registered_from
from hpo.ownership import claimed
from hpo.patience import spool_of
from trackers.artifacts import ArtifactFolder
from trackers.errors import NotFound
from trackers.failpoints import reach
from trackers.opening import Store
from trackers.records import Query, Run, RunErased, RunErasing, RunUpdated
from trackers.rows import ERASING_TAG
from trackers.run_folder import remove_run_folder, run_folder
from trackers.tracker import Tracker

BATCH = 500
"""Runs whose rows go in one transaction, so that nobody who writes waits for long."""


@dataclass(frozen=True)
class Erasable:
    """Runs below one sweep (or that sweep too) that can go: `gone` with their rows, of `emptied` only the files.

    Rows stay that are still needed: of a trial deleted by itself, because samplers have to be told of it when its sweep
    goes on, and of a sweep from one of whose trials a registered model came. `deleted` is when the first was deleted,
    milliseconds since 1970; `folder` where files of it lie; `size` their bytes by the manifests.
    """

    sweep_id: str
    sweep: str
    deleted: int
    folder: str
    size: int
    gone: Sequence[Run]
    emptied: Sequence[Run]

    @property
    def runs(self) -> Sequence[Run]:
        """All of them; the sweep last, so that what a kill leaves is still found below it."""
        return [*self.gone, *self.emptied]


def find_erasable(store: Store, before: int) -> list[Erasable]:
    """What was deleted before a time (milliseconds since 1970), the earliest first.

    Runs that MLflow alone wrote are left to `mlflow gc`, and so are those of which nobody knows when they were deleted.
    """
    tops = _Tops(store.tracker)
    deleted = store.tracker.find(Query(deleted=True))
    held = {run_id for run_id, _ in registered_from(store.registry, deleted)}
    below: dict[str, list[Run]] = {}
    for run in deleted:
        top = tops.of(run)
        if run.id not in held and 0 < (run.deleted or 0) < before and _is_ours(run, top):
            below.setdefault(top.id, []).append(run)
    found = [_erasable(store.tracker, tops.known[top], runs) for top, runs in below.items()]
    return sorted((item for item in found if item.runs), key=lambda item: item.deleted)


def erase(store: Store, item: Erasable, artifacts: ArtifactFolder, environment: Mapping[str, str]) -> None:
    """Removes it; safe to kill at any moment and to do again. What a driver kept aside goes with the sweep itself.

    SweepOwned where a driver is at work on the sweep, Superseded where somebody restored it meanwhile: then it stays.
    StoreUnavailable where its files are out of reach: what remains of it is found again.
    """
    tracker = store.tracker
    with claimed(store.ownership, item.sweep_id, item.sweep) as claim:
        reach("erase.begun")
        tracker.record([RunErasing(run.id) for run in item.runs], claim.fence)
        reach("erase.marked")
        for run in item.runs:
            remove_run_folder(run, artifacts)
            reach("erase.files_gone")
        tracker.record([_without_files(tracker, run) for run in item.emptied], claim.fence)
        for run in item.runs:
            if run.id == item.sweep_id:
                spool_of(store, run.id, environment, run.artifact_uri).discard()
        for start in range(0, len(item.gone), BATCH):
            tracker.record([RunErased(run.id) for run in item.gone[start : start + BATCH]], claim.fence)
            reach("erase.rows_gone")


class _Tops:
    """The run at the top of each run, as far as there is one; each is read once."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self.known: dict[str, Run] = {}

    def of(self, run: Run) -> Run:
        while run.parent_id is not None:
            if run.parent_id not in self.known:
                try:
                    self.known[run.parent_id] = self._tracker.get(run.parent_id)
                except NotFound:
                    break
            run = self.known[run.parent_id]
        return self.known.setdefault(run.id, run)


def _is_ours(run: Run, top: Run) -> bool:
    """Whether it is a sweep, a trial, or something that was logged below one."""
    return any(facts is not None for facts in (run.sweep, run.trial, top.sweep, top.trial))


def _erasable(tracker: Tracker, top: Run, runs: Sequence[Run]) -> Erasable:
    """Which of the runs below one at the top (it may be one of them) can go wholly."""
    with_top = any(run.id == top.id for run in runs)
    others = [run for run in runs if run.id != top.id]
    is_orphan = top.sweep is None  # the sweep itself was taken by MLflow's clean-up
    gone = [run for run in others if with_top or is_orphan or run.trial is None]
    emptied = [run for run in others if run not in gone]
    if with_top:
        (emptied if _has_more_below(tracker, top, {run.id for run in gone}) else gone).append(top)
    emptied = [run for run in emptied if not _is_empty(tracker, run)]
    size = sum(artifact.size for run in (*gone, *emptied) for artifact in tracker.artifacts(run.id))
    place = top if with_top else runs[0]
    first = min(run.deleted or 0 for run in runs)
    return Erasable(top.id, top.name, first, run_folder(place) or place.artifact_uri, size, gone, emptied)


def _has_more_below(tracker: Tracker, top: Run, going: set[str]) -> bool:
    return any(run.id not in going for run in tracker.find(Query(parent=top.id, deleted=None)))


def _is_empty(tracker: Tracker, run: Run) -> bool:
    return ERASING_TAG in run.tags and not tracker.artifacts(run.id)


def _without_files(tracker: Tracker, run: Run) -> RunUpdated:
    return RunUpdated(
        run.id,
        removed_artifacts=[artifact.path for artifact in tracker.artifacts(run.id)],
        removed_models=[model.model_id for model in run.models],
    )
