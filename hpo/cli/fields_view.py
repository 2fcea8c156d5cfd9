"""One thing with all its fields: as aligned text, or as a table of two columns."""

from collections.abc import Mapping, Sequence

from hpo.cli.formats import Table
from hpo.cli.text import cell, lines, one_line

INDENT = "  "
LONGEST = 300

Fields = Mapping[str, object]


def as_fields(fields: Fields) -> str:
    """A line a field, empty ones left out; a mapping, a list or a text of many lines stands indented below its name."""
    return "\n".join(_lines(fields, ""))


def as_field_table(fields: Fields) -> Table:
    """Two columns, field and value, for CSV and Markdown."""
    return Table(("field", "value"), [{"field": name, "value": value} for name, value in _flat(fields, "")])


def _lines(fields: Fields, indent: str) -> list[str]:
    shown = {name: value for name, value in fields.items() if not _is_empty(value)}
    width = max((len(one_line(name)) for name, value in shown.items() if not _is_block(value)), default=0)
    text: list[str] = []
    for name, value in shown.items():
        if not _is_block(value):
            text.append(f"{indent}{one_line(name):<{width}}  {cell(value, longest=LONGEST)}")
            continue
        text.append(f"{indent}{one_line(name)}")
        text += _block(value, indent + INDENT)
    return text


def _block(value: object, indent: str) -> list[str]:
    if isinstance(value, Mapping):
        return _lines({str(name): item for name, item in value.items()}, indent)
    if isinstance(value, str):
        return [indent + line for line in lines(value).splitlines()]
    items = value if isinstance(value, Sequence) else [value]
    return [indent + cell(item, longest=LONGEST) for item in items]


def _is_block(value: object) -> bool:
    if isinstance(value, str):
        return "\n" in value.strip("\n")
    return isinstance(value, Mapping) or (isinstance(value, Sequence) and sum(len(str(item)) for item in value) > 60)


def _is_empty(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, Mapping | Sequence) and not value)


def _flat(fields: Fields, prefix: str) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name, value in fields.items():
        if isinstance(value, Mapping):
            found += _flat({str(key): item for key, item in value.items()}, f"{prefix}{name}.")
        elif not _is_empty(value):
            found.append((prefix + name, value))
    return found
