"""Which remote run is ours: by its mark, else by its tag; and what was made twice by mistake."""

import threading
from collections.abc import Iterable

from trackers.errors import MirrorUnavailable
from trackers.mirror_marks import Marks
from trackers.mirror_sender import RunSender
from trackers.mirror_view import RUN_TAG
from trackers.mlflow_mirror import MlflowServer, RemoteRun
from trackers.outbox import RUN, Mark, Parcel
from trackers.rows import PARENT_TAG


class RemoteRuns:
    """The remote runs of one sweep; several threads may ask for different runs at once."""

    def __init__(self, server: MlflowServer, sender: RunSender, marks: Marks, sweep_id: str) -> None:
        self._server = server
        self._sender = sender
        self._marks = marks
        self._sweep_id = sweep_id
        self._below: dict[str, dict[str, str]] = {}
        self._doubtful: set[str] = set()
        self._lock = threading.RLock()

    def find_sweep(self, parcel: Parcel) -> tuple[RemoteRun, bool]:
        """The remote parent, made if missing, and whether the server has lost the one it had."""
        mark = self._marks.get(RUN, self._sweep_id)
        known = self._server.get_run(mark.remote) if mark else None
        is_forgotten = mark is not None and known is None
        experiment_id = self._server.experiment(parcel.run.experiment)
        if known is None:
            known = _best(self._server.find_runs(experiment_id, RUN_TAG, self._sweep_id))
        if known is None:
            known = self.create(experiment_id, parcel, None)
        if mark is None or mark.remote != known.id:
            self._marks.set(Mark(RUN, self._sweep_id, known.id, ""))
        return known, is_forgotten

    def find(self, parcel: Parcel, mark: Mark | None, experiment_id: str, parent: str | None) -> RemoteRun | None:
        """The remote run; None where the server has none. `parent` is the remote one, None for the sweep itself."""
        known = self._server.get_run(mark.remote) if mark else None
        if known is None and parent is not None:
            remote = self._children(experiment_id, parent).get(parcel.run.id)
            known = self._server.get_run(remote) if remote else None
        return known

    def create(self, experiment_id: str, parcel: Parcel, parent: str | None) -> RemoteRun:
        """A new remote run, which has nothing below it."""
        try:
            made = self._sender.create(experiment_id, parcel, parent)
        except MirrorUnavailable:  # it may have been made all the same, or be made in a moment
            with self._lock:
                self._below.pop(parent or "", None)
                self._doubtful.add(parent or "")
            raise
        self._marks.set(Mark(RUN, parcel.run.id, made.id, ""))  # what follows may fail, and must find it again
        with self._lock:
            self._below[made.id] = {}
        return made

    def remove_doubles(self, experiment_id: str) -> None:
        """Deletes what was made twice because an answer was lost or late: that run is empty."""
        seen: dict[str, list[str]] = {}
        for parent in self._doubtful:
            for run in self._server.find_runs(experiment_id, PARENT_TAG, parent) if parent else ():
                if not run.is_deleted and run.tags.get(RUN_TAG):
                    seen.setdefault(run.tags[RUN_TAG], []).append(run.id)
        for run in self._server.find_runs(experiment_id, RUN_TAG, self._sweep_id) if self._doubtful else ():
            if not run.is_deleted:
                seen.setdefault(self._sweep_id, []).append(run.id)
        for run_id in [run_id for run_id, remotes in seen.items() if len(remotes) > 1]:
            mark = self._marks.get(RUN, run_id)
            for remote in seen[run_id]:
                if mark and remote != mark.remote:
                    self._server.delete_run(remote)
        self._doubtful.clear()

    def _children(self, experiment_id: str, parent: str) -> dict[str, str]:
        """The remote runs below a remote one that this session did not make itself, by our ids."""
        with self._lock:
            if parent not in self._below:
                active: dict[str, str] = {}
                deleted: dict[str, str] = {}
                for run in self._server.find_runs(experiment_id, PARENT_TAG, parent):
                    (deleted if run.is_deleted else active).setdefault(run.tags.get(RUN_TAG, ""), run.id)
                self._below[parent] = {**deleted, **active}
                self._doubtful.add(parent)
            return self._below[parent]


def _best(runs: Iterable[RemoteRun]) -> RemoteRun | None:
    """The first that is not deleted, else the first."""
    found = list(runs)
    return next((run for run in found if not run.is_deleted), found[0] if found else None)
