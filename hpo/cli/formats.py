"""Data as text in the formats of `-f`: table, json, csv, yaml, md."""

import csv
import io
import json
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpo.cli.text import UNSAFE_IN_LINES, cell, number, one_line

FORMATS = ("table", "json", "csv", "yaml", "md")
ENDINGS = {".json": "json", ".csv": "csv", ".yaml": "yaml", ".yml": "yaml", ".md": "md"}
"""The format a file name asks for."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
GAP = "  "


@dataclass(frozen=True)
class Table:
    """Rows of typed values under named columns; a row may lack some."""

    columns: Sequence[str]
    rows: Sequence[Mapping[str, object]]


def as_json(data: object) -> str:
    """Strict JSON (RFC 8259), indented; NaN and infinities are null."""
    text = json.dumps(finite(data), indent=2, ensure_ascii=False, allow_nan=False, default=str)
    # what json leaves as it is may still steer a terminal; such characters stand in strings only
    return UNSAFE_IN_LINES.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def as_yaml(data: object) -> str:
    """YAML 1.2 of the same data as `as_json`."""
    from ruamel.yaml import YAML

    yaml, text = YAML(typ="safe", pure=True), io.StringIO()
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # declared as None only
    yaml.width = 4096
    yaml.dump(json.loads(as_json(data)), text)
    if UNSAFE_IN_LINES.search(text.getvalue()):  # it takes what turns the reading direction for ordinary letters
        text = io.StringIO()
        yaml.allow_unicode = False
        yaml.dump(json.loads(as_json(data)), text)
    return text.getvalue().rstrip("\n")


def as_csv(table: Table) -> str:
    """RFC 4180 with full precision. Text that a spreadsheet would take for a formula gets a `'` in front."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(csv_text(column) for column in table.columns)
    for row in table.rows:
        writer.writerow(_csv_cell(row.get(column)) for column in table.columns)
    return text.getvalue().rstrip("\n")


def csv_text(text: str) -> str:
    """One text as a CSV cell that no spreadsheet runs."""
    return one_line(f"'{text}" if text.startswith(_FORMULA) else text)


def as_markdown(table: Table) -> str:
    """A GitHub table."""
    right = _numeric(table)
    head = [_markdown_cell(column) for column in table.columns]
    rule = ["---:" if column in right else "---" for column in table.columns]
    body = [[_markdown_cell(row.get(column)) for column in table.columns] for row in table.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *body])


def as_table(table: Table) -> str:
    """Aligned plain text under a line of column names; numbers to the right."""
    numeric = _numeric(table)
    columns = [_column(table, name) for name in table.columns]
    padded = [_padded(cells, right=name in numeric) for name, cells in zip(table.columns, columns, strict=True)]
    return "\n".join(GAP.join(cells).rstrip() for cells in zip(*padded, strict=True))


def fitting(table: Table, width: int) -> Table:
    """The table without those last columns that would not fit into the width; two columns stay always."""
    kept, used = 0, -len(GAP)
    for name in table.columns:
        used += len(GAP) + max(map(_width, _column(table, name)))
        if used > width and kept >= 2:
            break
        kept += 1
    return Table(table.columns[:kept], table.rows)


def finite(data: object) -> object:
    """The data with None for every number that is not finite (or the largest one, as which MLflow keeps infinity)."""
    if isinstance(data, float):
        return data if abs(data) < sys.float_info.max else None
    if isinstance(data, Mapping):
        return {str(key): finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [finite(value) for value in data]
    return data


def _numeric(table: Table) -> set[str]:
    """The columns that hold numbers and nothing else."""
    values = {name: [row.get(name) for row in table.rows if row.get(name) is not None] for name in table.columns}
    return {name for name, found in values.items() if found and all(map(_is_number, found))}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _column(table: Table, name: str) -> list[str]:
    """A column's name and cells as they are shown."""
    return [one_line(name), *(cell(row.get(name)) for row in table.rows)]


def _padded(cells: Sequence[str], *, right: bool) -> list[str]:
    width = max(map(_width, cells))
    blanks = [" " * (width - _width(text)) for text in cells]
    return [blank + text if right else text + blank for text, blank in zip(cells, blanks, strict=True)]


def _width(text: str) -> int:
    """Columns of a terminal: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


def _csv_cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return number(value) if abs(value) == sys.float_info.max else repr(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return csv_text(", ".join(map(str, value)))
    return csv_text(str(value))


def _markdown_cell(value: object) -> str:
    text = cell(value, longest=200)
    for character, escaped in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("`", "\\`")):
        text = text.replace(character, escaped)
    return text
