"""Changes as JSON texts and back, exactly: what could not be put on record is kept so until it can.

Plain values stand for themselves; what JSON has not is an object with the key `$`, which names what it is.
"""

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence

from trackers.errors import InvalidRecord
from trackers.records import (
    Artifact,
    Change,
    Dataset,
    LoggedModel,
    Point,
    RunDeleted,
    RunEnded,
    RunErased,
    RunErasing,
    RunRestored,
    RunStarted,
    RunUpdated,
    Status,
    SweepFacts,
    TrialFacts,
)

_CHANGES = (RunStarted, RunUpdated, RunEnded, RunDeleted, RunRestored, RunErasing, RunErased)
_RECORDS: Mapping[str, Callable[..., object]] = {
    kind.__name__: kind for kind in (*_CHANGES, Artifact, Dataset, LoggedModel, Point, SweepFacts, TrialFacts)
}
_KIND = "$"


def to_text(changes: Sequence[Change]) -> str:
    """One line of strict JSON."""
    return json.dumps([_encoded(change) for change in changes], allow_nan=False, separators=(",", ":"))


def from_text(text: str) -> list[Change]:
    """The changes that `to_text` was given, equal in value and type; InvalidRecord for any other text."""
    try:
        decoded = json.loads(text)
        return [_change(_decoded(item)) for item in decoded]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidRecord(f"this is no text of changes: {type(error).__name__}: {error}") from error


def _change(decoded: object) -> Change:
    if isinstance(decoded, Change):
        return decoded
    raise TypeError(f"a {type(decoded).__name__} is no change")


def _encoded(value: object) -> object:
    if isinstance(value, Status):
        return {_KIND: "Status", "is": value.value}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {_KIND: "float", "is": str(float(value))}
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return _encoded_mapping(value)
    if isinstance(value, tuple):
        return {_KIND: "tuple", "is": [_encoded(item) for item in value]}
    if isinstance(value, Sequence):
        return [_encoded(item) for item in value]
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}  # type: ignore[arg-type]  # what is left is a record; else TypeError
    return {_KIND: type(value).__name__, **{name: _encoded(item) for name, item in fields.items()}}


def _encoded_mapping(value: Mapping[str, object]) -> object:
    items = {key: _encoded(item) for key, item in value.items()}
    return {_KIND: "dict", "is": items} if _KIND in items else items


def _decoded(value: object) -> object:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get(_KIND)
    if kind is None:
        return {key: _decoded(item) for key, item in value.items()}
    if kind in _RECORDS:
        return _RECORDS[kind](**{key: _decoded(item) for key, item in value.items() if key != _KIND})
    return _PLAIN[kind](value["is"])


_PLAIN: Mapping[str, Callable[..., object]] = {
    "Status": Status,
    "float": float,
    "tuple": lambda items: tuple(_decoded(item) for item in items),
    "dict": lambda items: {key: _decoded(item) for key, item in items.items()},
}
