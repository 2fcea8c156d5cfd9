"""Which keys the sweep file has, and where."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import get_args

from hpo.config.fields import Section
from hpo.config.parameters import KINDS
from hpo.config.schema import SweepConfig


def known_keys(location: tuple[int | str, ...]) -> list[str]:
    """The keys of the mapping at a location of the schema."""
    model: type[Section] = SweepConfig
    for part in location:
        if isinstance(part, str):
            model = KINDS.get(part) or _fields(model).get(part) or model
    return list(_fields(model))


@cache
def all_keys() -> Mapping[str, str]:
    """Where each key stands, parameters' own keys aside; one that stands at several places at its first."""
    places: dict[str, str] = {}
    for path in _paths(SweepConfig, ""):
        places.setdefault(path.rpartition(".")[2], path)
    return places


def _paths(model: type[Section], prefix: str) -> Iterator[str]:
    inner = []
    for name, nested in _fields(model).items():
        yield prefix + name
        if nested is not None and nested not in KINDS.values():
            inner.append((nested, f"{prefix}{name}."))
    for nested, deeper in inner:  # the shallow ones first
        yield from _paths(nested, deeper)


def _fields(model: type[Section]) -> dict[str, type[Section] | None]:
    return {field.alias or name: _section_in(field.annotation) for name, field in model.model_fields.items()}


def _section_in(annotation: object) -> type[Section] | None:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next(filter(None, map(_section_in, get_args(annotation))), None)
