"""The third step: a sweep over random forests, as a sweep file says; it reads train and validation only."""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hpo.build import places
from hpo.config.reading import read_sweep
from hpo.config.schema import SweepConfig
from hpo.errors import ConfigError
from hpo.interruption import Interruption
from hpo.pipeline.prepared import Prepared, open_prepared
from hpo.pipeline.recording import datasets
from hpo.result import SweepResult
from hpo.search import run
from hpo.watcher import Watcher
from trackers.opening import open_store
from trackers.records import Query, RunUpdated


def search(
    config: str | Path = "configs/taxi.yaml",
    *,
    data: str | Path | None = None,
    overrides: Sequence[str] = (),
    tracker: str | None = None,
    new: bool = False,
    watcher: Watcher | None = None,
    interruption: Interruption | None = None,
) -> SweepResult:
    """Runs the sweep of a taxi sweep file, or goes on with it; nothing is registered.

    `data` is the prepared folder, in place of the file's. What `hpo.run` raises is raised, and ObjectiveError or
    ConfigError, before trial 1, where there is no prepared data, or other data than the sweep began with.
    """
    changes = [*overrides, *([] if data is None else [f"parameters.data={json.dumps(str(data))}"])]
    sweep = read_sweep(config, changes)
    prepared = open_prepared(_folder(sweep))
    for part in ("train", "validation"):
        prepared.part(part)
    uri = places(sweep, os.environ, tracker).store
    if not new:
        _check_same_data(uri, sweep, prepared)
    result = run(
        config,
        overrides=changes,
        tracker=tracker,
        new=new,
        register=False,  # that is a step of its own, after the test month has spoken
        watcher=watcher,
        interruption=interruption,
    )
    inputs = RunUpdated(
        result.run_id,
        tags=prepared.digests("train", "validation"),
        datasets=datasets(prepared, "train", "validation"),
    )
    with open_store(result.uri) as store:
        store.tracker.record([inputs])
    return replace(result, not_registered=f"do so with: python scripts/register.py {result.name}")


def _folder(sweep: SweepConfig) -> str:
    """The prepared folder that the trials are going to read."""
    folder = sweep.parameters.get("data", "data/taxi")
    if not isinstance(folder, str):
        raise ConfigError(f"sweep {sweep.name}: parameters.data must be one folder, such as data/taxi")
    return folder


def _check_same_data(uri: str, sweep: SweepConfig, prepared: Prepared) -> None:
    """ConfigError where a sweep of this name is on record that saw other data: its trials could not be compared."""
    digests = prepared.digests("train", "validation")
    with open_store(uri, artifacts=sweep.tracker.artifacts) as store:
        for parent in store.tracker.find(Query(sweeps=True, roots=True, name=sweep.name))[-1:]:
            for trial in store.tracker.find(Query(parent=parent.id, where="status = 'FINISHED'", limit=1)):
                if {name: trial.tags.get(name) for name in digests} != digests:
                    raise ConfigError(
                        f"the sweep {sweep.name!r} in the store saw other data than {prepared.folder} holds now; to "
                        "run it on this data beside that one: --new; nothing was run"
                    )
