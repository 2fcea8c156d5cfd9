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

    One that lay outside of the code is linked to where it is looked for from there, as far as that is in the folder of
    this replay. Gives where those lie now, by the paths under which the sweep file names them. A file is taken from
    where it lay, or from the folder `given`: one of the recorded content first, else one of the recorded name, and then
    the data differ. ProvenanceError for one that lies in neither.
    """
    moved: dict[str, str] = {}
    for path, dataset in _files(record).items() if code.original else ():
        wanted = code.counterpart(path)
        if wanted is not None and os.path.lexists(wanted):
            continue
        found = find(dataset, path, given)
        if found is None:
            raise ProvenanceError(
                f"data set {dataset.name!r} (digest {dataset.digest[:12]}) lay in {path}, which is not here; name the "
                "folder that has it, under any name: --data DIR"
            )
        for place in [wanted] if wanted is not None else _looked_for(path, record, code):
            if not os.path.lexists(place):
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(found.absolute())
        if wanted is None:
            moved.update(dict.fromkeys(_names(path, record), str(found.absolute())))
    return moved


def data_files(record: Record, given: Path | None) -> Sequence[tuple[Dataset, str, Path | None]]:
    """Every data set that was a file or a folder: where it lay, and what holds it here (None: nothing)."""
    return [(dataset, path, find(dataset, path, given)) for path, dataset in _files(record).items()]


def _files(record: Record) -> Mapping[str, Dataset]:
    """The data sets that were files or folders by where these lay, those of the sweep and of its trials."""
    sets = [*record.datasets, *(dataset for trial in record.trials for dataset in trial.datasets)]
    return {path: dataset for dataset in sets if (path := recorded_path(dataset, record))}


def _looked_for(path: str, record: Record, code: CodePlace) -> Sequence[Path]:
    """Where a path outside of the code lies as seen from the rebuilt one, if that is in the folder of the replay."""
    seen = ((record.folder, code.folder), (record.started_in, code.started_in))
    places = [Path(os.path.normpath(now / os.path.relpath(path, then))) for then, now in seen if then]
    return [place for place in dict.fromkeys(places) if place.is_relative_to(Path(code.top).parent)]


def _names(path: str, record: Record) -> Sequence[str]:
    """How the sweep file may name a path: absolute, or from one of the folders where it looks."""
    return [path, *(os.path.relpath(path, then) for then in (record.folder, record.started_in) if then)]


def recorded_path(dataset: Dataset, record: Record) -> str:
    """The absolute path of a data set's file on the machine that recorded it; "" for data that are no file."""
    if dataset.source_type != "local":
        return ""
    try:
        uri = json.loads(dataset.source).get("uri", "")
    except (ValueError, AttributeError):
        return ""
    if "\0" in str(uri):
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
    if not isinstance(profile, dict):
        return ""
    return str(profile.get("file", "" if "num_rows" in profile and "bytes" not in profile else dataset.digest))


def is_content_of(dataset: Dataset, path: Path) -> bool:
    """Whether a file is known to hold what was recorded."""
    digest = file_digest(dataset)
    return bool(digest) and _holds(path, digest)


def _below(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _holds(path: Path, digest: str) -> bool:
    try:
        return digest_of_file(path) == digest
    except OSError:
        return False
