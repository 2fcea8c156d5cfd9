"""The parts of a sweep on record, without its file."""

from collections.abc import Sequence
from pathlib import Path

from hpo.build import Parts, parts_of
from hpo.errors import ObjectiveError
from hpo.recorded_config import FILE_TAG, folders_of, read_back
from trackers.records import Run


def parts_on_record(existing: Run, overrides: Sequence[str] = ()) -> tuple[Parts, Path]:
    """The parts, and the folder where the sweep's code lies; ObjectiveError where that is not there any more.

    `overrides` are `key=value` texts that change the file as it is on record.
    """
    config = read_back(existing, overrides)
    folder, *others = folders_of(existing) or [Path.cwd()]
    try:
        return parts_of(config, folder, *others), folder
    except ObjectiveError as error:
        raise ObjectiveError(
            f"sweep {existing.name!r} cannot go on: {error}\n"
            f"it was started from {existing.tags.get(FILE_TAG, 'a file')} in {folder}; put back what it needs there or "
            "in the current folder, or go on with its file from where that lies now: hpo run FILE"
        ) from error
