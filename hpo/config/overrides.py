"""`-S dotted.key=value`: changes to what a sweep file says, before it is judged."""

from hpo.config.problems import Place, Problem, Unreadable
from hpo.config.source import Entry, ListNode, MappingNode, Node, ScalarNode, parse


def override(root: MappingNode, text: str, rank: int) -> list[Problem]:
    """Sets one key, making the mappings that lead to it; the problems where that cannot be done.

    `rank` counts overrides from 1: it is the order in which their mistakes are reported.
    """
    place = Place(rank, 0, 0, f"-S {text}")
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not all(key.split(".")):
        return [Problem(place, "", "write it as key=value, such as budget.n_trials=20")]
    try:
        node, problems = parse(value, lambda _line, _column: place)
    except Unreadable as error:
        return [error.problem]
    return problems or _set(root, key.split("."), node or ScalarNode(place, None, ""), place)


def _set(parent: MappingNode | ListNode, parts: list[str], value: Node, place: Place) -> list[Problem]:
    done: list[str] = []
    while True:
        name, rest = _next_key(parent, parts)
        done.append(name)
        if not rest:
            return _put(parent, name, value, place, ".".join(done))
        child = _child(parent, name, place)
        if child is None:
            return [Problem(place, ".".join(done), "is not a mapping: give its whole value")]
        parent, parts = child, rest


def _next_key(parent: MappingNode | ListNode, parts: list[str]) -> tuple[str, list[str]]:
    """The key to follow, and what is left: names of parameters may hold dots, so the longest that exists."""
    for length in range(len(parts), 1, -1):
        name = ".".join(parts[:length])
        if isinstance(parent, MappingNode) and name in parent.entries:
            return name, parts[length:]
    return parts[0], parts[1:]


def _child(parent: MappingNode | ListNode, name: str, place: Place) -> MappingNode | ListNode | None:
    if isinstance(parent, ListNode):
        item = parent.items[int(name)] if _is_index(parent, name) else None
        return item if isinstance(item, MappingNode | ListNode) else None
    entry = parent.entries.get(name)
    child: Node = entry.node if entry else MappingNode(place)
    if name == "engine" and isinstance(child, ScalarNode) and isinstance(child.value, str):
        child = MappingNode(child.place, {"name": Entry(child.place, child)})  # engine: optuna is short for this
    if isinstance(child, ScalarNode):
        if child.value is not None:
            return None
        child = MappingNode(place)
    copied = _copied(child)  # a value that stands behind an alias is changed here only
    parent.entries[name] = Entry(entry.place if entry else place, copied)
    return copied


def _copied(node: MappingNode | ListNode) -> MappingNode | ListNode:
    if isinstance(node, MappingNode):
        return MappingNode(node.place, dict(node.entries))
    return ListNode(node.place, list(node.items))


def _put(parent: MappingNode | ListNode, name: str, value: Node, place: Place, path: str) -> list[Problem]:
    if isinstance(parent, MappingNode):
        parent.entries[name] = Entry(place, value)
    elif _is_index(parent, name):
        parent.items[int(name)] = value
    else:
        return [Problem(place, path, f"is no item of a list of {len(parent.items)}, counted from 0")]
    return []


def _is_index(parent: ListNode, name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 9 and int(name) < len(parent.items)
