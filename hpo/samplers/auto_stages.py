"""Which way of searching `auto` takes for which trials; light enough for whoever only wants to say so."""

from dataclasses import dataclass

from hpo.space import FloatRange, Space

SURROGATE_ENDS = 200
"""From this trial on a Gaussian process costs more than it gains, and an engine for large budgets goes on."""


@dataclass(frozen=True)
class Stage:
    """A way of searching and the first trial it is asked for."""

    kind: str
    first: int


def stages(space: Space) -> tuple[Stage, ...]:
    """The stages of a search in this space, in order.

    They depend on the space and on trial numbers alone: a larger budget goes on where a smaller one ended, and never
    changes a trial that was asked for before.
    """
    searched = [p for p in space.parameters if p.domain.size != 1]
    if not searched:
        return (Stage("sobol", 0),)
    is_continuous = all(isinstance(p.domain, FloatRange) and p.domain.step is None and not p.when for p in searched)
    tail = "cmaes" if is_continuous and len(searched) > 1 else "tpe"
    return Stage("sobol", 0), Stage("surrogate", start_length(len(searched))), Stage(tail, SURROGATE_ENDS)


def start_length(width: int) -> int:
    """How many quasi-random points come first, where so many parameters are searched."""
    return min(max(4, width + 1), 10)


_NAMES = {
    "sobol": "scrambled Sobol points",
    "surrogate": "a Gaussian process",
    "cmaes": "CMA-ES",
    "tpe": "TPE",
}


def choice_text(space: Space, *, several: bool = False) -> str:
    """What auto does in this space, for people, such as
    "scrambled Sobol points, from trial 5 a Gaussian process, from trial 200 TPE".

    By `several` metrics it is TPE from the start, since the process knows one value a trial.
    """
    if several:
        return "TPE, by all metrics"
    first, *others = stages(space)
    return ", ".join([_NAMES[first.kind], *(f"from trial {stage.first} {_NAMES[stage.kind]}" for stage in others)])
