"""The settings of sweeps on record, key by key as a sweep file has them, and those that differ."""

import json
from collections.abc import Mapping, Sequence

from hpo.config.problems import Place, Unreadable
from hpo.config.source import parse, plain
from hpo.difference import flat
from hpo.recorded_config import FILE
from trackers.records import Run

ABSENT = object()
"""What `differing` gives for a sweep that has no such setting; None is a value that a file may have."""
ORDER = "order of parameters"
"""Samplers draw in that order; it goes without saying where the parameters are not the same anyway."""
_NO_SETTINGS = ("version", "name", "description")


def settings_of(sweep: Run) -> dict[str, object]:
    """Every setting by its dotted path, with defaults and what options changed; secrets are masked on record.

    Of a sweep that does not hold its file whole, what decides its trials; of a run that is no sweep of ours nothing.
    """
    document = _document(sweep.sweep.config) if sweep.sweep else {}
    kept = {key: value for key, value in document.items() if key not in _NO_SETTINGS}
    parameters = kept.get("parameters")
    if isinstance(parameters, Mapping):
        kept[ORDER] = list(parameters)
    return dict(flat(kept)) if kept else {}


def differing(sweeps: Sequence[Mapping[str, object]]) -> dict[str, list[object]]:
    """The settings that are not the same in all of these, in the order of the files: each sweep's, or ABSENT."""
    keys = list(dict.fromkeys(key for settings in sweeps for key in settings))
    found = {key: [settings.get(key, ABSENT) for settings in sweeps] for key in keys}
    names = [sorted(map(str, order)) for order in found.get(ORDER, []) if isinstance(order, list)]
    if any(other != names[0] for other in names) or len(names) < len(sweeps):
        found.pop(ORDER, None)
    return {key: values for key, values in found.items() if any(_differ(values[0], value) for value in values[1:])}


def _differ(one: object, other: object) -> bool:
    return type(one) is not type(other) or one != other


def _document(config: str) -> dict[str, object]:
    """The sweep file as it was run, as plain data."""
    try:
        recorded = json.loads(config)
    except ValueError:
        return {}
    if not isinstance(recorded, dict):
        return {}
    text = recorded.pop(FILE, "")
    try:
        root, _ = parse(text, lambda line, column: Place(0, line, column, "")) if isinstance(text, str) else (None, ())
    except Unreadable:
        root = None
    whole = plain(root) if root else None
    return whole if isinstance(whole, dict) else recorded
