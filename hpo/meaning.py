"""What is meant to be run: the sweep of a file, or one like a sweep on record."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hpo.build import Parts, parts_of, places
from hpo.config.reading import read_sweep
from hpo.config.schema import SweepConfig
from hpo.errors import ConfigError
from hpo.feasibility import feasibility_findings
from hpo.gates import when_findings
from hpo.naming import find_sweep
from hpo.on_record import parts_on_record
from hpo.places import URI_VARIABLES, Places, places_of
from hpo.recorded_config import origin_of, read_back
from trackers.opening import open_store
from trackers.records import Run


@dataclass(frozen=True)
class Meant:
    """A sweep and where it is kept. `path` is its file, None where a record stands in for it; `folder` is where its
    code lies, `origin` the tags that say so, where there is no file to tell."""

    parts: Parts
    where: Places
    path: Path | None
    folder: Path
    origin: Mapping[str, str] = field(default_factory=dict)


def meant(
    source: str | Path | None,
    like: str | None,
    overrides: Sequence[str],
    tracker: str | None,
    read: Callable[[SweepConfig], None] = lambda _: None,
) -> Meant:
    """The sweep of the file `source`, told first what the sweep `like` found; without a file one like that sweep.

    `read` is told what the file says before anything is imported that it names.

    ConfigError where it cannot be run, NothingFound where there is no sweep of that name.
    """
    if source is not None:
        path = Path(source)
        config = config_meant(source, like, overrides, tracker)[0]
        read(config)
        return Meant(parts_of(config, path.parent), places(config, os.environ, tracker), path, path.parent.resolve())
    found = _places(tracker)
    existing = _named(like, found)
    parts, folder = parts_on_record(existing, [*_likeness(existing), *overrides])
    mirrors = tuple(dict.fromkeys([*found.mirrors, *parts.config.tracker.mirror]))
    return Meant(parts, Places(found.store, mirrors), None, folder, origin_of(existing))


def config_meant(
    source: str | Path | None, like: str | None, overrides: Sequence[str], tracker: str | None
) -> tuple[SweepConfig, str]:
    """The configuration alone, and the URI of the store; nothing that it names is imported."""
    if source is not None:
        more = [f"warm_start.from={json.dumps([like])}"] if like is not None else []
        config = read_sweep(Path(source), [*more, *overrides], checks=(when_findings, feasibility_findings))
        return config, places(config, os.environ, tracker).store
    found = _places(tracker)
    existing = _named(like, found)
    return read_back(existing, [*_likeness(existing), *overrides]), found.store


def _likeness(existing: Run) -> list[str]:
    """What makes a sweep another one like this: a name of its own, and what this one found."""
    name, source = json.dumps(f"{existing.name}-like"), json.dumps([existing.name])
    return [f"name={name}", f"experiment={json.dumps(existing.experiment)}", f"warm_start={{from: {source}}}"]


def _named(like: str | None, found: Places) -> Run:
    if like is None:
        raise ConfigError("name a sweep file, or a sweep on record to run one like it; nothing was run")
    with open_store(found.store, read_only=True) as store:  # which never makes a store
        return find_sweep(store.tracker, like, found.store)


def _places(tracker: str | None) -> Places:
    return places_of([tracker, *(os.environ.get(name) for name in URI_VARIABLES)])
