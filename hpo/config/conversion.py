"""What a configuration means to the rest: its space, its components, and the hash of what decides its trials."""

import hashlib
import json
from collections.abc import Mapping

from hpo.config.parameters import ChoiceParameter, conditions_of, domain_of
from hpo.config.schema import SweepConfig
from hpo.config.secrets_in_file import without_secrets
from hpo.constraints import Constraint, constraint_of
from hpo.space import Choice, Constant, Domain, FloatRange, IntRange, Parameter, Space, Value


def space_of(config: SweepConfig) -> Space:
    """The space the sweep searches."""
    return Space(
        tuple(Parameter(name, domain_of(spec), when=conditions_of(spec)) for name, spec in config.parameters.items())
    )


def start_of(config: SweepConfig) -> list[dict[str, Value]]:
    """The points that are run first, typed as the space has them; constants are left out."""
    space = space_of(config)
    return [
        {
            parameter.name: parameter.domain.conform(point[parameter.name])
            for parameter in space.parameters
            if parameter.name in point and not isinstance(parameter.domain, Constant)
        }
        for point in config.start
    ]


def constraints_of(config: SweepConfig) -> tuple[Constraint, ...]:
    """The sweep's constraints, on params and on metrics."""
    return tuple(map(constraint_of, config.constraints))


def components_of(config: SweepConfig) -> Mapping[str, Mapping[str, str]]:
    """For each parameter whose choices stand for estimators: the dotted path of each choice."""
    return {
        name: dict(spec.choices)
        for name, spec in config.parameters.items()
        if isinstance(spec, ChoiceParameter) and isinstance(spec.choices, Mapping)
    }


def canonical(config: SweepConfig) -> str:
    """What decides the sweep's trials and what they mean, as strict JSON that is the same for the same meaning.

    Defaults are filled in. Left out is what only cuts the sequence of trials (budget, metric.target), where and how
    fast they run (n_jobs, backend, inner_threads: they matter through the window alone), and what is done with them
    (name, experiment, description, tags, tracker, register). So a sweep may go on with a larger budget, on another
    machine, with its results kept elsewhere, and still be the same sweep. Secrets are masked: another password is the
    same sweep. The order of parameters and of choices stays in: samplers draw in that order. What was not always there
    is in where it is given: objective.timeout and .memory, which decide which trials fail, and so what later ones are
    drawn from; a pruner, and what grows within a trial; constraints; points to start with, earlier sweeps, duplicates,
    replicates.
    """
    config = without_secrets(config)
    document = {
        "version": config.version,
        **_metrics(config),
        "objective": _objective(config),
        "parameters": [_parameter(parameter, config) for parameter in space_of(config).parameters],
        "engine": config.engine.model_dump(mode="json"),
        **({"pruner": config.pruner.model_dump(mode="json")} if config.pruner else {}),
        **_search(config),
        "window": config.parallel.rolling_window or "free",
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def config_hash(config: SweepConfig) -> str:
    """The sha256 of `canonical`, in hex: equal for two files exactly if they make the same trials."""
    return hashlib.sha256(canonical(config).encode()).hexdigest()


def _metrics(config: SweepConfig) -> dict[str, object]:
    """What is searched by; `reference` only measures what came of it."""
    given = [{"name": name, "goal": goal.value} for name, goal in config.goals.items()]
    return {"metrics": given} if config.metrics else {"metric": given[0]}


def _search(config: SweepConfig) -> dict[str, object]:
    """What else decides trials, as far as it is asked for."""
    start = start_of(config)
    return {
        **({"constraints": list(config.constraints)} if config.constraints else {}),
        **({"start": start} if start else {}),
        **({"warm_start": config.warm_start.model_dump(mode="json", by_alias=True)} if config.warm_start else {}),
        **({"duplicates": config.duplicates} if config.duplicates != "replicate" else {}),
        **({"replicates": config.replicates.model_dump(mode="json")} if config.replicates else {}),
    }


def _objective(config: SweepConfig) -> dict[str, object]:
    objective = config.objective
    limits = {key: getattr(objective, key) for key in objective.limits}
    if objective.command is not None:
        told = objective.metrics.model_dump(mode="json", exclude_none=True) if objective.metrics else {"stdout": "json"}
        given = {"cwd": objective.cwd, "env": objective.env}
        command = {"command": objective.command, "metrics": told}
        return {**command, **{key: value for key, value in given.items() if value}, **limits}
    if objective.sklearn is None:
        return {"python": objective.python, **limits}
    absent = set() if objective.sklearn.resource else {"resource"}  # so that older sweeps are what they were
    sklearn = objective.sklearn.model_dump(mode="json", exclude=absent)
    return {"sklearn": {**sklearn, "scoring": list(config.scorers)}, **limits}


def _parameter(parameter: Parameter, config: SweepConfig) -> dict[str, object]:
    components = components_of(config).get(parameter.name)
    return {
        "name": parameter.name,
        **_domain(parameter.domain),
        **({"components": list(components.items())} if components else {}),
        "when": {name: list(values) for name, values in parameter.when.items()},
    }


def _domain(domain: Domain) -> dict[str, object]:
    if isinstance(domain, FloatRange | IntRange):
        kind = "float" if isinstance(domain, FloatRange) else "int"
        return {"type": kind, "low": domain.low, "high": domain.high, "log": domain.log, "step": domain.step}
    if isinstance(domain, Choice):
        return {"type": "choice", "choices": list(domain.choices)}
    return {"type": "constant", "value": domain.value}
