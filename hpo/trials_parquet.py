"""Rows of trials as a Parquet file."""

from collections.abc import Mapping, Sequence
from pathlib import Path


def write_parquet(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    """Writes typed columns, null where a row has no value; a column of several types becomes text.

    Without pandas, which makes floats of integers where some are missing, as conditional params are.
    """
    import pyarrow
    from pyarrow import parquet

    arrays = []
    for column in columns:
        values = [row.get(column) for row in rows]
        try:
            arrays.append(pyarrow.array(values))
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, OverflowError):
            arrays.append(pyarrow.array([None if value is None else str(value) for value in values]))
    parquet.write_table(pyarrow.table(arrays, names=list(columns)), path)
