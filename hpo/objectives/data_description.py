"""What the data of a sweep was: names, types, rows, and a digest that changes when any value does."""

import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hpo.objectives.data import Data, DataSource, Table
from hpo.objectives.data_profile import Column, column_count, column_profiles

DIGEST_LENGTH = 36


@dataclass(frozen=True)
class DataDescription:
    """One part of the data: `context` is training or test, `source` a file or the dotted path of a loader.

    `digest` is the start of a sha256 over column names, types, all values and their order, 36 hex digits.
    `columns` holds the name and type of each feature, where they have names; `target` the name of what to predict;
    `profile` what is said of each column, the target last, see `column_profiles`, and `count` how many these are.
    """

    name: str
    digest: str
    source: str
    context: str
    rows: int
    columns: tuple[tuple[str, str], ...]
    target: str
    profile: Sequence[Column] = ()
    count: int | None = None


def describe(source: DataSource, data: Data) -> tuple[DataDescription, ...]:
    """The training part, and the test part if there is one."""
    parts = [("training", data.train, source.path or source.loader)]
    if data.test is not None:
        parts.append(("test", data.test, source.test if isinstance(source.test, str) else parts[0][2]))
    return tuple(_described(context, table, named, source) for context, table, named in parts)


def _described(context: str, table: Table, named: str, source: DataSource) -> DataDescription:
    target = source.target or str(getattr(table.y, "name", None) or "target")
    return DataDescription(
        name=Path(named).stem if source.path else named.rpartition(".")[2],
        digest=digest_of(table),
        source=named,
        context=context,
        rows=table.rows,
        columns=_columns(table.x),
        target=target,
        profile=column_profiles(table, target),
        count=column_count(table),
    )


def digest_of(table: Table) -> str:
    """The start of a sha256 over the table."""
    digest = hashlib.sha256()
    for part in (table.x, table.y):
        digest.update(_bytes(part))
    return digest.hexdigest()[:DIGEST_LENGTH]


def _columns(x: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(x, pd.DataFrame):
        return ()
    return tuple((str(name), str(dtype)) for name, dtype in x.dtypes.items())


def _bytes(part: object) -> bytes:
    if isinstance(part, pd.DataFrame | pd.Series):
        # hash_pandas_object alone misses renamed columns and changed types
        names = repr(_columns(part.to_frame() if isinstance(part, pd.Series) else part))
        try:
            return names.encode() + pd.util.hash_pandas_object(part, index=False).to_numpy().tobytes()
        except TypeError:  # cells that have no hash, such as lists
            return names.encode() + pickle.dumps(part.to_numpy().tolist(), protocol=4)
    if isinstance(part, np.ndarray) and part.dtype != object:
        return f"{part.dtype}{part.shape}".encode() + np.ascontiguousarray(part).tobytes()
    return pickle.dumps(part, protocol=4)
