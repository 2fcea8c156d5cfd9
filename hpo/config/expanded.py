"""A sweep's configuration as a sweep file again, with every default written out."""

import json
import re
from collections.abc import Iterator, Mapping

from hpo.config.fields import Section
from hpo.config.schema import SweepConfig
from hpo.config.secrets_in_file import without_secrets
from hpo.config.source import resolve
from hpo.config.window import is_wide
from hpo.space import Value

_WIDTH = 110
_DEPTH = 2
"""What fits into this many characters, nested no deeper, stands on one line."""
_PLAIN = re.compile(r"[A-Za-z_./][\w./+-]*( [\w./+-]+)*", re.ASCII)
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def as_yaml(config: SweepConfig) -> str:
    """The whole configuration as YAML, secrets masked; reading it gives a sweep of the same meaning.

    A wide window is left out as it was: written down it would be one that somebody asked for.
    """
    config = without_secrets(config)
    document = _document(config)
    window = None if is_wide(config) else config.parallel.rolling_window or "free"
    document["parallel"] = _document(config.parallel.model_copy(update={"window": window}))
    if config.objective.sklearn is not None:
        sklearn = config.objective.sklearn.model_copy(update={"scoring": list(config.scorers)})
        document["objective"] = _document(config.objective.model_copy(update={"sklearn": sklearn}))
    return "\n".join(_lines(document, "")) + "\n"


def _document(section: Section) -> dict[str, object]:
    """The section's keys that hold something; null stays where it differs from the default."""
    found = {}
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if value not in (None, {}) or value != field.get_default(call_default_factory=True):
            found[field.alias or name] = _plain(value)
    if "when" in found:
        found["when"] = found.pop("when")  # last, as people write it
    return found


def _plain(value: object) -> object:
    if isinstance(value, Section):
        return _document(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _lines(document: Mapping[str, object], indent: str) -> Iterator[str]:
    for key, value in document.items():
        line = f"{indent}{_scalar(key)}: {flow(value)}"
        if isinstance(value, Mapping) and (_depth(value) > _DEPTH or (value and len(line) > _WIDTH)):
            yield f"{indent}{_scalar(key)}:"
            yield from _lines(value, indent + "  ")
        else:
            yield line


def _depth(value: object) -> int:
    return 1 + max(map(_depth, value.values()), default=0) if isinstance(value, Mapping) else 0


def flow(value: object) -> str:
    """Plain data on one line, as YAML writes it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return _scalar(value)  # type: ignore[arg-type]  # nothing else is left in a document


def _scalar(value: Value) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and resolve(value) == value:
        return value
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
