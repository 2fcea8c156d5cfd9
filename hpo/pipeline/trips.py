"""Trips out of the raw months: checked columns, the rows that are kept, and why the others are not."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hpo.config.nearest import nearest
from hpo.errors import ConfigError

PICKUP, DROPOFF = "lpep_pickup_datetime", "lpep_dropoff_datetime"
FROM, TO, DISTANCE = "PULocationID", "DOLocationID", "trip_distance"
COLUMNS = (PICKUP, DROPOFF, FROM, TO, DISTANCE)
SHORTEST, LONGEST = 1.0, 60.0
"""Minutes; both are kept."""


@dataclass(frozen=True)
class Source:
    """A raw file: its name, the sha256 of its bytes, and how many rows it has."""

    file: str
    sha256: str
    rows: int


@dataclass(frozen=True)
class Trips:
    """The kept trips of some months, in the order of the files; `dropped` counts the others by reason.

    `features` are what a model takes, one mapping a trip: `{"PU_DO": "43_151", "trip_distance": 2.1}`.
    """

    features: Sequence[Mapping[str, str | float]]
    minutes: Sequence[float]
    sources: Sequence[Source]
    dropped: Mapping[str, int]

    @property
    def read(self) -> int:
        """How many rows the files have together."""
        return sum(source.rows for source in self.sources)


def read_trips(paths: Sequence[Path], *, limit: int | None = None, seed: int = 0) -> Trips:
    """The trips of these files that last from 1 to 60 minutes and lack nothing that a model needs.

    A row is dropped for the first reason that holds. With a limit, that many of the kept trips are drawn by the seed.
    ConfigError names a file that is not there or no Parquet, a column that is missing or of the wrong type, and files
    of which nothing is left.
    """
    tables = [_read(path) for path in paths]
    trips = pd.concat([table for table, _ in tables], ignore_index=True)
    trips["minutes"] = (trips[DROPOFF] - trips[PICKUP]).dt.total_seconds() / 60
    kept, dropped = _keep(trips)
    if kept.empty:
        reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.items() if count)
        names = " and ".join(str(path) for path in paths)
        raise ConfigError(f"no trips are left of {names}: {len(trips)} rows" + (f", {reasons}" if reasons else ""))
    if limit is not None and limit < len(kept):
        dropped["not drawn for the sample"] = len(kept) - limit
        kept = kept.sample(limit, random_state=seed).sort_index()
    return Trips(_features(kept), kept["minutes"].tolist(), [source for _, source in tables], dropped)


def features(pickup: int, dropoff: int, distance: float) -> dict[str, str | float]:
    """What a model takes of one trip."""
    return {"PU_DO": f"{pickup}_{dropoff}", "trip_distance": distance}


def _features(trips: pd.DataFrame) -> list[Mapping[str, str | float]]:
    # files with missing zones hold floats: 43.0 and 43 must be one zone
    zones = zip(trips[FROM].astype("int64"), trips[TO].astype("int64"), trips[DISTANCE], strict=True)
    return [features(int(pickup), int(dropoff), float(distance)) for pickup, dropoff, distance in zones]


def _keep(trips: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    finite = trips[DISTANCE].abs() < float("inf")
    reasons = {
        "without a time": trips["minutes"].isna(),
        "without a zone": trips[FROM].isna() | trips[TO].isna(),
        "without a distance": ~finite,
        "shorter than 1 minute": trips["minutes"] < SHORTEST,
        "longer than 60 minutes": trips["minutes"] > LONGEST,
    }
    left = pd.Series(True, index=trips.index)
    dropped = {}
    for reason, rows in reasons.items():
        dropped[reason] = int((left & rows).sum())
        left &= ~rows
    return trips[left], dropped


def _read(path: Path) -> tuple[pd.DataFrame, Source]:
    content = _content(path)
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        _check_columns(path, file.schema_arrow)
        table = file.read(columns=list(COLUMNS)).to_pandas()[list(COLUMNS)]
    except pa.ArrowException as error:
        raise ConfigError(f"{path} is not a Parquet file that can be read: {error}") from error
    return table, Source(path.name, hashlib.sha256(content).hexdigest(), len(table))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        there = sorted(other.name for other in path.parent.glob("*.parquet")) if path.parent.is_dir() else []
        near = nearest(path.name, there, cutoff=0.0)
        hint = f"; the nearest there is {near}" if near else f"; there are no Parquet files in {path.parent}"
        raise ConfigError(f"no file {path}{hint}") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error


def _check_columns(path: Path, schema: pa.Schema) -> None:
    problems = []
    for column in COLUMNS:
        if column not in schema.names:
            near = nearest(column, schema.names)
            problems.append(f"no column {column!r}" + (f" (the nearest is {near!r})" if near else ""))
            continue
        kind, wanted = schema.field(column).type, "a timestamp" if column in (PICKUP, DROPOFF) else "a number"
        fits = pa.types.is_timestamp if wanted == "a timestamp" else _is_number
        if not fits(kind):
            problems.append(f"column {column!r} must be {wanted}, got {kind}")
    if problems:
        raise ConfigError(f"{path}: {'; '.join(problems)}")


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind))
