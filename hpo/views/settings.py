"""A sweep's settings as flat names and short texts, which people can compare line by line."""

import json
from collections.abc import Iterator, Mapping

LEFT_OUT = ("file", "parameters", "told")
"""The whole file, what the space shows, and what a warm start took."""
LONGEST = 500
MOST = 300


def flat_settings(document: Mapping[str, object]) -> dict[str, str]:
    """`engine.sampler: tpe`, one for each value; long texts end in `...`."""
    found: dict[str, str] = {}
    for key, value in _flat("", {key: value for key, value in document.items() if key not in LEFT_OUT}):
        if len(found) < MOST:
            found[key] = value if len(value) <= LONGEST else value[: LONGEST - 3] + "..."
    return found


def _flat(prefix: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else str(key), inner)
    elif value not in (None, {}, []):
        yield prefix, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
