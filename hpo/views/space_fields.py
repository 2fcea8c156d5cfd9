"""The space of a sweep as it was searched, from its record alone: no file is opened and nothing is imported."""

import functools
import json
from collections.abc import Mapping, Sequence

from hpo.config.conversion import space_of
from hpo.config.reading import read_sweep_text
from hpo.errors import HpoError
from hpo.space import Choice, Constant, FloatRange, IntRange, Parameter, Space
from trackers.records import Run


def recorded_space(parent: Run) -> Space | None:
    """The space a sweep searched; None for other runs, and where this release cannot read its record."""
    if parent.sweep is None:
        return None
    return _space_in(parent.sweep.config)


@functools.lru_cache(maxsize=32)
def _space_in(config: str) -> Space | None:
    """The same of a configuration as it is recorded; to read one takes tens of milliseconds."""
    try:
        return space_of(read_sweep_text(json.loads(config)["file"], "the record"))
    except (HpoError, ValueError, KeyError, TypeError):
        return None


def space_fields(space: Space | None) -> list[dict[str, object]]:
    """One object a parameter, in the order of the space; what a kind does not have is null."""
    return [_parameter(parameter) for parameter in space.parameters] if space else []


def _parameter(parameter: Parameter) -> dict[str, object]:
    domain = parameter.domain
    fields: dict[str, object] = dict.fromkeys(("low", "high", "log", "step", "choices"))
    if isinstance(domain, FloatRange | IntRange):
        kind = "float" if isinstance(domain, FloatRange) else "int"
        fields |= {"low": domain.low, "high": domain.high, "log": domain.log, "step": domain.step}
    elif isinstance(domain, Choice):
        kind, fields["choices"] = "choice", list(domain.choices)
    else:
        kind, fields["choices"] = "constant", [domain.value]
    return {"name": parameter.name, "kind": kind, **fields, "when": _when(parameter.when)}


def _when(when: Mapping[str, Sequence[object]]) -> dict[str, list[object]] | None:
    return {name: list(values) for name, values in when.items()} or None


def choices_of(space: Space | None, name: str) -> Sequence[object] | None:
    """The values a parameter chooses from; None where it is a range, or not known."""
    for parameter in space.parameters if space else ():
        if parameter.name == name:
            domain = parameter.domain
            return (
                domain.choices
                if isinstance(domain, Choice)
                else ((domain.value,) if isinstance(domain, Constant) else None)
            )
    return None
