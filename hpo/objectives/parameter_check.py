"""Whether every parameter of a space has a place in the estimator, under every choice that switches it on."""

import itertools
from collections.abc import Iterator, Mapping

from hpo.objectives.model_plan import Estimator, ModelPlan
from hpo.objectives.nearest import did_you_mean
from hpo.space import Choice, Constant, Parameter, Space, Value

COMBINATIONS = 1000
"""How many combinations of components are tried at most; far more than any real space has."""


def parameter_problems(plan: ModelPlan, space: Space) -> list[str]:
    """One line for each parameter that `set_params` would refuse, with the nearest and all right names."""
    missing = [name for name in plan.components if all(p.name != name for p in space.parameters)]
    problems = {name: f"parameters: the component {name!r} is no parameter of the space" for name in missing}
    for chosen in itertools.islice(_combinations(plan, space), COMBINATIONS):
        placed: dict[str, Value] = {}
        estimator = plan.build(placed, seed=0)
        for name in sorted(chosen, key=lambda name: name.count("__")):  # an outer one before what stands inside it
            if name in estimator.get_params(deep=True):
                placed[name] = chosen[name]
                estimator = plan.build(placed, seed=0)
        known = estimator.get_params(deep=True)
        for parameter in space.parameters:
            name = parameter.name
            if name not in known and name not in problems and _can_be_active(parameter, chosen, plan, space):
                problems[name] = _problem(name, chosen, estimator)
    return list(problems.values())


def resource_problems(plan: ModelPlan, space: Space, param: str) -> list[str]:
    """What is wrong with the param that grows within a trial: no choice of components has it."""
    known: list[str] = []
    for chosen in itertools.islice(_combinations(plan, space), COMBINATIONS):
        names = plan.build(chosen, seed=0).get_params(deep=True)
        if param in names:
            return []
        known += names
    hint = did_you_mean(param, dict.fromkeys(known))
    return [f"resource.param: the estimator has no parameter {param!r}{hint}"]


def _combinations(plan: ModelPlan, space: Space) -> Iterator[dict[str, Value]]:
    """The params of components alone, each way they can be chosen together."""
    components = [parameter for parameter in space.parameters if parameter.name in plan.components]
    choices = [_values(parameter) for parameter in components]
    seen = []
    for values in itertools.product(*choices):
        chosen: dict[str, Value] = {}
        for parameter, value in zip(components, values, strict=True):
            if _can_be_active(parameter, chosen, plan, space):
                chosen[parameter.name] = value
        if chosen not in seen:
            seen.append(chosen)
            yield chosen


def _values(parameter: Parameter) -> tuple[Value, ...]:
    domain = parameter.domain
    if isinstance(domain, Choice):
        return domain.choices
    return (domain.value,) if isinstance(domain, Constant) else ()


def _can_be_active(parameter: Parameter, chosen: Mapping[str, Value], plan: ModelPlan, space: Space) -> bool:
    """Whether the components chosen leave it possible; conditions on other parameters can always be met."""
    for name, values in parameter.when.items():
        if name in plan.components:
            if name not in chosen or chosen[name] not in values:
                return False
        elif not _can_be_active(space[name], chosen, plan, space):
            return False
    return True


def _problem(name: str, chosen: Mapping[str, Value], estimator: Estimator) -> str:
    known = estimator.get_params(deep=True)
    owner_name, _, _ = name.rpartition("__")
    while owner_name and owner_name not in known:
        owner_name = owner_name.rpartition("__")[0]
    owner = known[owner_name] if owner_name else estimator
    prefix = f"{owner_name}__" if owner_name else ""
    names = sorted(key for key in known if key.startswith(prefix) and "__" not in key[len(prefix) :])
    under = " with " + ", ".join(f"{key}: {value}" for key, value in chosen.items()) if chosen else ""
    return (
        f"parameters.{name}: {type(owner).__name__}{under} has no such parameter{did_you_mean(name, names)}; "
        f"it has {', '.join(names)}"
    )
