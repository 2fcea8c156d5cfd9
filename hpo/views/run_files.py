"""The files of a run, as far as a page may show them.

What the database says of their place is believed only where it is `<place>/<run id>/artifacts`: who can write rows must
not be able to name any folder of this machine.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from trackers.artifacts import ArtifactFolder
from trackers.artifacts.uris import local_path
from trackers.errors import InvalidRecord, NotFound, StoreUnavailable
from trackers.records import Artifact, Run
from trackers.tracker import Tracker

_OWN = re.compile(r"artifacts(-[0-9]{1,9})?")


def is_remote(run: Run) -> bool:
    """Whether its files lie in an object store."""
    return local_path(run.artifact_uri) is None


def is_in_place(run: Run) -> bool:
    """Whether its files lie in a folder of this machine where files of runs lie, and not behind a link."""
    path = local_path(run.artifact_uri)
    places = [] if path is None else [path, Path(os.path.realpath(path))]
    return bool(places) and all(place.parent.name == run.id and _OWN.fullmatch(place.name) for place in places)


def files_of(tracker: Tracker, run: Run) -> Sequence[Artifact]:
    """The manifest; of runs that others wrote, who keep none, what there is, without hashes."""
    kept = tracker.artifacts(run.id)
    if kept or run.trial is not None or run.sweep is not None or not is_in_place(run):
        return kept
    try:
        sizes = ArtifactFolder().sizes(run.artifact_uri)
    except (InvalidRecord, NotFound, StoreUnavailable):
        return ()
    return [Artifact(path, size, "") for path, size in sorted(sizes.items())]
