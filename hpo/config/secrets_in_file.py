"""The secrets of a sweep file: what they are, and the file's text and configuration without them."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import CollectionEndEvent, MappingStartEvent, NodeEvent, ScalarEvent, SequenceStartEvent

from hpo.config.parameters import Ranged
from hpo.config.schema import SweepConfig
from hpo.config.source import resolve
from hpo.errors import ConfigError
from hpo.masking import MASK, Secrets, hidden, is_secret, is_secret_name, looks_secret
from hpo.space import Value

NAMES_ONLY = "secret_env"
"""The key whose values are names of secrets and not secrets."""


def secrets_of(config: SweepConfig, environment: Mapping[str, str]) -> Secrets:
    """What must not be recorded; ConfigError where a variable of `objective.secret_env` is not set, or a value is gone.

    Gone are the values of a configuration that was read back from the record.
    """
    missing = [name for name in config.objective.secret_env if not environment.get(name)]
    if missing:
        raise ConfigError(f"objective.secret_env: not set in the environment: {', '.join(missing)}; nothing was run")
    gone = [name for name, spec in config.parameters.items() if spec == MASK]
    if gone:
        raise ConfigError(
            f"parameters.{gone[0]} is a secret and not on record, so the sweep goes on with its file only: hpo run FILE"
        )
    params = {name: str(spec) for name, spec in config.parameters.items() if is_secret_constant(name, spec)}
    values = {environment[name] for name in config.objective.secret_env}
    values.update(text for name, text in config.tags.items() if is_secret(name, text) and is_secret_name(name))
    values.update(_texts(config.engine.options, ""))
    values.update(_passwords(config.tracker.uri or ""))
    return Secrets(params, frozenset(values), frozenset(config.objective.secret_env))


def without_secrets(config: SweepConfig) -> SweepConfig:
    """The configuration as it may be recorded and shown: with `***` in the place of every secret."""
    if not masked_names(config):
        return config
    masked = {name for name, spec in config.parameters.items() if is_secret_constant(name, spec)}
    changes = {
        "parameters": {name: _without(name, spec, masked) for name, spec in config.parameters.items()},
        "start": [{name: value for name, value in point.items() if name not in masked} for point in config.start],
        "tags": hidden("", config.tags),
        "description": hidden("", config.description),
        "engine": config.engine.model_copy(update={"options": hidden("", config.engine.options)}),
        "tracker": config.tracker.model_copy(update={"uri": hidden("", config.tracker.uri)}),
    }
    return config.model_copy(update=changes)


def _without(name: str, spec: Ranged | Value, masked: set[str]) -> object:
    if name in masked:
        return MASK
    if isinstance(spec, Ranged) and not masked.isdisjoint(spec.when):
        # a condition on a constant can only name its one value
        return spec.model_copy(update={"when": {**spec.when, **{on: [MASK] for on in spec.when if on in masked}}})
    return spec


def is_secret_constant(name: str, spec: object) -> bool:
    """Whether a parameter is a constant that is to be masked."""
    return not isinstance(spec, Ranged) and is_secret(name, spec)


def masked_names(config: SweepConfig) -> list[str]:
    """The keys of the file whose values are masked, for people."""
    found = [f"parameters.{name}" for name, spec in config.parameters.items() if is_secret_constant(name, spec)]
    found += [f"tags.{name}" for name, text in config.tags.items() if is_secret(name, text)]
    found += ["description"] if looks_secret(config.description or "") else []
    found += ["engine.options"] if hidden("", config.engine.options) != config.engine.options else []
    found += ["tracker.uri"] if looks_secret(config.tracker.uri or "") else []
    return found


def masked_text(text: str, secrets: Secrets) -> str:
    """The sweep file's text with every secret replaced; the same text where it holds none."""
    spans = list(_secret_spans(text))
    for start, end, instead in reversed(spans):
        text = text[:start] + instead + text[end:]
    return secrets.hide(text)


def _secret_spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Where the values of secrets stand, in order; nothing is left out of a file that was read without an error."""
    keys: list[str] = []  # the key each open collection, and what is in it, stands under
    is_mapping: list[bool] = []
    waiting: list[str | None] = []  # of each open mapping the key whose value comes next
    with suppress(YAMLError):
        for event in YAML(typ="safe", pure=True).parse(text):
            if isinstance(event, CollectionEndEvent):
                keys.pop(), is_mapping.pop(), waiting.pop()
            elif isinstance(event, NodeEvent):
                if is_mapping and is_mapping[-1] and waiting[-1] is None and isinstance(event, ScalarEvent):
                    waiting[-1] = event.value
                    continue
                name = keys[-1] if keys else ""
                if is_mapping and is_mapping[-1]:
                    name, waiting[-1] = waiting[-1] or "", None
                if isinstance(event, SequenceStartEvent | MappingStartEvent):
                    keys.append(name)
                    is_mapping.append(isinstance(event, MappingStartEvent))
                    waiting.append(None)
                elif isinstance(event, ScalarEvent) and name != NAMES_ONLY and is_secret(name, _value(event)):
                    yield event.start_mark.index, event.end_mark.index, _instead(name, event)


def _value(event: ScalarEvent) -> object:
    return event.value if event.style else resolve(event.value)


def _instead(name: str, event: ScalarEvent) -> str:
    shown = MASK if is_secret_name(name) else str(hidden(name, event.value))
    written = '"' + shown.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    return written + ("\n" if event.style in ("|", ">") else "")  # a block's span ends after its last line


def _texts(data: object, name: str) -> Iterator[str]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _texts(value, str(key))
    elif isinstance(data, list):
        for value in data:
            yield from _texts(value, name)
    elif is_secret(name, data):
        yield str(data)


def _passwords(uri: str) -> Iterator[str]:
    with suppress(ValueError):
        password = urlsplit(uri).password
        if password:
            yield from {password, unquote(password)}
