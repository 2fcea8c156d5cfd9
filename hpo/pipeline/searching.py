"""The third step: a sweep over random forests, as a sweep file says; it reads train and validation only."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hpo.config.reading import read_sweep
from hpo.errors import ConfigError
from hpo.interruption import Interruption
from hpo.pipeline.prepared import open_prepared
from hpo.pipeline.recording import datasets
from hpo.result import SweepResult
from hpo.search import run
from hpo.sweep import Watcher
from trackers.opening import open_store
from trackers.records import RunUpdated


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

    `data` is the prepared folder, in place of the file's. What `hpo.run` raises is raised, and ObjectiveError, before
    trial 1, where there is no prepared data.
    """
    changes = [*overrides, *([] if data is None else [f"parameters.data={json.dumps(str(data))}"])]
    prepared = open_prepared(_folder(Path(config), changes))
    for part in ("train", "validation"):
        prepared.part(part)
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


def _folder(config: Path, overrides: Sequence[str]) -> str:
    """The prepared folder that the trials are going to read."""
    folder = read_sweep(config, overrides).parameters.get("data", "data/taxi")
    if not isinstance(folder, str):
        raise ConfigError(f"{config}: parameters.data must be one folder, such as data/taxi")
    return folder
