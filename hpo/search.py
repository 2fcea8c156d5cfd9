"""Runs a sweep file: find out where it stands, search, rank, register."""

import getpass
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from hpo.budget import Stop
from hpo.build import DEFAULT_URI, URI_VARIABLES, Parts, parts_of, tracker_uri
from hpo.config.conversion import config_hash
from hpo.config.reading import read_sweep
from hpo.errors import HpoError, NothingFound
from hpo.interruption import Interruption
from hpo.kept_models import KeptModels
from hpo.naming import find_sweep
from hpo.parent_run import TRIAL_TAGS, ParentRun, recorded
from hpo.progress import seconds_used
from hpo.result import SweepResult
from hpo.standing import Standing, standing
from hpo.sweep import Silence, Sweep, Watcher
from hpo.sweep_records import SweepRecords
from hpo.trial import Goal, State
from hpo.trial_files import StoredFiles
from hpo.winner import REGISTERED_TAG, register_winner
from trackers.artifacts import ArtifactFolder
from trackers.errors import TrackerError
from trackers.opening import Store, open_store
from trackers.records import ModelVersion, Query, Run
from trackers.tracker import Tracker


def run(
    source: str | Path,
    *,
    overrides: Sequence[str] = (),
    tracker: str | None = None,
    new: bool = False,
    register: bool = True,
    watcher: Watcher | None = None,
    interruption: Interruption | None = None,
) -> SweepResult:
    """Runs the sweep that a file describes, and registers its winner if the file says so and `register` is true.

    Calling it again continues an unfinished sweep of that name and leaves a complete one alone; `new` starts another
    beside it, named `name-2`. `overrides` are `key=value` texts that change the file, such as "budget.n_trials=10".
    Raises ConfigError (nothing was run), StoreUnavailable, SweepOwned; a failing trial is on record and not raised.
    """
    path = Path(source)
    config = read_sweep(path, overrides)
    parts = parts_of(config, path.parent)
    parts.sampler()  # what the engine refuses is to be known before anything is written
    uri = tracker or tracker_uri(config, os.environ)
    with open_store(uri, artifacts=config.tracker.artifacts) as store:
        existing = None if new else _latest(store.tracker, config.name)
        history = store.tracker.find(Query(parent=existing.id)) if existing else ()
        where = _standing(parts, existing, history)
        name = _free_name(store.tracker, config.name) if new else config.name
        run_id = existing.id if existing else uuid.uuid4().hex
        stop: Stop | None = None
        if where is not Standing.COMPLETE:
            parent = ParentRun(parts, path, getpass.getuser(), _now()).start(store.tracker, run_id, name, existing)
            stop = _drive(parts, store, parent, history, watcher or Silence(), interruption or Interruption())
        registered, why_not = _register(parts, store, run_id, stop) if register else (None, "not asked for")
    plan = parts.plan
    return SweepResult(uri, run_id, name, plan.metric, plan.goal, stop, registered, why_not)


def load(sweep: str = "@latest", *, tracker: str | None = None) -> SweepResult:
    """A sweep on record, by name, by a unique prefix of its run id, or the latest one."""
    uri = tracker or next((os.environ[name] for name in URI_VARIABLES if os.environ.get(name)), DEFAULT_URI)
    with open_store(uri, read_only=True) as store:
        parent = find_sweep(store.tracker, sweep)
    if parent.sweep is None:
        raise NothingFound(f"run {parent.name!r} is no sweep of ours; rank it with: hpo best {sweep} --metric METRIC")
    return SweepResult(uri, parent.id, parent.name, parent.sweep.metric, Goal(parent.sweep.goal))


def _latest(tracker: Tracker, name: str) -> Run | None:
    found = tracker.find(Query(sweeps=True, roots=True, name=name))
    return found[-1] if found else None


def _free_name(tracker: Tracker, name: str) -> str:
    if _latest(tracker, name) is None:
        return name
    number = 2
    while _latest(tracker, f"{name}-{number}"):
        number += 1
    return f"{name}-{number}"


def _standing(parts: Parts, existing: Run | None, history: Sequence[Run]) -> Standing:
    open_states = (State.WAITING, State.RUNNING)
    return standing(
        existing,
        config=recorded(parts.config),
        config_hash=config_hash(parts.config),
        n_trials=parts.plan.budget.n_trials,
        ended=sum(run.trial is not None and State(run.trial.state) not in open_states for run in history),
    )


def _drive(
    parts: Parts, store: Store, parent: Run, history: Sequence[Run], watcher: Watcher, interruption: Interruption
) -> Stop:
    scratch = Path(tempfile.mkdtemp(prefix="hpo-"))
    executor = parts.executor(StoredFiles(ArtifactFolder()), scratch)
    try:
        sweep = Sweep(
            parts.plan,
            sampler=parts.sampler(),
            executor=executor,
            tracker=store.tracker,
            records=_records(parts, parent),
            models=KeptModels(parts.keep, parts.plan.goal, _delete_folder),
            interruption=interruption,
        )
        sweep.take_up(history, seconds_used(parent.tags))
        return sweep.run(watcher)
    finally:
        executor.close()
        shutil.rmtree(scratch, ignore_errors=True)


def _records(parts: Parts, parent: Run) -> SweepRecords:
    return SweepRecords(
        parent_id=parent.id,
        experiment=parent.experiment,
        metric=parts.plan.metric,
        artifacts=parent.artifact_uri.removesuffix(f"/{parent.id}/artifacts"),
        user=parent.user,
        clock=_now,
        new_id=lambda: uuid.uuid4().hex,
        tags={name: parent.tags[name] for name in TRIAL_TAGS if name in parent.tags},
    )


def _register(parts: Parts, store: Store, run_id: str, stop: Stop | None) -> tuple[ModelVersion | None, str]:
    """What was registered, or why nothing was; a winner that cannot be registered does not undo the search."""
    before = store.tracker.get(run_id).tags.get(REGISTERED_TAG)
    if parts.config.registration is None:
        return None, "the sweep file has no register:"
    if stop in (Stop.FAILURES, Stop.INTERRUPTED):
        return None, f"the sweep was stopped by {stop}"
    if stop is None and before:
        return None, f"it was registered before as {before}"
    try:
        return register_winner(parts, store, run_id, who=getpass.getuser()), ""
    except (HpoError, TrackerError) as error:
        return None, str(error)


def _delete_folder(artifact_uri: str, path: str) -> None:
    folder = ArtifactFolder()
    folder.delete(artifact_uri, [name for name in folder.names(artifact_uri) if name.startswith(f"{path}/")])


def _now() -> int:
    return round(time.time() * 1000)
