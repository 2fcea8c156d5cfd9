"""What differs between two environments, each thing by its name."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from hpo.provenance.changed import Changed, What, by_weight
from hpo.provenance.environment import Environment

LIKE_ENOUGH = 0.05
"""Two machines of one kind report memory that differs by less: firmware and kernel take their part first."""


def environment_changes(before: Environment, after: Environment) -> Sequence[Changed]:
    """Python, packages, variables and hardware that differ, in this order; within each by name.

    A package of one version that was installed from elsewhere counts: its source is what differs then.
    """
    return by_weight(
        [
            *_python(before, after),
            *_between("package", before.packages, after.packages),
            *_sources(before, after),
            *_between("thread/variable", before.variables, after.variables),
            *_between("thread/variable", before.threads, after.threads),
            *_hardware(before, after),
            *_libraries(before, after),
        ]
    )


def _python(before: Environment, after: Environment) -> Iterator[Changed]:
    old, new = (f"{each.implementation} {each.python}" for each in (before, after))
    if old != new:
        yield Changed("python", "version", old, new)


def _sources(before: Environment, after: Environment) -> Iterator[Changed]:
    for name in _names(before.sources, after.sources):
        old, new = (each.sources.get(name, "") for each in (before, after))
        if old != new and before.packages.get(name) == after.packages.get(name):
            yield Changed("package", name, old or "an index", new or "an index")


def _hardware(before: Environment, after: Environment) -> Iterator[Changed]:
    for name in ("machine", "cpu", "cores", "gpus", "platform"):
        old, new = (_text(getattr(each, name)) for each in (before, after))
        if old != new:
            yield Changed("hardware", name, old, new)
    if abs(before.memory - after.memory) > LIKE_ENOUGH * max(before.memory, after.memory):
        yield Changed("hardware", "memory", *(f"{each.memory / 2**30:.1f} GiB" for each in (before, after)))


def _libraries(before: Environment, after: Environment) -> Iterator[Changed]:
    """Only of those that were loaded in both: what was not looked at is not known to differ."""
    both = before.libraries.keys() & after.libraries.keys()
    yield from _between("hardware", *({name: each.libraries[name] for name in both} for each in (before, after)))


def _between(what: What, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Changed]:
    for name in _names(before, after):
        if before.get(name) != after.get(name):
            yield Changed(what, name, before.get(name, ""), after.get(name, ""))


def _names(before: Iterable[str], after: Iterable[str]) -> Sequence[str]:
    return sorted({*before, *after})


def _text(value: object) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
