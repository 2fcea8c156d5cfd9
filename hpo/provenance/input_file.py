"""Describes a file or folder that a trial or a sweep reads: digest, size, version, and columns where that is cheap."""

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hpo.provenance.data_version import data_version
from hpo.provenance.file_digest import Content, content_of
from hpo.provenance.parquet_columns import parquet_columns
from hpo.trial import InputFile

WIDEST = 2_000
"""More columns than these are counted, not listed."""
_HEADER = 1 << 20
_REMEMBERED = 1_000

_described: dict[tuple[str, str], tuple[str, str]] = {}
"""Schema and profile by path and looks, of files that this process has described."""


def input_file(path: Path, name: str, context: str) -> InputFile:
    """What a file or folder holds; OSError where it cannot be read."""
    content, real = content_of(path), path.resolve()
    key = (str(real), content.signature)
    known = _described.get(key)
    if known is None:
        known = _description(real, content)
        if content.is_settled:
            if len(_described) >= _REMEMBERED:
                _described.clear()
            _described[key] = known
    found = InputFile(name, content.digest, str(path.absolute()), context)
    return replace(found, schema=known[0], profile=known[1])


def _description(real: Path, content: Content) -> tuple[str, str]:
    columns: Sequence[tuple[str, str]] = ()
    rows: int | None = None
    if not content.is_folder and real.suffix.lower() == ".parquet":
        columns, rows = parquet_columns(real)
    elif not content.is_folder and real.suffix.lower() == ".csv":
        columns = [(name, "") for name in _header(real)]
    version = data_version(real)
    listed = [{"name": name, **({"type": kind} if kind else {})} for name, kind in columns[:WIDEST]]
    profile = {
        **({"num_rows": rows} if rows is not None else {}),
        **({"num_columns": len(columns)} if columns else {}),
        "bytes": content.size,
        **({"num_files": content.files} if content.is_folder else {}),
        **({"version": version} if version else {}),
        **({"columns": listed} if 0 < len(columns) <= WIDEST else {}),
    }
    typed = [{"type": kind, "name": name, "required": True} for name, kind in columns if kind]
    schema = json.dumps({"mlflow_colspec": typed}) if 0 < len(typed) <= WIDEST else ""
    return schema, json.dumps(profile)


def _header(real: Path) -> list[str]:
    """The first line of a CSV file: what it says of its columns without being read; rows would have to be counted."""
    try:
        with real.open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader([file.readline(_HEADER)]), [])
    except (OSError, ValueError, csv.Error):  # another encoding, a field of a megabyte: no table we know
        return []
