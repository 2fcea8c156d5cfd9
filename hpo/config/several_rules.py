"""The rules of sweeps by several metrics: what serves them, and what asks for the one best trial they do not have."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hpo.config.metrics_fields import Pick
from hpo.config.nearest import did_you_mean

At = tuple[str | int, ...]

SERVED: Mapping[str, Sequence[str]] = {
    "optuna": ("tpe", "nsga2", "qmc", "random", "grid"),
    "hyperopt": ("random", "grid"),
    "auto": ("auto",),
}
"""The samplers of each engine that search by several metrics, or learn from none."""
UNSERVED: Mapping[str, str] = {
    "pruner": "a pruner judges trials on their way by one metric",
    "warm_start": "trials of earlier sweeps are ranked by one metric",
}
"""Sections for one metric alone, and why."""


@dataclass(frozen=True)
class MetricGiven:
    """A metric of the file and its place."""

    at: At
    name: str
    goal: str


@dataclass(frozen=True)
class SeveralFacts:
    """What is known of a sweep by several metrics; None where a section is missing or wrong.

    `given` are those of the sections in `UNSERVED` that the file has.
    """

    has_metric: bool = True
    has_both: bool = False
    is_several: bool = False
    engine: str | None = None
    sampler: str | None = None
    pick: Pick | None = None
    given: Sequence[str] = ()


def several_faults(
    facts: SeveralFacts, metrics: Sequence[MetricGiven], registers: bool, better_than: object
) -> Iterator[tuple[At, str, bool]]:
    """What is wrong: where, in words, and whether the key is what is wrong."""
    if not facts.has_metric:
        yield (), "missing key 'metric'", False
    elif facts.has_both:
        yield ("metrics",), "give metric (one) or metrics (several), not both", True
    elif facts.is_several:
        names = [metric.name for metric in metrics]
        for metric, name, before in zip(metrics, names, range(len(names)), strict=True):
            if name in names[:before]:
                yield (*metric.at, "name"), f"each metric may be named once, got '{name}' twice", False
        yield from _unserved(facts)
        yield from _registering(facts.pick, names, registers, better_than)
    elif facts.pick is not None:
        yield ("register", "pick"), "chooses among trials by several metrics, and there is one: remove it", True


def _unserved(facts: SeveralFacts) -> Iterator[tuple[At, str, bool]]:
    able = SERVED.get(facts.engine or "", ())
    if facts.engine is not None and facts.sampler not in able:
        more = "" if facts.engine == "optuna" else "; optuna has tpe and nsga2, which learn from all of them"
        instead = f"; several are searched by {', '.join(able)}" if able else ""
        text = f"{facts.engine}'s {facts.sampler} searches by one metric{instead}{more}"
        yield ("engine", "sampler"), text, False
    for key in facts.given:
        yield (key,), f"{UNSERVED[key]}, and here there are several: remove it, or write metric:", True


def _registering(
    pick: Pick | None, names: Sequence[str], registers: bool, better_than: object
) -> Iterator[tuple[At, str, bool]]:
    if registers and pick is None:
        example = names[0] if names else "NAME"
        text = (
            "with several metrics no trial is the best one: say which of the front is meant, "
            f"pick: {{metric: {example}}}, pick: knee, or pick: {{lexicographic: [..]}}"
        )
        yield ("register",), text, True
    if pick is None:
        return
    if better_than is not None and pick.knee:
        text = "in which metric? pick: knee does not say; use pick: {metric: ..} or {lexicographic: [..]}"
        yield ("register", "better_than"), text, True
    named = list(pick.names)
    for position, (at, name) in enumerate(named):
        if names and name not in names:
            text = f"'{name}' is not among metrics: {', '.join(names)}{did_you_mean(name, names)}"
            yield ("register", "pick", *at), text, False
        elif name in [other for _, other in named[:position]]:
            yield ("register", "pick", *at), f"each metric decides once, got '{name}' twice", False
