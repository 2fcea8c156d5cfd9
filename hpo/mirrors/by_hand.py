"""Sends what was changed by hand to the mirrors of its sweep, at once where they answer; else `hpo mirror` does later.

Nothing here fails: what was changed stands in the store, whatever becomes of its copies.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence

from hpo.interruption import Interruption
from hpo.mirrors.beside import mirrored, say_pending
from hpo.mirrors.recorded import mirrors_in
from hpo.mirrors.sending import outbox_of
from trackers.errors import NotFound, TrackerError
from trackers.mirror_versions import SWEEP_TAG, pending_versions
from trackers.opening import Store
from trackers.records import ModelVersion, Run

log = logging.getLogger(__name__)


def send_sweeps(store: Store, sweep_ids: Sequence[str], environment: Mapping[str, str]) -> None:
    """Sends what is new of these sweeps, deleted ones too, to the servers that each of them names."""
    for sweep_id in dict.fromkeys(sweep_ids):
        try:
            sweep = store.tracker.get(sweep_id)
            _send(store, sweep, mirrors_in(sweep.tags), environment)
        except (TrackerError, OSError) as error:
            log.warning("mirror: %s", error)


def send_model(store: Store, name: str, environment: Mapping[str, str]) -> None:
    """Sends what is new of a model: its versions, by the sweeps that they came from, and where its aliases point."""
    try:
        dead: set[str] = set()
        for sweep, mirrors in _sweeps_of(store, name):
            behind = [mirror for mirror in mirrors if _is_behind(store, mirror, sweep.id, name)]
            _send(store, sweep, [mirror for mirror in behind if mirror not in dead], environment)
            for mirror in dead.intersection(behind):
                if _is_behind(store, mirror, sweep.id):
                    say_pending(store, mirror, sweep, environment)
            dead.update(mirror for mirror in behind if _is_behind(store, mirror, sweep.id, name))
    except (TrackerError, OSError) as error:
        log.warning("mirror: %s", error)


def _send(store: Store, sweep: Run, mirrors: Sequence[str], environment: Mapping[str, str]) -> None:
    if mirrors and store.outbox is not None:
        with mirrored(store, sweep, mirrors, Interruption(), environment, is_waited_for=True):
            pass


def _sweeps_of(store: Store, name: str) -> Iterator[tuple[Run, Sequence[str]]]:
    """The sweeps that a model's versions came from and that have mirrors, the latest first."""
    ids = (version.tags.get(SWEEP_TAG, "") for version in reversed(store.registry.versions(name)))
    for sweep_id in filter(None, dict.fromkeys(ids)):
        try:
            sweep = store.tracker.get(sweep_id)
        except NotFound:  # MLflow's gc has removed it
            continue
        if mirrors := mirrors_in(sweep.tags):
            yield sweep, mirrors


def _is_behind(store: Store, mirror: str, sweep_id: str, name: str = "") -> bool:
    """Whether it lacks versions of a sweep, or moves of that model's aliases."""
    pending = pending_versions(outbox_of(store), store.registry, mirror, sweep_id)
    return any(isinstance(item, ModelVersion) or item.name == name for item in pending)
