"""The search space: named parameters, their domains, and when each is active."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property

from hpo.errors import SpaceError

Value = str | int | float | bool | None
Params = Mapping[str, Value]


def same_value(left: object, right: object) -> bool:
    """Whether two choices are one value; `True`, `1` and `1.0` are three different values."""
    return type(left) is type(right) and left == right


@dataclass(frozen=True)
class FloatRange:
    """Real numbers from low to high, both included; with a step, low + k * step only."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, log=self.log, step=self.step)
        # `low: 1` in a file is an int, and min and max hand their arguments through
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))

    @property
    def top(self) -> float:
        """The largest value that can be drawn: high, or the last step at or below it."""
        return self.high if self.size is None else self.at(self.size - 1)

    @cached_property
    def size(self) -> int | None:
        """How many values there are, or None where there is no finite list of them."""
        if self.step is None:
            return None
        return int((Decimal(str(self.high)) - Decimal(str(self.low))) // Decimal(str(self.step))) + 1

    def at(self, index: int) -> float:
        """The value `index` steps above low."""
        # in decimal, as people read it: 0.1 + 2 * 0.1 is 0.3
        return float(Decimal(str(self.low)) + index * Decimal(str(self.step or 0.0)))

    def index(self, value: object) -> int:
        """How many steps the nearest allowed value lies above low."""
        number = min(max(_number(value), self.low), self.high)
        return min(round((number - self.low) / (self.step or math.inf)), (self.size or 1) - 1)

    def conform(self, value: object) -> float:
        """The nearest allowed value as a plain float; SpaceError where the value is no number."""
        if self.step is None:
            return min(max(_number(value), self.low), self.high)
        return self.at(self.index(value))

    def contains(self, value: object) -> bool:
        """Whether the value could have been drawn; an int counts as the float it equals."""
        if not _is_number(value) or not self.low <= value <= self.high:  # type: ignore[operator]  # just checked
            return False
        return self.step is None or abs(self.conform(value) - _number(value)) <= 1e-9 * self.step

    def grid(self) -> Sequence[Value] | None:
        """All values in order, or None where there is no finite list of them."""
        return None if self.size is None else [self.at(index) for index in range(self.size)]


@dataclass(frozen=True)
class IntRange:
    """Whole numbers from low to high, both included; with a step, low + k * step only."""

    low: int
    high: int
    log: bool = False
    step: int = 1

    def __post_init__(self) -> None:
        for name, value in (("low", self.low), ("high", self.high), ("step", self.step)):
            if type(value) is not int:
                raise SpaceError(f"{name} of an int range must be a whole number, got {value!r}")
        _check_range(self.low, self.high, log=self.log, step=None if self.log and self.step == 1 else self.step)

    @property
    def top(self) -> int:
        """The largest value that can be drawn: high, or the last step at or below it."""
        return self.at(self.size - 1)

    @property
    def size(self) -> int:
        """How many values there are."""
        return (self.high - self.low) // self.step + 1

    def at(self, index: int) -> int:
        """The value `index` steps above low."""
        return self.low + index * self.step

    def index(self, value: object) -> int:
        """How many steps the nearest allowed value lies above low."""
        # ints stay ints: above 2**53 a float would hit the neighbour
        number = value if isinstance(value, int) else _number(value)
        steps, rest = divmod(min(max(number, self.low), self.top) - self.low, self.step)
        return int(steps) + (2 * rest > self.step)

    def conform(self, value: object) -> int:
        """The nearest allowed value as a plain int; SpaceError where the value is no number."""
        return self.at(self.index(value))

    def contains(self, value: object) -> bool:
        """Whether the value could have been drawn; a float counts as the int it equals."""
        return _is_number(value) and self.conform(value) == value

    def grid(self) -> Sequence[Value]:
        """All values in order."""
        return range(self.low, self.top + 1, self.step)


@dataclass(frozen=True)
class Choice:
    """One of a list of values, in no order."""

    choices: tuple[Value, ...]

    def __post_init__(self) -> None:
        if not self.choices:
            raise SpaceError("choices must name at least one value, got an empty list")
        for position, choice in enumerate(self.choices):
            _check_value(choice)
            if any(same_value(choice, other) for other in self.choices[:position]):
                raise SpaceError(f"choices must differ from each other, got {choice!r} twice")

    @property
    def size(self) -> int:
        """How many choices there are."""
        return len(self.choices)

    def at(self, index: int) -> Value:
        """The choice at a position of the list, counted from 0."""
        return self.choices[index]

    def index(self, value: object) -> int:
        """The position of a value, by type and value; SpaceError where it is none of the choices."""
        for position, choice in enumerate(self.choices):
            if same_value(choice, value):
                return position
        raise SpaceError(f"{value!r} is not one of {list(self.choices)!r}")

    def conform(self, value: object) -> Value:
        """The very value that was listed; SpaceError where it is none of the choices."""
        return self.choices[self.index(value)]

    def contains(self, value: object) -> bool:
        """Whether the value is one of the choices."""
        return any(same_value(choice, value) for choice in self.choices)

    def grid(self) -> Sequence[Value]:
        """All choices as listed."""
        return self.choices


@dataclass(frozen=True)
class Constant:
    """One fixed value, recorded with every trial and never searched."""

    value: Value

    def __post_init__(self) -> None:
        _check_value(self.value)

    @property
    def size(self) -> int:
        """Always 1."""
        return 1

    def at(self, index: int) -> Value:  # noqa: ARG002  # one shape for all domains
        """The constant."""
        return self.value

    def index(self, value: object) -> int:  # noqa: ARG002  # one shape for all domains
        """Always 0."""
        return 0

    def conform(self, value: object) -> Value:  # noqa: ARG002  # one shape for all domains
        """The constant, whatever was drawn."""
        return self.value

    def contains(self, value: object) -> bool:
        """Whether the value is the constant."""
        return same_value(value, self.value)

    def grid(self) -> Sequence[Value]:
        """The constant alone."""
        return (self.value,)


Domain = FloatRange | IntRange | Choice | Constant


@dataclass(frozen=True)
class Parameter:
    """A named domain, active only where every parameter in `when` has one of the values listed for it."""

    name: str
    domain: Domain
    when: Mapping[str, Sequence[Value]] = field(default_factory=dict)

    def is_active(self, params: Params) -> bool:
        """Whether the values drawn so far switch this parameter on."""
        return not self.when or all(
            name in params and any(same_value(params[name], value) for value in values)
            for name, values in self.when.items()
        )


@dataclass(frozen=True)
class Space:
    """Parameters, each after those it depends on; otherwise in the order given."""

    parameters: tuple[Parameter, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", _dependencies_first(self.parameters))

    def __getitem__(self, name: str) -> Parameter:
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise SpaceError(f"no parameter {name!r}; there are {', '.join(p.name for p in self.parameters)}")

    def draw(self, value_of: Callable[[Parameter], object]) -> dict[str, Value]:
        """Typed params: asks `value_of` for each active parameter in turn and conforms what it answers.

        Example: `space.draw(lambda p: p.domain.at(0))`.
        """
        params: dict[str, Value] = {}
        for parameter in self.parameters:
            if parameter.is_active(params):
                domain = parameter.domain
                params[parameter.name] = (
                    domain.value if isinstance(domain, Constant) else domain.conform(value_of(parameter))
                )
        return params

    def contains(self, params: Params) -> bool:
        """Whether these params are a point of this space: the active parameters, no others, allowed values."""
        active = [p for p in self.parameters if p.is_active(params)]
        return {p.name for p in active} == set(params) and all(p.domain.contains(params[p.name]) for p in active)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _number(value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]  # numpy scalars too
    except (TypeError, ValueError, OverflowError) as error:
        raise SpaceError(f"{value!r} is not a number") from error
    if math.isnan(number):
        raise SpaceError("a range holds numbers, got NaN")
    return number


def _check_value(value: object) -> None:
    # exact types: a subclass, as numpy's or a YAML reader's, would not survive JSON as the same value
    if type(value) not in (str, int, float, bool, type(None)):
        raise SpaceError(f"a value must be a string, number, true, false or null, got {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise SpaceError(f"a value must be finite, got {value}")


def _check_range(low: float, high: float, *, log: bool, step: float | None) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and math.isfinite(high - low)):
        raise SpaceError(f"low, high and the width between them must be finite, got low {low} and high {high}")
    if not low < high:
        raise SpaceError(f"low must be below high, got low {low} and high {high}")
    if log and low <= 0:
        raise SpaceError(f"low must be above 0 on a log scale, got low {low}")
    if log and step is not None:
        raise SpaceError(f"step and log: true exclude each other, got step {step}")
    width = Decimal(str(high)) - Decimal(str(low))  # in binary, 0.009 - 0.002 is less than 0.007
    if step is not None and not (math.isfinite(step) and 0 < Decimal(str(step)) <= width):
        raise SpaceError(f"step must be above 0 and at most high - low = {width}, got {step}")


def _dependencies_first(parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    by_name: dict[str, Parameter] = {}
    for parameter in parameters:
        if parameter.name in by_name:
            raise SpaceError(f"each parameter may be given once, got {parameter.name!r} twice")
        by_name[parameter.name] = parameter
    ordered: dict[str, Parameter] = {}
    waiting = [_with_typed_when(parameter, by_name) for parameter in parameters]
    while waiting:
        ready = next((p for p in waiting if all(name in ordered for name in p.when)), None)
        if ready is None:
            if len(waiting) == 1:
                raise SpaceError(f"when: {waiting[0].name} waits for itself")
            raise SpaceError(f"when: {' and '.join(p.name for p in waiting)} wait for each other")
        ordered[ready.name] = ready
        waiting.remove(ready)
    return tuple(ordered.values())


def _with_typed_when(parameter: Parameter, by_name: Mapping[str, Parameter]) -> Parameter:
    """The parameter with the values of its conditions as they will be drawn: `1` for a float range becomes `1.0`."""
    typed = {}
    for name, values in parameter.when.items():
        if name not in by_name:
            raise SpaceError(f"{parameter.name}.when: no parameter {name!r}; there are {', '.join(by_name)}")
        if not values:
            raise SpaceError(f"{parameter.name}.when.{name} must list at least one value of {name}, got none")
        domain = by_name[name].domain
        for value in values:
            if not domain.contains(value):
                raise SpaceError(f"{parameter.name}.when.{name}: {name} can never be {value!r}")
        typed[name] = tuple(domain.conform(value) for value in values)
    return replace(parameter, when=typed)
