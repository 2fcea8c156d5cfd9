"""Finds what a sweep has kept where its store was copied to another place, or to another machine."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from hpo.captures import CAPTURE_TAG, NO_CAPTURE
from hpo.errors import ProvenanceError
from trackers.artifacts import local_path
from trackers.records import Run

_LEAST = 2
"""Names at the end of a run's folder by which it is known: those of the run and of its artifacts."""


def found_here(parent: Run, places: Sequence[Path]) -> Run:
    """The sweep's run with its files where they lie now: as recorded, else below one of the places.

    Whoever copies a folder of runs keeps some of the names at the end of its path. What is read there is held against
    the digests on record. ProvenanceError where there is no such folder.
    """
    recorded = local_path(parent.artifact_uri)
    has_kept = parent.tags.get(CAPTURE_TAG, NO_CAPTURE) != NO_CAPTURE
    if recorded is None or recorded.is_dir() or not has_kept:
        return parent
    for candidate in _candidates(recorded, places):
        if candidate.is_dir():
            return replace(parent, artifact_uri=str(candidate.absolute()))
    raise ProvenanceError(
        f"the files of {parent.name!r} lay in {recorded}, which is not here; name the folder that has the store's "
        "files now, such as mlruns: --artifacts DIR"
    )


def _candidates(recorded: Path, places: Sequence[Path]) -> Iterator[Path]:
    names = recorded.parts[1:]
    for place in places:
        for count in range(len(names), _LEAST - 1, -1):
            yield place.joinpath(*names[-count:])
