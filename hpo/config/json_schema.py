"""The JSON Schema of the sweep file, with which editors complete and check it."""

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

from hpo.config.fields import Section
from hpo.config.schema import SweepConfig

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a sweep file; the shipped one is renewed from what `hpo schema` prints."""
    schema = _tidied(SweepConfig.model_json_schema(mode="validation"))
    definitions = schema.pop("$defs")
    _describe(schema, SweepConfig)
    for model in _sections(Section):
        if model.__name__ in definitions:
            _describe(definitions[model.__name__], model)
    return {"$schema": DIALECT, "title": "tracked-hpo sweep file, version 1", **schema, "$defs": definitions}


def _describe(schema: dict[str, Any], model: type[Section]) -> None:
    # read from the source here and not by pydantic at import, which costs every command 40 ms
    for name, field in model.model_fields.items():
        schema["properties"][field.alias or name]["description"] = _field_text(model, name)


def _field_text(model: type[Section], name: str) -> str:
    for owner in model.__mro__:
        text = _field_texts(owner.__module__).get((owner.__name__, name))
        if text:
            return text
    raise KeyError(f"{model.__name__}.{name} has no docstring")


@cache
def _field_texts(module: str) -> Mapping[tuple[str, str], str]:
    """The docstring under each annotated name of each class of a module."""
    texts = {}
    for owner in ast.parse(inspect.getsource(sys.modules[module])).body:
        if isinstance(owner, ast.ClassDef):
            for field, below in pairwise(owner.body):
                match field, below:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                        texts[owner.name, name] = inspect.cleandoc(text).replace("\n", " ")
    return texts


def _sections(model: type[Section]) -> Iterator[type[Section]]:
    for below in model.__subclasses__():
        yield below
        yield from _sections(below)


def _tidied(schema: Any) -> Any:
    """Without the titles that pydantic makes up from names, and with names that break their pattern refused."""
    if isinstance(schema, list):
        return [_tidied(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    tidied = {key: _tidied(part) for key, part in schema.items() if key != "title"}
    return {**tidied, "additionalProperties": False} if "patternProperties" in tidied else tidied
