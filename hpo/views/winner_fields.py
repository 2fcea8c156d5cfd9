"""The winner of a sweep: what it is, against whom, through which gates, made of what, and how to load it."""

from collections.abc import Mapping, Sequence

from hpo.decision import DECISION_TAG, Decision, as_fields
from hpo.views.model_fields import gates_of, load_command, metrics_of
from hpo.views.numbers import finite
from hpo.views.sweep_list import SWEEP_TAG
from trackers.errors import NotFound
from trackers.opening import Store
from trackers.records import ModelVersion, Run
from trackers.registry_log import ALIAS, ROLLBACK

_CODE = {
    "mlflow.source.git.commit": "commit",
    "mlflow.source.git.branch": "branch",
    "hpo.git.dirty": "edited",
    "mlflow.source.name": "file",
}
_ENVIRONMENT = {"hpo.python": "python", "hpo.environment": "packages"}


def winner_fields(store: Store, parent: Run, best: tuple[float, int | None, str] | None) -> dict[str, object] | None:
    """The trial that was registered last, else `best`, which is a value, a number and a run id; None for neither."""
    versions = [version for version in store.registry.versions() if version.tags.get(SWEEP_TAG) == parent.id]
    version = versions[-1] if versions else None
    decision = Decision.from_json(parent.tags.get(DECISION_TAG, ""))
    run = _run(store, version.run_id if version else best[2] if best else None)
    if run is None:
        return None
    before = _before(store, version) if version else None
    return {
        "number": run.trial.number if run.trial else best[1] if best and best[2] == run.id else None,
        "run": run.id,
        "keeps_model": bool(run.models),
        "params": {
            name: finite(value) if isinstance(value, float) else value
            for name, value in (run.trial or run).params.items()
        },
        "metrics": metrics_of(version, run)
        if version
        else {name: finite(value) for name, value in run.metrics.items()},
        "model": version.name if version else None,
        "version": version.version if version else None,
        "aliases": list(version.aliases) if version else [],
        "stage": version.stage if version else None,
        "champion": _champion(store, before) if before else None,
        "gates": _gates(version, decision),
        "picked_by": (decision.picked_by or None) if decision else None,
        "refused": (decision.why_not or None) if decision else None,
        "code": _facts(parent, _CODE),
        "data": {
            key.removeprefix("hpo.data."): value for key, value in parent.tags.items() if key.startswith("hpo.data.")
        },
        "environment": _facts(parent, _ENVIRONMENT),
        "load": load_command(version) if version else None,
    }


def _gates(version: ModelVersion | None, decision: Decision | None) -> Sequence[object]:
    if version is not None:
        return gates_of(version)
    return [as_fields(verdict) for verdict in decision.verdicts] if decision else []


def _before(store: Store, version: ModelVersion) -> ModelVersion | None:
    """The version that had one of its aliases just before."""
    for event in reversed(store.registry.history(version.name)):
        is_move = event.action in (ALIAS, ROLLBACK) and event.after == str(version.version)
        if is_move and event.before.isdecimal() and event.before != event.after:
            try:
                return store.registry.get(version.name, int(event.before))
            except NotFound:
                return None
    return None


def _champion(store: Store, version: ModelVersion) -> Mapping[str, object]:
    run = _run(store, version.run_id)
    return {"name": version.name, "version": version.version, "metrics": metrics_of(version, run)}


def _facts(parent: Run, names: Mapping[str, str]) -> dict[str, str]:
    return {name: parent.tags[tag] for tag, name in names.items() if tag in parent.tags}


def _run(store: Store, run_id: str | None) -> Run | None:
    try:
        return store.tracker.get(run_id) if run_id else None
    except NotFound:
        return None
