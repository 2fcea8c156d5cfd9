"""What a sweep file says of one parameter: a range, a choice or a constant."""

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from hpo.config.fields import WHOLE, DottedPath, Name, Scalar, Section, broken, listed
from hpo.errors import SpaceError
from hpo.space import Choice, Constant, Domain, FloatRange, IntRange, Value, same_value

EXACT = 2**53
"""The whole numbers up to here are exact as floats, which is what engines compute with."""

CHOICE_KEYS = frozenset({"choices", "values", "value", "options", "categories", "choice"})
CHOICE_TYPES = frozenset({"categorical", "choice", "choices", "category", "enum", "str", "string", "bool", "boolean"})
"""Keys and types by which a mapping shows that a choice is meant, ours or not."""

_Values = Annotated[
    list[Scalar],
    Field(min_length=1),
    BeforeValidator(listed, json_schema_input_type=Scalar | Annotated[list[Scalar], Field(min_length=1)]),
]


class _Conditional(Section):
    when: dict[Name, _Values] = Field(default={})
    """Searched only in trials where each of these other parameters has the value, or one of the values, given here."""


class FloatParameter(_Conditional):
    """A real number from a range."""

    type: Literal["float"]
    """Real numbers."""
    low: float
    """The smallest value."""
    high: float
    """The largest value."""
    log: bool = False
    """Search on a logarithmic scale; needs low above 0."""
    step: float | None = None
    """Only low, low + step, low + 2 step, ...; not together with log."""

    @property
    def domain(self) -> FloatRange:
        """The range as the search knows it."""
        return FloatRange(self.low, self.high, log=self.log, step=self.step)

    @model_validator(mode="after")
    def _follows_the_rules(self) -> "FloatParameter":
        if not math.isfinite(self.high - self.low):
            raise broken(f"high - low must be finite, got low {self.low:g} and high {self.high:g}", "low")
        _check_domain(self)
        if self.step is not None and not (self.high - self.low) / self.step < EXACT:
            raise broken(f"step is too small for this range, got {self.step:g}", "step")
        return self


class IntParameter(_Conditional):
    """A whole number from a range."""

    type: Literal["int"]
    """Whole numbers."""
    low: Annotated[int, Field(ge=-EXACT, le=EXACT), WHOLE]
    """The smallest value."""
    high: Annotated[int, Field(ge=-EXACT, le=EXACT), WHOLE]
    """The largest value."""
    log: bool = False
    """Search on a logarithmic scale; needs low above 0."""
    step: Annotated[int, WHOLE] = 1
    """Only low, low + step, low + 2 step, ...; not together with log."""

    @property
    def domain(self) -> IntRange:
        """The range as the search knows it."""
        return IntRange(self.low, self.high, log=self.log, step=self.step)

    @model_validator(mode="after")
    def _follows_the_rules(self) -> "IntParameter":
        _check_domain(self)
        return self


def _shape_of_choices(value: object) -> str:
    return "(mapping)" if isinstance(value, Mapping) else "(list)"


class ChoiceParameter(_Conditional):
    """One of several values."""

    choices: Annotated[
        Annotated[list[Scalar], Field(min_length=1), Tag("(list)")]
        | Annotated[dict[Name, DottedPath], Field(min_length=1), Tag("(mapping)")],
        Discriminator(_shape_of_choices),
    ]
    """The values; or names with the dotted path each stands for, to search over estimators of a pipeline's step."""

    @property
    def domain(self) -> Choice:
        """The choices as the search knows them: the names, where they stand for dotted paths."""
        return Choice(tuple(self.choices))

    @model_validator(mode="after")
    def _follows_the_rules(self) -> "ChoiceParameter":
        values = list(self.choices)
        for position, value in enumerate(values):
            if any(same_value(value, other) for other in values[:position]):
                raise broken(f"choices must differ from each other, got {value!r} twice", "choices", position)
        return self


def _kind(value: object) -> str:
    """Which kind of parameter is meant, wrong spellings included: it decides what a mistake is compared with."""
    if isinstance(value, FloatParameter):
        return "(float)"
    if isinstance(value, IntParameter):
        return "(int)"
    if isinstance(value, ChoiceParameter | list):
        return "(choice)"
    if not isinstance(value, Mapping):
        return "(constant)"
    named = value.get("type")
    if isinstance(named, str) and named in ("float", "int"):
        return f"({named})"
    is_choice = not CHOICE_KEYS.isdisjoint(value) or (isinstance(named, str) and named in CHOICE_TYPES)
    return "(choice)" if is_choice else "(float)"


def _check_domain(parameter: FloatParameter | IntParameter) -> None:
    try:
        _ = parameter.domain
    except SpaceError as error:
        message = str(error)
        raise broken(message, "step" if message.startswith("step") else "low") from error


def _from_list(value: object) -> object:
    return {"choices": value} if isinstance(value, list) else value


ParameterSpec = Annotated[
    Annotated[FloatParameter, Tag("(float)")]
    | Annotated[IntParameter, Tag("(int)")]
    | Annotated[
        ChoiceParameter,
        BeforeValidator(_from_list, json_schema_input_type=ChoiceParameter | list[Scalar]),
        Tag("(choice)"),
    ]
    | Annotated[Scalar, Tag("(constant)")],
    Discriminator(_kind),
]
"""How one parameter is written; the tags stand in no file, the brackets keep them apart from keys."""

KINDS: Mapping[str, type[Section]] = {"(float)": FloatParameter, "(int)": IntParameter, "(choice)": ChoiceParameter}

Ranged = FloatParameter | IntParameter | ChoiceParameter


def domain_of(spec: Ranged | Value) -> Domain:
    """What values the parameter can have."""
    return spec.domain if isinstance(spec, Ranged) else Constant(spec)


def conditions_of(spec: Ranged | Value) -> Mapping[str, list[Value]]:
    """On which values of which parameters it depends."""
    return spec.when if isinstance(spec, Ranged) else {}
