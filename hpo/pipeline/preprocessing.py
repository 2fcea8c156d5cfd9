"""The first step: raw months in, a prepared folder out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sklearn.feature_extraction import DictVectorizer

from hpo.errors import ConfigError
from hpo.pipeline.prepared import PARTS, part_of, save_prepared
from hpo.pipeline.trips import read_trips

DEFAULT_MONTHS: Mapping[str, Sequence[str]] = {"train": ["2023-01"], "validation": ["2023-02"], "test": ["2023-03"]}
EXAMPLE_ROWS = 3


@dataclass(frozen=True)
class Preprocessed:
    """What was made: the folder, the number of columns, and per part how many rows were read, kept, and dropped why."""

    folder: Path
    columns: int
    read: Mapping[str, int]
    kept: Mapping[str, int]
    dropped: Mapping[str, Mapping[str, int]]


def preprocess(
    raw: str | Path,
    dest: str | Path,
    *,
    months: Mapping[str, Sequence[str]] | None = None,
    rows: int | None = None,
    seed: int = 0,
) -> Preprocessed:
    """Prepares train, validation and test in `dest` from the Parquet files in the folder `raw`.

    `months` gives each part its months ("2023-01") or files; a month may stand in one part only. `rows` limits each
    part to that many trips, drawn by the seed. The DictVectorizer is fitted on train alone.
    """
    months = {**DEFAULT_MONTHS, **(months or {})}
    paths = {part: [_path(Path(raw), month) for month in months[part]] for part in PARTS}
    _check_apart(paths)
    trips = {part: read_trips(paths[part], limit=rows, seed=seed) for part in PARTS}
    vectorizer = DictVectorizer().fit(trips["train"].features)
    parts = {part: part_of(vectorizer.transform(found.features), found.minutes) for part, found in trips.items()}
    described = {
        part: {
            "months": list(months[part]),
            "sources": [asdict(source) for source in found.sources],
            "read": found.read,
            "kept": len(found.minutes),
            "dropped": found.dropped,
        }
        for part, found in trips.items()
    }
    save_prepared(
        Path(dest),
        parts,
        vectorizer,
        {
            "features": ["PU_DO", "trip_distance"],
            "target": "minutes from pickup to dropoff, 1 to 60",
            "sample": None if rows is None else {"rows": rows, "seed": seed},
            "parts": described,
            "example": list(trips["train"].features[:EXAMPLE_ROWS]),
        },
    )
    return Preprocessed(
        Path(dest),
        len(vectorizer.feature_names_),
        {part: found.read for part, found in trips.items()},
        {part: len(found.minutes) for part, found in trips.items()},
        {part: found.dropped for part, found in trips.items()},
    )


def _path(raw: Path, month: str) -> Path:
    if month.endswith(".parquet"):
        return raw / month  # an absolute path stays as it is
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        raise ConfigError(f"a month must look like 2023-01, or be a .parquet file; got {month!r}")
    return raw / f"green_tripdata_{month}.parquet"


def _check_apart(paths: Mapping[str, Sequence[Path]]) -> None:
    """No month in two parts: a model would be judged on trips it was fitted on."""
    seen: dict[Path, str] = {}
    for part, files in paths.items():
        if not files:
            raise ConfigError(f"{part} needs at least one month")
        for path in files:
            if path.resolve() in seen:
                raise ConfigError(f"{path} stands in {seen[path.resolve()]} and in {part}; give each part its own")
            seen[path.resolve()] = part
