"""Finds the data files of a record, by their content where it is known, and puts them where trials look for them."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hpo.errors import ProvenanceError
from hpo.provenance.file_digest import digest_of_file
from hpo.replaying.code_place import CodePlace
from hpo.replaying.record import Record
from trackers.records import Dataset


def place_data(record: Record, code: CodePlace, given: Path | None) -> Mapping[str, str]:
    """Links every data file into the rebuilt code at the place that it had in the recorded one, where it is missing.

    Gives where files lie now that lay outside of the code and do not any more, by their recorded path. A file is taken
    from where it lay, or from the folder `given`: one of the recorded content first, else one of the recorded name,
    and then the data differ. ProvenanceError for one that lies in neither.
    """
    moved: dict[str, str] = {}
    for dataset, path, found in data_files(record, given) if code.original else ():
        wanted = code.counterpart(path)
        if wanted is not None and os.path.lexists(wanted):
            continue
        if found is None:
            raise ProvenanceError(
                f"data set {dataset.name!r} (digest {dataset.digest[:12]}) lay in {path}, which is not here; name the "
                "folder that has it, under any name: --data DIR"
            )
        if wanted is not None:
            wanted.parent.mkdir(parents=True, exist_ok=True)
            wanted.symlink_to(found.absolute())
        elif found.absolute() != Path(path):
            moved[path] = str(found.absolute())
    return moved


def data_files(record: Record, given: Path | None) -> Sequence[tuple[Dataset, str, Path | None]]:
    """Every data set that was a file or a folder: where it lay, and what holds it here (None: nothing)."""
    sets = [*record.datasets, *(dataset for trial in record.trials for dataset in trial.datasets)]
    paths = {recorded_path(dataset, record): dataset for dataset in sets}
    return [(dataset, path, find(dataset, path, given)) for path, dataset in paths.items() if path]


def recorded_path(dataset: Dataset, record: Record) -> str:
    """The absolute path of a data set's file on the machine that recorded it; "" for data that are no file."""
    if dataset.source_type != "local":
        return ""
    try:
        uri = json.loads(dataset.source).get("uri", "")
    except (ValueError, AttributeError):
        return ""
    path = str(uri).removeprefix("file://")
    return os.path.normpath(Path(record.started_in, path)) if path and "://" not in path else ""


def find(dataset: Dataset, path: str, given: Path | None) -> Path | None:
    """A file that holds a data set: of the recorded content if there is one, else of the recorded name."""
    likely: list[Path] = [Path(path), *([given / Path(path).name] if given else [])]
    there = [candidate for candidate in likely if candidate.exists()]
    digest = file_digest(dataset)
    everywhere: list[Path] = [*there, *(_below(given) if given and digest else ())]
    for candidate in everywhere:
        if digest and _holds(candidate, digest):
            return candidate
    return there[-1] if there else None


def file_digest(dataset: Dataset) -> str:
    """The digest of a data set's file, "" where it is not on record: that of a table is taken of its values."""
    try:
        profile = json.loads(dataset.profile or "{}")
    except ValueError:
        return ""
    return str(profile.get("file", "" if "num_rows" in profile and "bytes" not in profile else dataset.digest))


def _below(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _holds(path: Path, digest: str) -> bool:
    try:
        return digest_of_file(path) == digest
    except OSError:
        return False
