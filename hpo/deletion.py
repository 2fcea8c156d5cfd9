"""Deletes sweeps and trials as MLflow deletes runs, and brings them back."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from hpo.errors import HpoError
from hpo.left_behind import put_on_record
from hpo.ownership import claimed
from trackers.errors import NameTaken, NotFound, Superseded
from trackers.failpoints import reach
from trackers.opening import Store
from trackers.records import Change, ModelVersion, Query, Run, RunDeleted, RunRestored, Status
from trackers.registry import Registry
from trackers.tracker import Tracker

OPEN = ("WAITING", "RUNNING")
"""The states of trials that have not ended."""


@dataclass(frozen=True)
class Doomed:
    """What is to be deleted together: `run`, a sweep or a trial, with all runs below it.

    `sweep` is the one whose driver has a say. `registered` are versions of models that came from one of the runs, by
    run id.
    """

    run: Run
    sweep: Run
    below: Sequence[Run]
    registered: Sequence[tuple[str, ModelVersion]]

    @classmethod
    def of(cls, store: Store, run: Run) -> "Doomed":
        """All that goes with a run, as it stands now."""
        below = runs_below(store.tracker, run)
        return cls(run, _sweep_of(store.tracker, run), below, registered_from(store.registry, [run, *below]))

    @property
    def label(self) -> str:
        """For people: `sweep iris with 60 runs below it`."""
        if self.run.id == self.sweep.id:
            count = len(self.below)
            return f"sweep {self.run.name} with {count} trial{'' if count == 1 else 's'}"
        return f"{self.run.name} of sweep {self.sweep.name}"

    def refuse_open(self) -> None:
        """HpoError for a trial by itself that has not ended: its sweep would run it, whatever was deleted."""
        trial = self.run.trial
        if trial is not None and trial.state in OPEN:
            raise HpoError(
                f"nothing was deleted: {self.label} is {trial.state}, it runs when the sweep goes on; "
                f"end the sweep first (hpo resume {self.sweep.name}), or delete it as a whole"
            )

    def refuse_registered(self) -> None:
        """HpoError where a registered model came from one of the runs."""
        if self.registered:
            listed = ", ".join(_version_text(version) for _, version in self.registered)
            raise HpoError(
                f"nothing was deleted: {listed} came from {self.label}; with --keep-registered all goes but the runs "
                "that registered models came from"
            )


def delete(store: Store, runs: Sequence[Run], *, now: int, keep_registered: bool) -> list[Doomed]:
    """Deletes each run with all below it, at `now` (milliseconds since 1970); what that was.

    SweepOwned where a driver lives, HpoError where a registered model came from it, unless those runs are kept; then
    nothing was deleted. What a dead driver left open is ended first, so that it can go on after a restoration.
    """
    with ExitStack() as stack:
        sweeps = {sweep.id: sweep for sweep in (_sweep_of(store.tracker, run) for run in runs)}
        claims = {
            sweep.id: stack.enter_context(claimed(store.ownership, sweep.id, sweep.name)) for sweep in sweeps.values()
        }
        for sweep in sweeps.values():
            sweep = store.tracker.get(sweep.id)
            if sweep.sweep is not None and sweep.status is Status.RUNNING:
                claim = claims[sweep.id]
                put_on_record(store, sweep, sweep.sweep, claim.fence, died=claim.died)
        found = [Doomed.of(store, run) for run in runs]  # nobody adds to them any more
        for doomed in found:
            doomed.refuse_open()
            if not keep_registered:
                doomed.refuse_registered()
        for doomed in found:
            kept = {run_id for run_id, _ in doomed.registered}
            going = [run.id for run in (doomed.run, *doomed.below) if run.id not in kept]
            reach("delete.before_record")
            store.tracker.record([RunDeleted(run_id, now) for run_id in going], claims[doomed.sweep.id].fence)
            reach("delete.recorded")
    return found


def restore(store: Store, run: Run) -> int:
    """Brings a deleted sweep or trial back, with what was deleted with it or later; how many runs that were.

    HpoError where that cannot be: its name is taken, its sweep is deleted too, its files are being removed.
    """
    tracker = store.tracker
    if run.parent_id is not None and _is_deleted(tracker, run.parent_id):
        above = tracker.get(run.parent_id)
        raise HpoError(
            f"{run.name} belongs to {above.name}, which is deleted too; restore that: hpo restore {above.name}"
        )
    with_it = [one for one in runs_below(tracker, run, deleted=True) if (one.deleted or 0) >= (run.deleted or 0)]
    changes: list[Change] = [RunRestored(one.id) for one in (run, *with_it)]
    try:
        tracker.record(changes)
    except NameTaken as error:
        raise HpoError(
            f"{run.name} cannot be restored: {error}; delete that one first, or give it another name through MLflow"
        ) from error
    except Superseded as error:
        raise HpoError(str(error)) from error
    return len(changes)


def runs_below(tracker: Tracker, run: Run, *, deleted: bool = False) -> list[Run]:
    """The children of a run and theirs; deleted ones below a deleted run."""
    found: list[Run] = []
    level = [run.id]
    while level:
        children = [child for parent in level for child in tracker.find(Query(parent=parent, deleted=deleted))]
        found += children
        level = [parent for parent, states in tracker.counts([child.id for child in children]).items() if states]
    return found


def registered_from(registry: Registry, runs: Sequence[Run]) -> list[tuple[str, ModelVersion]]:
    """The versions whose run is one of these, or whose model or files belong to one, with that run's id."""
    ids = {run.id for run in runs}
    models = {model.model_id: run.id for run in runs for model in run.models}
    folders = {run.artifact_uri.rstrip("/"): run.id for run in runs if run.artifact_uri}
    found = []
    for version in registry.versions():
        run_id = version.run_id if version.run_id in ids else models.get(version.model_id or "")
        run_id = run_id or _holder_of(version.source, folders)
        if run_id is not None:
            found.append((run_id, version))
    return found


def _holder_of(source: str, folders: dict[str, str]) -> str | None:
    while source:
        if source in folders:
            return folders[source]
        source = source.rpartition("/")[0]
    return None


def _sweep_of(tracker: Tracker, run: Run) -> Run:
    """The run at the top."""
    while run.parent_id is not None:
        try:
            run = tracker.get(run.parent_id)
        except NotFound:  # MLflow's own clean-up may have taken it
            break
    return run


def _is_deleted(tracker: Tracker, run_id: str) -> bool:
    try:
        return tracker.get(run_id).deleted is not None
    except NotFound:
        return False


def _version_text(version: ModelVersion) -> str:
    aliases = f" ({', '.join(version.aliases)})" if version.aliases else ""
    return f"version {version.version} of model {version.name}{aliases}"
