"""Watching a store in memory."""

from collections.abc import Collection, Mapping, Sequence

from trackers.memory_tracker import MemoryTracker
from trackers.records import Query, Run
from trackers.rows import STATE_OF_STATUS
from trackers.watching import Stands, TrialBody, TrialHead, Watching


class MemoryWatching:
    """Reads a tracker in memory."""

    def __init__(self, tracker: MemoryTracker) -> None:
        self._tracker = tracker

    def mark(self, parent: str) -> str:  # noqa: ARG002  # any write counts
        """How often anything was written."""
        return str(self._tracker.writes)

    def stands(self, parent: str) -> Stands:
        """How a run stands now."""
        run = self._tracker.get(parent)
        return Stands(run.status, run.started, run.ended, run.tags)

    def heads(self, parent: str, *, after: int | None = None, also: Collection[str] = ()) -> Sequence[TrialHead]:
        """The children of a run."""
        found = [_head(run) for run in self._children(parent)]
        if after is None:
            return found
        return [head for head in found if head.run_id in also or (head.number is not None and head.number > after)]

    def bodies(
        self, parent: str, ids: Collection[str] | None = None, *, tags: Collection[str] = ()
    ) -> Mapping[str, TrialBody]:
        """What they ran with and measured."""
        return {
            run.id: TrialBody(run.params, run.metrics, {key: run.tags[key] for key in tags if key in run.tags})
            for run in self._children(parent)
            if ids is None or run.id in ids
        }

    def _children(self, parent: str) -> Sequence[Run]:
        """Of a parent that is deleted, those that were deleted with it."""
        is_deleted = any(run.id == parent for run in self._tracker.find(Query(deleted=True)))
        return self._tracker.find(Query(parent=parent, deleted=is_deleted))


def _head(run: Run) -> TrialHead:
    trial = run.trial
    if trial is None:
        state = STATE_OF_STATUS[run.status]
        return TrialHead(run.id, None, run.name, state, None, run.started, run.ended, None, None, "")
    return TrialHead(
        run.id, trial.number, run.name, trial.state, trial.value, run.started, run.ended, trial.seconds, trial.attempt,
        trial.reason,
    )  # fmt: skip


_: type[Watching] = MemoryWatching
