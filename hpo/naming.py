"""What a name on the command line means: which sweep, which trial."""

import re
from collections.abc import Sequence

from hpo.config.nearest import did_you_mean
from hpo.errors import NothingFound
from trackers.records import Order, Query, Run
from trackers.tracker import Tracker

LATEST = "@latest"
_ID = re.compile(r"[0-9a-f]{4,32}")
_NEWEST_FIRST = (Order("started", descending=True),)
_SEARCHED = 1000


def find_sweep(tracker: Tracker, text: str, store: str = "the store") -> Run:
    """The sweep of that name (the latest of several), of a run id that begins so (4 digits or more), or `@latest`.

    Raises NothingFound, with the nearest names or what an ambiguous id may mean; `store` is how messages name it.
    """
    if text == LATEST:
        return _latest(tracker, store)
    named = tracker.find(Query(sweeps=True, name=text, order=_NEWEST_FIRST, limit=1))
    if named:
        return named[0]
    if _ID.fullmatch(text):
        found = tracker.find(Query(sweeps=True, id_prefix=text, limit=10))
        if found:
            return _only(found, text)
    names = [run.name for run in tracker.find(Query(sweeps=True, order=_NEWEST_FIRST, limit=_SEARCHED))]
    if not names:
        raise NothingFound(f"no sweep {text!r}: {store} holds no sweeps; start one with: hpo run FILE")
    raise NothingFound(f"no sweep {text!r} in {store}{did_you_mean(text, names)} (list them with: hpo ls)")


def find_trial(tracker: Tracker, text: str, store: str = "the store") -> Run:
    """The trial `SWEEP#17`, or `17` of the latest sweep, or of a run id that begins so (4 digits or more).

    After the `#` may also stand the run's name, for runs that MLflow wrote and that have no numbers.
    Raises NothingFound.
    """
    sweep_text, separator, rest = text.rpartition("#")
    if separator:
        return _in_sweep(tracker, find_sweep(tracker, sweep_text or LATEST, store), rest)
    found = tracker.find(Query(id_prefix=text, limit=10)) if _ID.fullmatch(text) else []
    if text.isdecimal() and (not found or len(text) < 8):
        try:
            return _in_sweep(tracker, _latest(tracker, store), text)
        except NothingFound:
            if not found:
                raise
    if found:
        return _only(found, text)
    raise NothingFound(f"no trial {text!r} in {store}; name one by SWEEP#17, or by its run id, as in: hpo trials SWEEP")


def find_run(tracker: Tracker, text: str, store: str = "the store") -> Run:
    """The sweep, or else the trial, that the text names; see `find_sweep` and `find_trial`."""
    if "#" in text:
        return find_trial(tracker, text, store)
    try:
        return find_sweep(tracker, text, store)
    except NothingFound:
        if not (text.isdecimal() or (_ID.fullmatch(text) and tracker.find(Query(id_prefix=text, limit=1)))):
            raise
    return find_trial(tracker, text, store)


def find_deleted(tracker: Tracker, text: str, store: str = "the store") -> Run:
    """The deleted sweep of that name (of several the one deleted last) or run id, or the deleted trial `SWEEP#17`.

    Raises NothingFound, with the nearest names of deleted sweeps.
    """
    sweep_text, separator, rest = text.rpartition("#")
    if separator:
        return _deleted_trial(tracker, sweep_text or LATEST, rest, store)
    sweeps = tracker.find(Query(sweeps=True, deleted=True))
    named = [run for run in sweeps if run.name == text]
    if named:
        return max(named, key=lambda run: run.deleted or 0)
    if _ID.fullmatch(text):
        found = [run for run in sweeps if run.id.startswith(text)]
        found = found or [*tracker.find(Query(id_prefix=text, deleted=True, limit=10))]
        if found:
            return _only(found, text)
    hint = did_you_mean(text, [run.name for run in sweeps])
    raise NothingFound(f"no deleted sweep {text!r} in {store}{hint} (list them with: hpo ls --deleted)")


def _deleted_trial(tracker: Tracker, sweep_text: str, number: str, store: str) -> Run:
    try:
        sweep = find_sweep(tracker, sweep_text, store)
    except NothingFound:
        sweep = find_deleted(tracker, sweep_text, store)
    where = f"number = {int(number)}" if number.isdecimal() and len(number) < 10 else ""
    name = None if where else number
    found = tracker.find(Query(parent=sweep.id, where=where, name=name, deleted=True, limit=10)) if number else ()
    if not found:
        raise NothingFound(f"no trial {number!r} of sweep {sweep.name!r} is deleted")
    return _only(found, number)


def _latest(tracker: Tracker, store: str) -> Run:
    found = tracker.find(Query(sweeps=True, order=_NEWEST_FIRST, limit=1))
    if not found:
        raise NothingFound(f"{store} holds no sweeps; start one with: hpo run FILE")
    return found[0]


def _in_sweep(tracker: Tracker, sweep: Run, text: str) -> Run:
    if text.isdecimal() and len(text) < 10:
        numbered = tracker.find(Query(parent=sweep.id, where=f"number = {int(text)}", limit=1))
        if numbered:
            return numbered[0]
    named = tracker.find(Query(parent=sweep.id, name=text, limit=10)) if text else []
    if named:
        return _only(named, text)
    raise NothingFound(
        f"no trial {text!r} in sweep {sweep.name!r}{_known(tracker, sweep)}; see: hpo trials {sweep.name}"
    )


def _known(tracker: Tracker, sweep: Run) -> str:
    """Which trials a sweep has, as the middle of a message."""
    last = tracker.find(Query(parent=sweep.id, order=[Order("number", descending=True)], limit=1))
    if not last:
        return ", which has none yet"
    if last[0].trial is None:
        return ", whose runs have names and no numbers"
    return f", which has 0 to {last[0].trial.number}"


def _only(found: Sequence[Run], text: str) -> Run:
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{run.id[:12]} ({run.name})" for run in found)
    raise NothingFound(f"{text!r} may mean {len(found)} runs: {listed}; write more of the run id")
