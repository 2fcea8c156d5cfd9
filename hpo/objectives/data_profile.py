"""Each column of a table in a few words: type, missing values, smallest, largest, mean, and a digest of its values.

The digests are short: they only have to tell which columns differ, once the digest of the whole says that some do.
"""

import hashlib
import json
import math
import pickle
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from hpo.objectives.data import Table

LONGEST = 1_000_000
"""Characters of a profile's columns; MLflow takes sixteen times as much, and all of it is read with the run."""
WIDE, WIDEST = 500, 10_000
"""More columns than the first have digests alone, more than the second nothing: it would take seconds."""
DIGITS = 8

Column = Mapping[str, object]
Cells: TypeAlias = "pd.Series[Any]"  # of whatever type the data has


def column_profiles(table: Table, target: str) -> Sequence[Column]:
    """Features and then the target, with as much of each as there is room for; nothing of data without columns."""
    columns = list(_columns(table, target))
    if not columns or len(columns) > WIDEST:
        return ()
    for profile in (profile_of, digest_of_column) if len(columns) <= WIDE else (digest_of_column,):
        found = [profile(name, column) for name, column in columns]
        if len(json.dumps(found)) <= LONGEST:
            return found
    return ()


def column_count(table: Table) -> int | None:
    """How many columns there are, the target counted; None where the features are no table."""
    shape: tuple[int, ...] = getattr(table.x, "shape", ())
    return int(shape[1]) + 1 if len(shape) == 2 else None


def profile_of(name: str, column: Cells) -> Column:
    """One column with all that is said of it; values that are not finite numbers have no range."""
    return {**digest_of_column(name, column), "missing": int(column.isna().sum()), **_range(column)}


def digest_of_column(name: str, column: Cells) -> Column:
    """One column, briefly."""
    digest = hashlib.sha256(_bytes(column)).hexdigest()[:DIGITS]
    return {"name": name, "type": str(column.dtype), "digest": digest}


def _columns(table: Table, target: str) -> Iterator[tuple[str, Cells]]:
    x, y = table.x, table.y
    if isinstance(x, np.ndarray) and x.ndim == 2:
        x = pd.DataFrame(x)
    if not isinstance(x, pd.DataFrame):
        return
    for position, name in enumerate(x.columns):  # by position: names may be there twice
        yield str(name), x.iloc[:, position]
    if not isinstance(y, pd.Series):
        y = np.asarray(y)
    if y.ndim == 1:
        yield target, pd.Series(y)


def _range(column: Cells) -> Column:
    if not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
        return {}
    if pd.api.types.is_complex_dtype(column.dtype):
        return {}
    values = column.dropna().to_numpy()
    if values.dtype.kind not in "iuf" or values.size == 0:
        return {}
    if values.dtype.kind == "f":
        with np.errstate(all="ignore"):  # half precision overflows
            found = (float(values.min()), float(values.max()), float(values.mean(dtype=np.float64)))
    else:
        found = (int(values.min()), int(values.max()), float(values.mean()))
    named = dict(zip(("min", "max", "mean"), found, strict=True))
    return {key: value for key, value in named.items() if math.isfinite(value)}


def _bytes(column: Cells) -> bytes | memoryview:
    values = column.array
    plain = values.to_numpy() if isinstance(column.dtype, np.dtype) else None
    if plain is not None and plain.dtype.kind in "biufcmM":
        return np.ascontiguousarray(plain).view(np.uint8).data
    try:
        return pd.util.hash_pandas_object(column, index=False).to_numpy().tobytes()
    except TypeError:  # cells that have no hash, such as lists
        return pickle.dumps(column.to_numpy().tolist(), protocol=4)
