"""The data sets that runs read, each with how many runs did; and a file beside them, described as they are."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hpo.data_record import DataFacts, dataset_of
from hpo.errors import HpoError
from hpo.provenance.input_file import input_file
from trackers.records import Dataset, Query, Run
from trackers.tracker import Tracker

LARGEST = 1 << 30
"""Bytes of a table that is read to describe its columns; of a larger one the header has to do."""


@dataclass(frozen=True)
class Used:
    """A data set, and how many of the runs that were asked about read it for this."""

    data: Dataset
    runs: int


def used_by(runs: Sequence[Run]) -> Sequence[Used]:
    """The data sets that the runs come with, in the order they are met; one of two contexts stands there twice."""
    met: dict[tuple[str, str, str], Used] = {}
    for run in runs:
        for data in sorted(run.datasets, key=lambda data: (data.name, data.context)):
            key = (data.name, data.digest, data.context)
            met[key] = Used(data, met[key].runs + 1 if key in met else 1)
    return list(met.values())


def readers_of(tracker: Tracker, run: Run, *, is_sweep: bool) -> Sequence[Run]:
    """The runs whose data a sweep or a trial stands for, with their data sets: it, and its trials or its parent."""
    own = tracker.get(run.id)
    if is_sweep:
        return [own, *tracker.find(Query(parent=run.id, datasets=True))]
    return [tracker.get(run.parent_id), own] if run.parent_id else [own]


def described_file(path: Path) -> Dataset:
    """A file or folder as a data set; of a table with all that is said of columns. HpoError where it cannot be read."""
    try:
        found = dataset_of(input_file(path, path.resolve().name, ""))
    except OSError as error:
        raise HpoError(f"cannot read {path}: {error.strerror or error}") from error
    facts = DataFacts.of(found)
    if path.is_dir() or path.suffix.lower() not in (".csv", ".parquet") or (facts.size or 0) > LARGEST:
        return found
    from hpo.objectives.data import READERS
    from hpo.objectives.data_profile import WIDE, profile_of

    try:
        frame = READERS[path.suffix.lower()](path)
    except Exception:  # no table after all; pandas and pyarrow have a class for each reason
        return found
    columns = [profile_of(str(name), frame.iloc[:, place]) for place, name in enumerate(frame.columns[:WIDE])]
    profile = {**json.loads(found.profile or "{}"), "num_rows": len(frame), "num_columns": frame.shape[1]}
    return replace(found, profile=json.dumps({**profile, "columns": columns}))


def comparable(read: Sequence[Dataset], file: Dataset) -> tuple[Sequence[Dataset], Sequence[Dataset]]:
    """A file and the data set that was made of it, as two lots that can be compared: the one of that file, else of that
    name, else the only one there is. Nothing on either side where it is the same.
    """
    if any(file.digest in (data.digest, DataFacts.of(data).file) for data in read):
        return (), ()
    stem = Path(file.name).stem
    named = [
        data
        for data in read
        if Path(DataFacts.of(data).source).name == file.name or Path(data.name).name in (file.name, stem)
    ]
    if not named and len(read) != 1:
        return (), (file,)
    made = (named or list(read))[0]
    is_part = DataFacts.of(made).file and sum(DataFacts.of(data).file == DataFacts.of(made).file for data in read) > 1
    pair = (_without_values(made), _without_values(file)) if is_part else (made, file)
    return [replace(pair[0], name=file.name, context="")], [replace(pair[1], context="")]


def _without_values(data: Dataset) -> Dataset:
    """What can be compared where the record holds a share of a file's rows: names and types of columns."""
    profile = json.loads(data.profile or "{}")
    columns = [{"name": each["name"], "type": each.get("type", "")} for each in profile.get("columns", [])]
    return replace(data, profile=json.dumps({"bytes": profile.get("bytes"), "columns": columns}))
