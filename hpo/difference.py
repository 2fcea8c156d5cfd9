"""What two sweep files ask for differently, key by key as they stand in the file."""

import json
from collections.abc import Iterator, Mapping

LONGEST = 120
_ABSENT = object()
_UNCOMPARED = ("budget", "file", "told", "version")
"""The budget may change; the rest says nothing about trials, or follows from what does."""
_ORDER = "order of parameters"
"""Samplers draw in that order; it goes without saying where the parameters are not the same anyway."""


def difference(recorded: str, given: str) -> str:
    """The keys in which two configurations differ: `-` what is on record, `+` what the file says now."""
    before, after = (dict(flat(_compared(json.loads(text)))) for text in (recorded, given))
    if sorted(_names(before)) != sorted(_names(after)):
        before.pop(_ORDER, None)
        after.pop(_ORDER, None)
    lines: list[str] = []
    for key in [*before, *(key for key in after if key not in before)]:
        old, new = before.get(key, _ABSENT), after.get(key, _ABSENT)
        if type(old) is not type(new) or old != new:
            lines += [f"  - {key}: {_text(old)}"] if old is not _ABSENT else []
            lines += [f"  + {key}: {_text(new)}"] if new is not _ABSENT else []
    return "\n".join(["  - on record", "  + in this file", *lines])


def _compared(config: Mapping[str, object]) -> dict[str, object]:
    """The sweep file's own shape: parameters by name, and their order where that is not the same."""
    compared = {key: value for key, value in config.items() if key not in _UNCOMPARED}
    listed = compared.get("parameters")
    if isinstance(listed, list):
        compared["parameters"] = {str(entry["name"]): _parameter(entry) for entry in listed}
        compared[_ORDER] = [str(entry["name"]) for entry in listed]
    if "window" in compared:
        compared["parallel"] = {"window": compared.pop("window")}
    return compared


def _parameter(entry: Mapping[str, object]) -> dict[str, object]:
    kept = {key: value for key, value in entry.items() if key != "name" and value not in (None, False, {})}
    if entry.get("type") == "int" and kept.get("step") == 1:
        del kept["step"]
    return kept


def flat(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every key of nested mappings that holds no mapping, by its dotted path, in their order."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from flat(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _names(flat: Mapping[str, object]) -> list[str]:
    names = flat.get(_ORDER)
    return names if isinstance(names, list) else []


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
