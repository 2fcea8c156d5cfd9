"""Params of many trials as columns of numbers, which is how importance is computed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpo.space import Choice, Constant, Domain, Params, Space, Value

_WIDE = 1000
"""Positive numbers of which the largest is so many times the smallest were searched by magnitude, most likely."""


@dataclass(frozen=True)
class Column:
    """One parameter: the position of each trial's choice, of `choices`; without these a place from 0 to 1.

    None where a trial does not have the parameter.
    """

    values: Sequence[float | None]
    choices: int | None = None


def columns(points: Sequence[Params], space: Space | None = None) -> dict[str, Column]:
    """A column for each parameter, on the scale on which the space searches it.

    Without a space, or where a value is not of it, numbers (and texts that are numbers) stand between the smallest and
    the largest, by their logarithms where they are positive and spread over three magnitudes; texts are choices.
    """
    domains: Mapping[str, Domain] = {p.name: p.domain for p in space.parameters} if space else {}
    found = {}
    for name in dict.fromkeys(name for point in points for name in point):
        values = [point.get(name) for point in points]
        present = [name in point for point in points]
        domain = domains.get(name)
        if domain is not None and all(domain.contains(v) for v, there in zip(values, present, strict=True) if there):
            found[name] = _known(domain, values, present)
        else:
            found[name] = _guessed(values, present)
    return found


def _known(domain: Domain, values: Sequence[Value], present: Sequence[bool]) -> Column:
    pairs = list(zip(values, present, strict=True))
    if isinstance(domain, Choice | Constant):
        return Column([domain.index(value) if there else None for value, there in pairs], domain.size)
    scale = _Scale(domain.low, domain.high, log=domain.log)
    return Column([scale.place(float(value)) if there else None for value, there in pairs])  # type: ignore[arg-type]  # of a range


def _guessed(values: Sequence[Value], present: Sequence[bool]) -> Column:
    numbers = [_number(value) if there else None for value, there in zip(values, present, strict=True)]
    known = [number for number in numbers if number is not None]
    if len(known) == sum(present):
        low, high = min(known), max(known)
        scale = _Scale(low, high, log=low > 0 and high / low >= _WIDE)
        return Column([None if number is None else scale.place(number) for number in numbers])
    texts = [str(value) if there else None for value, there in zip(values, present, strict=True)]
    choices = sorted({text for text in texts if text is not None})
    return Column([None if text is None else choices.index(text) for text in texts], len(choices))


def _number(value: Value) -> float | None:
    """A finite number, or a text that is one."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    log: bool

    def place(self, value: float) -> float:
        """Where a value lies between low (0) and high (1); 0 where these are one."""
        low, high, value = map(math.log, (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        return min(max((value - low) / (high - low), 0.0), 1.0) if high > low else 0.0
