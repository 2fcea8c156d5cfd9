"""`hpo models`: registered models and their versions."""

import logging
from collections.abc import Sequence

import click

from hpo.cli import options
from hpo.cli.options import Shared
from trackers.errors import NotFound
from trackers.records import ModelVersion, Run
from trackers.tracker import Tracker

log = logging.getLogger(__name__)
SWEEP_NAME_TAG = "hpo.sweep"
"""On a version: the name of its sweep, whose run may be gone by now."""
COLUMNS = ("name", "version", "aliases", "stage", "sweep", "trial", "metrics", "created", "description")


@click.command("models")
@click.argument("name", required=False)
@options.shared
def command(shared: Shared, name: str | None) -> None:
    """List registered models, or the versions of NAME, with where they came from."""
    from hpo.cli import output
    from hpo.cli.formats import Table
    from hpo.cli.stores import open_to_read, store_name

    with open_to_read(shared) as store:
        objects = model_objects(store.tracker, store.registry.versions(name))
    if not objects:
        log.info("%s holds no registered models; register one with: hpo register SWEEP", store_name(shared))
    output.show(objects, Table(COLUMNS, [_row(model) for model in objects]), shared)


def model_objects(tracker: Tracker, versions: Sequence[ModelVersion]) -> list[dict[str, object]]:
    """The documented fields of versions, with the sweep, trial and metrics of the runs they came from."""
    runs = _Runs(tracker)
    return [_object(version, runs) for version in versions]


class _Runs:
    """Runs by id, each read once; None for one that is gone or was never named."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._known: dict[str | None, Run | None] = {None: None}

    def get(self, run_id: str | None) -> Run | None:
        if run_id not in self._known:
            try:
                self._known[run_id] = self._tracker.get(run_id or "")
            except NotFound:
                self._known[run_id] = None
        return self._known[run_id]


def _object(version: ModelVersion, runs: _Runs) -> dict[str, object]:
    from hpo.cli.formats import finite
    from hpo.cli.text import iso_time

    run = runs.get(version.run_id)
    parent = runs.get(run.parent_id) if run else None
    return {
        "name": version.name,
        "version": version.version,
        "aliases": list(version.aliases),
        "stage": version.stage,
        "run_id": version.run_id,
        "sweep": parent.name if parent else version.tags.get(SWEEP_NAME_TAG),
        "trial": run.trial.number if run and run.trial else None,
        "metrics": finite(run.metrics) if run else {},
        "description": version.description,
        "created": iso_time(version.created),
    }


def _row(model: dict[str, object]) -> dict[str, object]:
    from hpo.cli.text import cell

    metrics = model["metrics"]
    shown = [f"{name}={cell(value)}" for name, value in metrics.items()] if isinstance(metrics, dict) else []
    created = str(model["created"] or "")
    return {**model, "metrics": " ".join(shown), "created": f"{created[:10]} {created[11:19]}Z" if created else None}
