"""Runs a sweep file, or goes on with a sweep on record: find out what is meant, then drive it."""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from hpo.build import Parts
from hpo.config.conversion import config_hash
from hpo.drive import Drive, Driven, Wishes
from hpo.early_workers import EarlyWorkers
from hpo.errors import NothingFound
from hpo.front_on_record import goals_of
from hpo.interruption import Interruption
from hpo.meaning import meant
from hpo.mirrors.beside import check_mirrors
from hpo.mirrors.recorded import mirrors_in
from hpo.naming import find_sweep
from hpo.on_record import parts_on_record
from hpo.places import URI_VARIABLES, Places, places_of
from hpo.recorded_config import recorded
from hpo.result import SweepResult
from hpo.standing import check_same
from hpo.trial import Goal
from hpo.watcher import Silence, Watcher
from trackers.errors import NameTaken
from trackers.opening import open_store
from trackers.records import Query, Run
from trackers.tracker import Tracker


def run(
    source: str | Path | None = None,
    *,
    like: str | None = None,
    overrides: Sequence[str] = (),
    tracker: str | None = None,
    new: bool = False,
    fork: bool = False,
    retry_failed: bool = False,
    takeover: bool = False,
    register: bool = True,
    watcher: Watcher | None = None,
    interruption: Interruption | None = None,
    named: Callable[[str], None] = lambda _: None,
) -> SweepResult:
    """Runs the sweep that a file describes, and registers its winner if the file says so and `register` is true.

    Calling it again continues an unfinished sweep of that name and leaves a complete one alone. `new` starts another
    beside it, named `name-2`. `fork` does so only where the file asks for other trials than the sweep on record, and
    takes over the trials of that one which fit the file. `retry_failed` runs failed trials again, `takeover` takes
    the sweep from a driver that is alive. `overrides` are `key=value` texts that change the file, such as
    "budget.n_trials=10". `named` is told the sweep's name before it runs.

    `like` names a sweep on record whose trials the sampler is told first. Without a file, what that sweep ran is run
    once more, as `NAME-like`, with the overrides.

    Raises ConfigError (nothing was run), StoreUnavailable, SweepOwned; a failing trial is on record and not raised.
    """
    with EarlyWorkers() as early:
        wanted = meant(source, like, overrides, tracker, early.start)
        parts, where = wanted.parts, wanted.where
        parts.sampler()  # what the engine refuses is to be known before anything is written
        parts.pruner()
        parts = parts.reading_inputs().with_workers(early)
        uri = where.store
        check_mirrors(where.mirrors, uri)
        wishes = Wishes(retry_failed, takeover, register, watcher or Silence(), interruption or Interruption(), named)
        with open_store(uri, artifacts=parts.config.tracker.artifacts) as store, ExitStack() as beside:
            drive = Drive(
                store, parts.beside(uri), wishes, wanted.path, wanted.folder, where.mirrors, beside, wanted.origin
            )
            while True:
                try:
                    return _result(uri, parts, _run(drive, new=new, fork=fork))
                except NameTaken:  # another process was faster: what is meant now may be its sweep
                    continue


def resume(
    sweep: str = "@latest",
    *,
    more: int = 0,
    retry_failed: bool = False,
    takeover: bool = False,
    tracker: str | None = None,
    register: bool = True,
    watcher: Watcher | None = None,
    interruption: Interruption | None = None,
    named: Callable[[str], None] = lambda _: None,
) -> SweepResult:
    """Goes on with a sweep on record, without its file; `sweep` as for `load`.

    `more` trials are added to its budget; the rest as for `run`. Raises NothingFound where there is no such sweep, and
    what `run` raises.
    """
    where = _places(tracker)
    uri = where.store
    with open_store(uri, read_only=True) as store:  # which never makes a store
        existing = find_sweep(store.tracker, sweep)
    n_trials = ((existing.sweep.n_trials if existing.sweep else None) or 0) + more
    parts, folder = parts_on_record(existing, [f"budget.n_trials={n_trials}"] if more else [])
    parts.sampler()
    parts.pruner()
    parts = parts.reading_inputs()
    mirrors = tuple(dict.fromkeys([*mirrors_in(existing.tags), *where.mirrors]))
    check_mirrors(mirrors, uri)
    wishes = Wishes(retry_failed, takeover, register, watcher or Silence(), interruption or Interruption(), named)
    with open_store(uri, artifacts=parts.config.tracker.artifacts) as store, ExitStack() as beside:
        drive = Drive(store, parts.beside(uri), wishes, None, folder, mirrors, beside)
        existing = store.tracker.get(existing.id)
        _check_same(drive, existing)
        return _result(uri, parts, drive.go_on(existing))


def load(sweep: str = "@latest", *, tracker: str | None = None) -> SweepResult:
    """A sweep on record, by name, by a unique prefix of its run id, or the latest one."""
    uri = _places(tracker).store
    with open_store(uri, read_only=True) as store:
        parent = find_sweep(store.tracker, sweep)
    if parent.sweep is None:
        raise NothingFound(f"run {parent.name!r} is no sweep of ours; rank it with: hpo best {sweep} --metric METRIC")
    others = dict(list(goals_of(parent.sweep).items())[1:])
    return SweepResult(uri, parent.id, parent.name, parent.sweep.metric, Goal(parent.sweep.goal), others=others)


def _run(drive: Drive, *, new: bool, fork: bool) -> Driven:
    """Starts or continues the sweep that the file's name means now."""
    tracker, config = drive.store.tracker, drive.parts.config
    family = _family(tracker, config.name)
    if new or not family:
        return drive.start(_free_name(config.name, family))
    existing = family[0]
    if fork:
        same = [parent for parent in family if _is_same(parent, drive.parts)]
        if not same:
            return drive.start(_free_name(config.name, family), fork_of=family[-1])
        existing = same[-1]
    _check_same(drive, existing)
    return drive.go_on(existing)


def _family(tracker: Tracker, name: str) -> list[Run]:
    """The sweep of that name, then those that were started beside it as `name-2`, `name-3`, .."""
    found: list[Run] = []
    while parent := _latest(tracker, name if not found else f"{name}-{len(found) + 1}"):
        found.append(parent)
    return found


def _latest(tracker: Tracker, name: str) -> Run | None:
    found = tracker.find(Query(sweeps=True, roots=True, name=name))
    return found[-1] if found else None


def _free_name(name: str, family: Sequence[Run]) -> str:
    return f"{name}-{len(family) + 1}" if family else name


def _is_same(parent: Run, parts: Parts) -> bool:
    return parent.sweep is not None and parent.sweep.config_hash == config_hash(parts.config)


def _check_same(drive: Drive, existing: Run) -> None:
    config = drive.parts.config
    existing = drive.store.tracker.get(existing.id)  # with its data sets
    check_same(existing, config=recorded(config), config_hash=config_hash(config), datasets=drive.parts.datasets)


def _result(uri: str, parts: Parts, driven: Driven) -> SweepResult:
    plan = parts.plan
    return SweepResult(
        uri=uri,
        run_id=driven.run_id,
        name=driven.name,
        metric=plan.metric,
        goal=plan.goal,
        stop=driven.stop,
        registered=driven.last.version,
        not_registered=driven.last.why_not,
        decision=driven.last.decision,
        stands=driven.last.stands,
        stopped_before=driven.stopped_before,
        others=plan.others,
    )


def _places(tracker: str | None) -> Places:
    return places_of([tracker, *(os.environ.get(name) for name in URI_VARIABLES)])
