"""The kinds of values that keys of a sweep file hold, each with its rule and its JSON Schema."""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, WithJsonSchema
from pydantic_core import PydanticCustomError

from hpo.places import is_server, server_fault

MAX_TEXT = 6000
"""Characters of a parameter's value: MLflow takes no more."""

NAME = r"^\w[\w.:-]*([ /]\w[\w.:-]*)*$"
MODEL_NAME = r"^\w[\w.-]*( \w[\w.-]*)*$"
ALIAS = r"^[A-Za-z_][\w-]*$"
DOTTED_PATH = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$"
CALLABLE_PATH = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$"
VARIABLE_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
STEP_NAME = r"^[A-Za-z](_?[A-Za-z0-9])*$"

EXPLAINED = {
    NAME: "a name of letters, digits and . : _ -, with single blanks or slashes between",
    MODEL_NAME: "a name of letters, digits and . _ -, with single blanks between",
    ALIAS: "a word of letters, digits, _ and -",
    DOTTED_PATH: "a dotted path such as sklearn.svm.SVC",
    CALLABLE_PATH: "module:function, such as train:objective",
    VARIABLE_NAME: "the name of an environment variable, such as HF_TOKEN",
    STEP_NAME: "a step's name: letters and digits with single underscores",
}
"""What a pattern asks for, in words."""

OBJECT_STORES = ("s3", "gs", "az", "abfs", "abfss", "wasbs", "memory")
"""The schemes of places for artifacts that are no folders."""

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_SECONDS = (86_400, 3600, 60, 1)
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]i?)B", re.IGNORECASE)
_BYTES = {
    f"{unit}{binary}": (1024 if binary else 1000) ** (power + 1)
    for power, unit in enumerate("kmgt")
    for binary in ("", "i")
}
LEAST_MEMORY = 64 * 2**20
"""Bytes of the smallest memory limit: a worker that has done nothing yet takes 40 MiB."""


