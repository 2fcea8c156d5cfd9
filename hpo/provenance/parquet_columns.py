"""What the footer of a Parquet file says of it."""

from collections.abc import Sequence
from pathlib import Path


def parquet_columns(path: Path) -> tuple[Sequence[tuple[str, str]], int | None]:
    """Names and types of the columns, and the rows, without reading any; nothing and None of a file that is damaged."""
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(path) as file:
            return [(field.name, str(field.type)) for field in file.schema_arrow], file.metadata.num_rows
    except (ArrowException, OSError, ValueError):
        return [], None
