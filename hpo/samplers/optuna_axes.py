"""A space in optuna's terms: a distribution for each searched parameter, and which of them are drawn together."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from hpo.space import Choice, Constant, FloatRange, IntRange, Parameter, Params, Space

Group = Mapping[str, BaseDistribution]


@dataclass(frozen=True)
class Axis:
    """One searched parameter as optuna sees it.

    Choices and steps are numbered: optuna takes `True`, `1` and `1.0` for one choice, and computes steps in binary.
    """

    parameter: Parameter
    distribution: BaseDistribution
    numbered: bool

    def encode(self, value: object) -> object:
        """The value optuna knows a value of ours by."""
        return self.parameter.domain.index(value) if self.numbered else value

    def decode(self, value: object) -> object:
        """Our value, to be conformed, for one of optuna's."""
        return self.parameter.domain.at(int(value)) if self.numbered else value  # type: ignore[call-overload]  # an int


def axes(space: Space) -> dict[str, Axis]:
    """The axes of a space by name; parameters with a single value are none."""
    return {p.name: _axis(p) for p in space.parameters if p.domain.size != 1}


def encode(known: Mapping[str, Axis], params: Params) -> dict[str, object]:
    """The searched ones of these params as optuna knows them."""
    return {name: known[name].encode(value) for name, value in params.items() if name in known}


def unit_point(group: Group, encoded: Mapping[str, object]) -> list[float]:
    """Ranges of one group as cmaes sees them: from 0 at low to 1 at high, in the logarithm where the range has one."""
    point = []
    for name, distribution in group.items():
        if isinstance(distribution, FloatDistribution | IntDistribution):
            ends = (distribution.low, distribution.high, float(encoded[name]))  # type: ignore[arg-type]  # a range's
            low, high, value = map(math.log, ends) if distribution.log else ends
            point.append((value - low) / (high - low))
    return point


def grouped_by_conditions(known: Mapping[str, Axis]) -> list[Group]:
    """Parameters under the same conditions, which are all active or all inactive, side by side."""
    groups: dict[str, dict[str, BaseDistribution]] = {}
    for name, axis in known.items():
        conditions = repr(sorted(axis.parameter.when.items(), key=lambda condition: condition[0]))
        groups.setdefault(conditions, {})[name] = axis.distribution
    return list(groups.values())


def always_active(known: Mapping[str, Axis], *, numeric: bool = False) -> list[Group]:
    """The parameters without conditions as one group; of these only the ranges where `numeric`."""
    chosen = (axis for axis in known.values() if not axis.parameter.when)
    return _one_group(axis for axis in chosen if not (numeric and isinstance(axis.parameter.domain, Choice)))


def everything(known: Mapping[str, Axis]) -> list[Group]:
    """All parameters as one group."""
    return _one_group(known.values())


def _one_group(chosen: Iterable[Axis]) -> list[Group]:
    group = {axis.parameter.name: axis.distribution for axis in chosen}
    return [group] if group else []


def _axis(parameter: Parameter) -> Axis:
    domain = parameter.domain
    if isinstance(domain, Choice | Constant):
        return Axis(parameter, CategoricalDistribution(tuple(range(domain.size))), numbered=True)
    if isinstance(domain, IntRange) and domain.log:
        return Axis(parameter, IntDistribution(domain.low, domain.high, log=True), numbered=False)
    if isinstance(domain, FloatRange) and domain.size is None:
        return Axis(parameter, FloatDistribution(domain.low, domain.high, log=domain.log), numbered=False)
    return Axis(parameter, IntDistribution(0, (domain.size or 1) - 1), numbered=True)