class Section(BaseModel):
    """A mapping of a sweep file: only known keys, values of the right type, and fixed once read.

    The text under each field is its description in the JSON Schema, see json_schema.py.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )


def broken(message: str, *at: str | int, on_key: bool = False) -> PydanticCustomError:
    """A broken rule, to be raised by a validator; `at` leads from the value checked to the place it is about."""
    return PydanticCustomError("rule", "{message}", {"message": message, "at": at, "on_key": on_key})


def _whole(value: object) -> object:
    # 1e3 is a float in YAML and a whole number to people, and to JSON Schema too
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _scalar(value: object) -> object:
    if isinstance(value, Mapping | list):
        kind = "list" if isinstance(value, list) else "mapping"
        raise broken(f"must be a single value (text, a number, true, false or null), got a {kind}")
    if isinstance(value, float) and not math.isfinite(value):
        raise broken(f"must be finite, got {value}")
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise broken(f"must have at most {MAX_TEXT} characters, got {len(value)}")
    return value


def _seconds(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value)
    if match is None or not value:
        raise broken(
            f"cannot read '{value}' as a time: write {_duration_guess(value) or 'seconds, or 90s, 10m, 1h30m'}"
        )
    return float(sum(int(part or 0) * unit for part, unit in zip(match.groups(), _SECONDS, strict=True)))


def _duration_guess(text: str) -> str:
    match = re.fullmatch(r"(\d+) *([dhms])[a-z]*\.?", text.strip().lower())
    return f"{match[1]}{match[2]}" if match else ""


def _size(value: object) -> object:
    if isinstance(value, str):
        match = _SIZE.fullmatch(value)
        if match is None:
            raise broken(f"cannot read '{value}' as an amount of memory: write 512MiB or 4GiB")
        value = float(match[1]) * _BYTES[match[2].lower()]
    return int(value) if isinstance(value, float) and math.isfinite(value) else value


def _bytes(value: object) -> object:
    value = _size(value)
    if isinstance(value, int) and not isinstance(value, bool) and value < LEAST_MEMORY:
        raise broken(
            f"must be at least {LEAST_MEMORY // 2**20}MiB: an idle worker takes 40MiB or more; got {value} bytes"
        )
    return value


def _test_part(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise broken("must be a share between 0 and 1, or the path of a file")
    if isinstance(value, str):
        return _data_path(value)
    if not 0 < value < 1:
        raise broken(f"must be a share above 0 and below 1, or the path of a file, got {value:g}")
    return float(value)


def _data_path(value: object) -> object:
    if isinstance(value, str) and not value.endswith((".csv", ".parquet")):
        raise broken(f"must be the path of a .csv or .parquet file, got '{value}'")
    return value


def _scored_on(value: object) -> object:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise broken("must be true, false, or module:function, such as train:test")
    if not re.fullmatch(CALLABLE_PATH, str(_callable_path(value))):
        raise broken(f"must be true, false, or {EXPLAINED[CALLABLE_PATH]}, got '{value}'")
    return value


def _holder_of(value: object) -> object:
    value = _whole(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise broken("must be an alias such as champion, or a version's number")
    if isinstance(value, int) and value < 1:
        raise broken(f"must be an alias such as champion, or a version's number from 1, got {value}")
    if isinstance(value, str) and not re.fullmatch(ALIAS, value):
        raise broken(f"must be an alias, {EXPLAINED[ALIAS]}, or a version's number, got '{value}'")
    return value


def _store_uri(value: object) -> object:
    if isinstance(value, str) and is_server(value) and (fault := server_fault(value)):
        raise broken(fault)
    return value


def _mirror(value: object) -> object:
    if not isinstance(value, str):
        raise broken("must be the address of an MLflow server, such as http://mlflow:5000")
    if fault := server_fault(value):
        raise broken(fault)
    return value.rstrip("/")


def _artifact_place(value: object) -> object:
    scheme, separator, rest = value.partition("://") if isinstance(value, str) else ("", "", "")
    if not separator or scheme == "file" or "/" in scheme:
        return value
    if scheme not in OBJECT_STORES:
        raise broken(f"must be a folder, or begin with one of {', '.join(f'{name}://' for name in OBJECT_STORES)}")
    authority = rest.partition("/")[0]
    user, at, host = authority.rpartition("@")
    is_account = at and host.endswith((".blob.core.windows.net", ".dfs.core.windows.net")) and "@" not in user
    if "?" in rest or "#" in rest or ":" in authority or (at and not is_account):
        # what was given is not repeated: it may well be a key
        raise broken("must not hold a user, a password or a token: credentials come from the environment alone")
    return value


def _callable_path(value: object) -> object:
    if isinstance(value, str) and ".py:" in value and "/" not in value:
        raise broken(f"names a file, not a module: write {value.replace('.py:', ':')}")
    return value


def _window(value: object) -> object:
    value = _whole(value)
    if value is None or value == "free":
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise broken(f"must be a whole number or the word free, got {value!r}")
    if value < 1:
        raise broken(f"must be at least 1, got {value}")
    return value


def _json(value: JsonValue) -> JsonValue:
    if isinstance(value, float) and not math.isfinite(value):
        raise broken(f"must be finite, got {value}")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _json(item)
    return value


WHOLE = BeforeValidator(_whole)
"""Lets 1e3 stand for 1000; comes after the limits, or the JSON Schema loses them."""

Text = Annotated[str, Field(min_length=1)]
StoreUri = Annotated[str, Field(min_length=1), BeforeValidator(_store_uri)]
Mirror = Annotated[
    str,
    BeforeValidator(_mirror),
    WithJsonSchema({"type": "string", "pattern": r"^https?://[^/?#@\s]+(/[^?#@\s]*)?$"}),
]
ArtifactPlace = Annotated[
    str, Field(min_length=1, examples=["mlruns", "s3://bucket/path"]), BeforeValidator(_artifact_place)
]
VariableName = Annotated[str, Field(pattern=VARIABLE_NAME)]
Name = Annotated[str, Field(pattern=NAME, max_length=250)]
ModelName = Annotated[str, Field(pattern=MODEL_NAME, max_length=250)]
Alias = Annotated[str, Field(pattern=ALIAS, max_length=250)]
StepName = Annotated[str, Field(pattern=STEP_NAME)]
DottedPath = Annotated[str, Field(pattern=DOTTED_PATH, examples=["sklearn.svm.SVC"])]
CallablePath = Annotated[
    str, Field(pattern=CALLABLE_PATH, examples=["train:objective"]), BeforeValidator(_callable_path)
]
DataPath = Annotated[
    str, BeforeValidator(_data_path), WithJsonSchema({"type": "string", "pattern": r"\.(csv|parquet)$"})
]
Seed = Annotated[int, Field(ge=0, lt=2**32), WHOLE]
Scalar = Annotated[bool | int | float | str | None, BeforeValidator(_scalar)]
Option = Annotated[JsonValue, BeforeValidator(_json)]

Duration = Annotated[
    float,
    BeforeValidator(_seconds),
    Field(gt=0),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {
                    "type": "string",
                    "pattern": r"^(?=.)(\d+d)?(\d+h)?(\d+m)?(\d+s)?$",
                    "examples": ["90s", "10m", "1h30m"],
                },
            ]
        }
    ),
]

Memory = Annotated[
    int,
    BeforeValidator(_bytes),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": LEAST_MEMORY},
                {
                    "type": "string",
                    "pattern": r"^\d+(\.\d+)? ?[KkMmGgTt][Ii]?[Bb]$",
                    "examples": ["512MiB", "4GiB"],
                },
            ]
        }
    ),
]

Size = Annotated[
    int,
    BeforeValidator(_size),
    Field(ge=0),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": r"^\d+(\.\d+)? ?[KkMmGgTt][Ii]?[Bb]$", "examples": ["10MiB"]},
            ]
        }
    ),
]

TestPart = Annotated[
    float | str,
    BeforeValidator(_test_part),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
                {"type": "string", "pattern": r"\.(csv|parquet)$"},
            ]
        }
    ),
]

ScoredOn = Annotated[
    bool | str,
    BeforeValidator(_scored_on),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": CALLABLE_PATH}]}),
]

HolderOf = Annotated[
    int | str,
    BeforeValidator(_holder_of),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": ALIAS}, {"type": "integer", "minimum": 1}]}),
]

WindowSize = Annotated[
    int | Literal["free"],
    BeforeValidator(_window),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "free"}]}),
]


def listed(value: object) -> object:
    """The value as a list of one where it is a single value."""
    return [value] if isinstance(value, str | int | float | None) else value
