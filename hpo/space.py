"""The search space: named parameters, their domains, and when each is active."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

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

    @property
    def top(self) -> float:
        """The largest value that can be drawn: high, or the last step at or below it."""
        return self.high if self.step is None else self._stepped(self._steps())

    def conform(self, value: object) -> float:
        """The nearest allowed value as a plain float."""
        number = min(max(float(value), self.low), self.high)  # type: ignore[arg-type]  # numpy scalars too
        if self.step is None:
            return number
        return self._stepped(min(round((number - self.low) / self.step), self._steps()))

    def contains(self, value: object) -> bool:
        """Whether the value could have been drawn."""
        return _is_number(value) and math.isclose(self.conform(value), float(value), rel_tol=1e-9, abs_tol=1e-12)  # type: ignore[arg-type]

    def grid(self) -> Sequence[Value] | None:
        """All values in order, or None where there is no finite list of them."""
        return None if self.step is None else [self._stepped(k) for k in range(self._steps() + 1)]

    def _steps(self) -> int:
        step = self.step or math.inf
        return math.floor((self.high - self.low) / step + 1e-9)

    def _stepped(self, k: int) -> float:
        # 12 significant digits: 0.1 + 2 * 0.1 must be 0.3 for people and for duplicates alike
        return float(f"{self.low + k * (self.step or 0.0):.12g}")


@dataclass(frozen=True)
class IntRange:
    """Whole numbers from low to high, both included; with a step, low + k * step only."""

    low: int
    high: int
    log: bool = False
    step: int = 1

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, log=self.log, step=None if self.log and self.step == 1 else self.step)

    @property
    def top(self) -> int:
        """The largest value that can be drawn: high, or the last step at or below it."""
        return self.low + (self.high - self.low) // self.step * self.step

    def conform(self, value: object) -> int:
        """The nearest allowed value as a plain int."""
        number = min(max(float(value), self.low), self.top)  # type: ignore[arg-type]  # numpy scalars too
        return self.low + round((number - self.low) / self.step) * self.step

    def contains(self, value: object) -> bool:
        """Whether the value could have been drawn."""
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
            if any(same_value(choice, other) for other in self.choices[:position]):
                raise SpaceError(f"choices must differ from each other, got {choice!r} twice")

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
        return all(
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

        Example: `space.draw(lambda p: rng.choice(p.domain.grid()))`.
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
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_range(low: float, high: float, *, log: bool, step: float | None) -> None:
    if not (math.isfinite(low) and math.isfinite(high)):
        raise SpaceError(f"low and high must be finite, got low {low} and high {high}")
    if not low < high:
        raise SpaceError(f"low must be below high, got low {low:g} and high {high:g}")
    if log and low <= 0:
        raise SpaceError(f"low must be above 0 on a log scale, got low {low:g}")
    if log and step is not None:
        raise SpaceError(f"step and log: true exclude each other, got step {step:g}")
    if step is not None and not 0 < step <= high - low:
        raise SpaceError(f"step must be above 0 and at most high - low = {high - low:g}, got {step:g}")


def _dependencies_first(parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    by_name = {parameter.name: parameter for parameter in parameters}
    if len(by_name) < len(parameters):
        raise SpaceError("each parameter may be given once")
    for parameter in parameters:
        for name, values in parameter.when.items():
            if name not in by_name:
                raise SpaceError(f"{parameter.name}.when: no parameter {name!r}; there are {', '.join(by_name)}")
            for value in values:
                if not by_name[name].domain.contains(value):
                    raise SpaceError(f"{parameter.name}.when.{name}: {name} can never be {value!r}")
    ordered: dict[str, Parameter] = {}
    waiting = list(parameters)
    while waiting:
        ready = next((p for p in waiting if all(name in ordered for name in p.when)), None)
        if ready is None:
            raise SpaceError(f"when: {' and '.join(p.name for p in waiting)} wait for each other")
        ordered[ready.name] = ready
        waiting.remove(ready)
    return tuple(ordered.values())
