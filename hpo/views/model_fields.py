"""Registered models: their versions with where they came from, and who was live when."""

import contextlib
import json
from collections.abc import Mapping, Sequence

from hpo.decision import GATES_TAG
from hpo.model_history import History
from hpo.views.commands import Commands
from hpo.views.numbers import finite_in
from hpo.views.sweep_list import SWEEP_TAG
from trackers.errors import NotFound
from trackers.opening import Store
from trackers.records import ModelVersion, RegistryEvent, Run
from trackers.registry_log import ALIAS, ANNOTATE, ROLLBACK, STAGE
from trackers.tracker import Tracker

SWEEP_NAME_TAG = "hpo.sweep"
METRIC_TAG = "hpo.metric."
_LIVE = (ALIAS, ROLLBACK, STAGE)


def model_list(store: Store) -> dict[str, object]:
    """All registered models, by name."""
    found: dict[str, list[ModelVersion]] = {}
    for version in store.registry.versions():
        found.setdefault(version.name, []).append(version)
    return {"models": [_model(name, versions) for name, versions in found.items()]}


def model_fields(store: Store, name: str, *, now: int, seen_by: str, commands: Commands) -> dict[str, object]:
    """One model: versions newest first, and its history oldest first. NotFound for a name that nobody knows."""
    history = History.read(store.registry, name, now=now, seen_by=seen_by)
    versions: Sequence[ModelVersion] = ()
    with contextlib.suppress(NotFound):  # deleted by MLflow since; its history is still on record
        versions = store.registry.versions(name)
    shown = [version_fields(store.tracker, version) for version in reversed(versions)]
    return {
        **_model(name, versions),
        "versions": shown,
        "history": [event_fields(event) for event in history.all],
        "commands": _commands(name, versions, commands),
    }


def version_fields(tracker: Tracker, version: ModelVersion) -> dict[str, object]:
    """One version with sweep, trial and metrics of its run; by its own tags where the run is gone."""
    run = _run(tracker, version.run_id)
    parent = _run(tracker, run.parent_id) if run else None
    return {
        "name": version.name,
        "version": version.version,
        "aliases": list(version.aliases),
        "stage": version.stage,
        "description": version.description,
        "run_id": version.run_id,
        "sweep": parent.name if parent else version.tags.get(SWEEP_NAME_TAG),
        "sweep_id": parent.id if parent else version.tags.get(SWEEP_TAG),
        "trial": run.trial.number if run and run.trial else None,
        "metrics": with_first(metrics_of(version, run), parent.sweep.metric if parent and parent.sweep else None),
        "gates": gates_of(version),
        "created": version.created,
        "user": version.user or None,
        "load": load_command(version),
    }


def metrics_of(version: ModelVersion, run: Run | None) -> dict[str, float | None]:
    """The metrics of a version's run; those its tags repeat where the run is gone."""
    if run is not None:
        return finite_in(run.metrics)
    found: dict[str, float] = {}
    for key, value in version.tags.items():
        if key.startswith(METRIC_TAG):
            with contextlib.suppress(ValueError):
                found[key.removeprefix(METRIC_TAG)] = float(value)
    return finite_in(found)


def with_first(metrics: Mapping[str, float | None], metric: str | None) -> dict[str, float | None]:
    """The same, what the sweep was ranked by and its score on the test part first: lists show a few only."""
    first = [metric, f"test_{metric}"] if metric else []
    return {name: metrics[name] for name in dict.fromkeys([*first, *metrics]) if name in metrics}


def gates_of(version: ModelVersion) -> list[object]:
    """What the gates said of it, as recorded."""
    try:
        given = json.loads(version.tags.get(GATES_TAG, "[]"))
    except ValueError:
        return []
    return given if isinstance(given, list) else []


def load_command(version: ModelVersion) -> str:
    """The Python that loads it."""
    named = f"{version.name}@{version.aliases[0]}" if version.aliases else f"{version.name}/{version.version}"
    return f"model = hpo.load_model({named!r})"


def event_fields(event: RegistryEvent) -> dict[str, object]:
    """One change; `from` and `to` are versions, or stages, null for none."""
    return {
        "at": event.at,
        "who": event.who or None,
        "action": event.action,
        "version": event.version,
        "alias": event.what if event.action in (ALIAS, ROLLBACK) else None,
        "stage": event.what if event.action == STAGE else None,
        "annotated": event.what if event.action == ANNOTATE else None,
        "from": (event.before or None) if event.action in _LIVE else None,
        "to": (event.after or None) if event.action in _LIVE else None,
        "why": event.why or None,
    }


def _model(name: str, versions: Sequence[ModelVersion]) -> dict[str, object]:
    newest = versions[-1] if versions else None
    stages: Mapping[str, int] = {version.stage: version.version for version in versions if version.stage != "None"}
    return {
        "name": name,
        "versions": len(versions),
        "aliases": {alias: version.version for version in versions for alias in version.aliases},
        "stages": stages,
        "description": newest.description.partition("\n")[0] if newest else "",
        "updated": newest.created if newest else None,
    }


def _commands(name: str, versions: Sequence[ModelVersion], commands: Commands) -> list[dict[str, str]]:
    found = [{"name": "history", "what": "who changed what when", "command": commands("history", name)}]
    for version in versions[-1:]:
        promote = commands("promote", name, str(version.version), "champion")
        found.append({"name": "promote", "what": "point an alias at a version", "command": promote})
    for alias in sorted({alias for version in versions for alias in version.aliases}):
        back = commands("rollback", name, alias)
        found.append({"name": "rollback", "what": f"point {alias} at the version before", "command": back})
    return found


def _run(tracker: Tracker, run_id: str | None) -> Run | None:
    try:
        return tracker.get(run_id) if run_id else None
    except NotFound:
        return None
