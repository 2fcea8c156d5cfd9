"""The trials of a sweep by which parameters they have: all of them, and each part in which further ones are active."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from hpo.space import Params, Space, Value, same_value

NEEDED = 10
"""How many complete trials it takes to say anything of a branch."""
_MANY = 20
"""A parameter with more values than this is none that switches others on."""


@dataclass(frozen=True)
class Branch:
    """Some of a list of trials, by position, and the parameters that every one of them has.

    `name` says when these are active, as `clf = svc`; '' for the branch of all trials.
    """

    name: str
    members: Sequence[int]
    parameters: Sequence[str]


def branches(points: Sequence[Params], space: Space | None = None) -> list[Branch]:
    """One branch for all points, where they have a parameter in common, and one for each part of them that has more.

    Branches overlap: what is active under two conditions at once has a branch within that of the first. Conditions are
    named as the space has them, and without one by the values that distinguish the points with a parameter from those
    without.
    """
    having: dict[str, frozenset[int]] = {}
    seen = dict.fromkeys(name for point in points for name in point)
    listed = [p.name for p in space.parameters if p.name in seen] if space else []
    for name in dict.fromkeys([*listed, *seen]):
        having[name] = frozenset(at for at, point in enumerate(points) if name in point)
    conditions = {p.name: _as_text(p.when) for p in space.parameters if p.when} if space else {}
    found = []
    for members in sorted(set(having.values()), key=len, reverse=True):
        names = [name for name, positions in having.items() if members <= positions]
        first = next(name for name in names if having[name] == members)
        everything = len(members) == len(points)
        label = "" if everything else conditions.get(first) or _distinction(first, points, having)
        found.append(Branch(label, sorted(members), names))
    order = list(having.values())
    return sorted(found, key=lambda branch: (bool(branch.name), order.index(frozenset(branch.members))))


def _as_text(when: Mapping[str, Sequence[Value]]) -> str:
    return " and ".join(f"{name} = {' | '.join(map(_value_text, values))}" for name, values in when.items())


def _value_text(value: Value) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value)


def _distinct(values: Iterable[Value]) -> list[Value]:
    return [value for _, value in dict.fromkeys((type(value), value) for value in values)]


def _distinction(name: str, points: Sequence[Params], having: Mapping[str, frozenset[int]]) -> str:
    """The values of another parameter, of as few as there are, that all points with this one have and no others."""
    members = having[name]
    found = (f"{name} is set", _MANY + 1)
    for other, positions in having.items():
        if members < positions:
            inside = _distinct(points[at][other] for at in sorted(members))
            outside = _distinct(points[at][other] for at in sorted(positions - members))
            count = len(inside) + len(outside)
            apart = count <= _MANY and not any(same_value(a, b) for a in inside for b in outside)
            found = min(found, (_as_text({other: inside}), count), key=itemgetter(1)) if apart else found
    return found[0]
