"""The sweeps of a store, newest first, and which of them a page speaks of."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence

from hpo.driver import Driver, Life
from hpo.errors import HpoError
from hpo.lease import life_of_holder
from hpo.masking import hide_patterns
from hpo.views.commands import Commands
from hpo.views.sweep_fields import DriverFields, counts_of, sweep_row
from trackers.opening import Store
from trackers.records import ModelVersion, Order, Query, Run
from trackers.watching import Watching

SWEEP_TAG = "hpo.sweep_run_id"
MOST = 1000
"""The newest so many are listed."""
_LOOKED_AT = 50
_NEWEST_FIRST = (Order("started", descending=True),)


def sweep_list(store: Store, *, now: int, commands: Commands, name: str | None = None) -> dict[str, object]:
    """Our sweeps, and runs of others that have children, newest first; `total` where there are more than are listed."""
    found = store.tracker.find(Query(sweeps=True, name=name, order=_NEWEST_FIRST, limit=MOST + 1))
    listed = found[:MOST]
    untold = [run.id for run in listed if not counts_of(run, {})]
    counted = store.tracker.counts(untold) if untold else {}
    versions = registered_by_sweep(store.registry.versions())
    newest_of = {run.name: run.id for run in reversed(listed)}
    rows = [_row(run, counted.get(run.id, {}), now, versions.get(run.id, ())) for run in listed]
    for run, row in zip(listed, rows, strict=True):
        row["ambiguous"] = newest_of[run.name] != run.id
    return {"sweeps": rows, "store": commands.store, "more": len(found) > MOST}


def _row(
    run: Run, counted: Mapping[str, int], now: int, registered: Sequence[Mapping[str, object]]
) -> dict[str, object]:
    """A sweep in the list; of one whose rows hold what no sweep can have, that it cannot be read: the others can."""
    try:
        row = sweep_row(run, counts=counts_of(run, counted), now=now, registered=registered)
        json.dumps(row, allow_nan=False)
    except (HpoError, ValueError, TypeError, KeyError, AttributeError) as error:
        return {"id": run.id, "name": str(run.name), "status": "UNREADABLE", "unreadable": hide_patterns(str(error))}
    return row


def is_ambiguous(store: Store, run: Run) -> bool:
    """Whether a newer sweep has the same name, which therefore means that one."""
    newest = store.tracker.find(Query(sweeps=True, name=run.name, order=_NEWEST_FIRST, limit=1))
    return bool(newest) and newest[0].id != run.id


def registered_by_sweep(versions: Sequence[ModelVersion]) -> Mapping[str, list[dict[str, object]]]:
    """Registered versions by the run id of the sweep they came from."""
    found: dict[str, list[dict[str, object]]] = {}
    for version in versions:
        if sweep := version.tags.get(SWEEP_TAG):
            brief = {"name": version.name, "version": version.version, "aliases": list(version.aliases)}
            found.setdefault(sweep, []).append(brief)
    return found


def driver_of(store: Store, run: Run) -> DriverFields | None:
    """Who drives a sweep now, as the store says, and whether that process lives, where this machine or the clock of
    the store's server can tell."""
    holder = store.ownership.holder(run.id)
    if holder is None:
        return None
    alive = {Life.ALIVE: True, Life.DEAD: False}.get(life_of_holder(holder))
    return DriverFields(str(Driver.parse(holder.owner)), alive, holder.stop_asked)


def main_metric(watching: Watching, parent: Run) -> str | None:
    """What runs that others wrote are valued by: the metric that most of them have, the first by name of several."""
    if parent.sweep is not None:
        return parent.sweep.metric
    heads = watching.heads(parent.id)[:_LOOKED_AT]
    bodies = watching.bodies(parent.id, [head.run_id for head in heads])
    counted = Counter(name for body in bodies.values() for name in body.metrics)
    return min(counted, key=lambda name: (-counted[name], name), default=None)
