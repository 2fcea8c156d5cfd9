"""The rules of points that are run first: each must be a point of the space, as far as it is given."""

from collections.abc import Iterator, Mapping, Sequence

from hpo.config.nearest import did_you_mean, shown
from hpo.config.parameters import Ranged, conditions_of, domain_of
from hpo.space import Choice, Constant, Domain, Value, same_value

At = tuple[str | int, ...]
Specs = Mapping[str, Ranged | Value]


def start_faults(
    start: Sequence[Mapping[str, Value]], specs: Specs, names: Sequence[str]
) -> Iterator[tuple[At, str, bool]]:
    """What is wrong with known points: where, in words, and whether the key is what is wrong.

    `names` are all parameters, `specs` those that are right by themselves.
    """
    for position, point in enumerate(start):
        for name, value in point.items():
            at = ("start", position, name)
            if name not in names:
                yield at, f"no parameter '{name}'{did_you_mean(name, names)}", True
            elif name in specs:
                domain = domain_of(specs[name])
                if not domain.contains(value):
                    yield at, f"{name} is never {shown(value)}{_possible(domain)}", False
                yield from ((at, text, True) for text in _inactive(name, point, specs))


def _inactive(name: str, point: Mapping[str, Value], specs: Specs) -> Iterator[str]:
    """Why a parameter that is given would not be searched at this point; what it depends on must be given too."""
    for other, wanted in conditions_of(specs[name]).items():
        if other not in specs:
            continue
        domain = domain_of(specs[other])
        values = ", ".join(map(shown, wanted))
        if other not in point and not isinstance(domain, Constant):
            yield f"is searched only where {other} is {values}: give {other} here too"
        else:
            value = domain.value if isinstance(domain, Constant) else point[other]
            if domain.contains(value) and not any(same_value(domain.conform(value), domain.conform(w)) for w in wanted):
                yield f"is searched only where {other} is {values}, and here it is {shown(value)}: remove it"


def _possible(domain: Domain) -> str:
    if isinstance(domain, Constant):
        return f"; it is always {shown(domain.value)}"
    if isinstance(domain, Choice):
        return f"; it is one of {', '.join(map(shown, domain.choices[:20]))}"
    step = "" if domain.step in (None, 1) else f" in steps of {domain.step:g}"
    return f"; it goes from {domain.low} to {domain.high}{step}"
