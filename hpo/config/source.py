"""YAML 1.2 text as a tree of values that know their places, with limits that no text can get around.

Built from the parser's events and not from its documents: that way duplicate keys, tags, aliases and depth are seen
before anything is made of them, and nothing recurses.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from hpo.config.encoding import first_unprintable
from hpo.config.problems import Place, Problem, Unreadable
from hpo.space import Value

MAX_DEPTH = 50
MAX_NODES = 50_000
MAX_ALIASED = 100

_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)")
_NO_KEYS = {
    "": "a key is missing before ':'",
    "<<": "merge keys (<<) are not part of YAML 1.2: write the keys out",
}
_WORDS: dict[str, Value] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


@dataclass(frozen=True)
class ScalarNode:
    """One value, its text as written, and whether that text stood in quotes."""

    place: Place
    value: Value
    text: str
    quoted: bool = False


@dataclass(frozen=True)
class ListNode:
    """A sequence."""

    place: Place
    items: list["Node"] = field(default_factory=list)


@dataclass(frozen=True)
class Entry:
    """One key of a mapping: the place of the key, and what it holds."""

    place: Place
    node: "Node"


@dataclass(frozen=True)
class MappingNode:
    """A mapping in the order written."""

    place: Place
    entries: dict[str, Entry] = field(default_factory=dict)


Node = ScalarNode | ListNode | MappingNode
Placing = Callable[[int, int], Place]
"""Turns a line and a column, both from 0, into a place."""


def parse(text: str, placing: Placing) -> tuple[Node | None, list[Problem]]:
    """The tree of one document (None where there is none) and what is not allowed in it; Unreadable if it is broken."""
    if (bad := first_unprintable(text)) is not None:
        line, column, character = bad
        raise Unreadable(placing(line, column), f"control character U+{ord(character):04X} is not allowed")
    tree = _Tree(placing)
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            tree.take(event)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = placing(mark.line, mark.column) if mark else placing(0, 0)
        raise Unreadable(place, f"broken YAML: {_plain_words(error)}") from error
    except (YAMLError, ValueError, IndexError) as error:  # the parser's own slips on hostile text
        raise Unreadable(placing(0, 0), f"broken YAML: {error}") from error
    return tree.root, tree.problems


def plain(node: Node) -> object:
    """The node as plain dicts, lists and values."""
    if isinstance(node, MappingNode):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return node.value


def _characters(text: str) -> str:
    r"""The text with what JSON writes as two halves, `\ud83d\ude00`, as the one character it means."""
    if not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:  # a half alone, which is refused where texts are checked
        return text


def resolve(text: str) -> Value:
    """What a scalar without quotes means in YAML 1.2: `1e-3` is a number, `yes` is text."""
    if text in _WORDS:
        return _WORDS[text]
    if _OTHER_BASE.fullmatch(text) and len(text) <= 18:
        return int(text, 0)
    if _INTEGER.fullmatch(text) and len(text) <= 19:  # longer ones do not fit 64 bits: a float can at least be named
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return text


class _Tree:
    """Takes in events, one by one, and grows the tree."""

    def __init__(self, placing: Placing) -> None:
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._placing = placing
        self._open: list[ListNode | MappingNode] = []
        self._keys: list[tuple[str, Place] | None] = []  # the key that waits for its value, for each open node
        self._anchors: dict[str, Node] = {}
        self._nodes = 0
        self._aliased = 0
        self._documents = 0

    def take(self, event: Event) -> None:
        place = self._placing(event.start_mark.line, event.start_mark.column)
        match event:
            case DocumentStartEvent():
                self._begin_document(event, place)
            case CollectionEndEvent():
                self._open.pop()
                self._keys.pop()
            case AliasEvent():
                self._add(self._alias(event.anchor, place), place)
            case ScalarEvent():
                self._check_node(event, place)
                self._take_scalar(event, place)
            case SequenceStartEvent() | MappingStartEvent():
                self._check_node(event, place)
                node = ListNode(place) if isinstance(event, SequenceStartEvent) else MappingNode(place)
                self._begin(node, event.anchor)

    def _begin_document(self, event: DocumentStartEvent, place: Place) -> None:
        self._documents += 1
        if self._documents > 1:
            raise Unreadable(place, "a second document begins here: a sweep file holds one")
        if event.version or event.tags:
            self._report(place, "directives (%YAML, %TAG) are not allowed: the file is read as YAML 1.2")

    def _check_node(self, event: Event, place: Place) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise Unreadable(place, f"more than {MAX_NODES:,} values: no sweep file needs that many")
        tag = getattr(event, "tag", None)
        if tag is not None:
            shorthand = str(tag).replace("tag:yaml.org,2002:", "!!")
            self._report(place, f"tags are not allowed, got {shorthand}: write the plain value")

    def _take_scalar(self, event: ScalarEvent, place: Place) -> None:
        is_plain = not event.style
        text = _characters(event.value)
        value = resolve(text) if is_plain else text
        if self._open and isinstance(self._open[-1], MappingNode) and self._keys[-1] is None:
            self._keys[-1] = (self._key(text, value, place), place)
            return
        node = ScalarNode(place, value, text, quoted=not is_plain)
        self._remember(event.anchor, node)
        self._add(node, place)

    def _key(self, text: str, value: Value, place: Place) -> str:
        if text in _NO_KEYS:
            self._report(place, _NO_KEYS[text])
        elif not isinstance(value, str):
            self._report(place, f'a key must be text, got {text}: write "{text}" in quotes')
        return text

    def _begin(self, node: ListNode | MappingNode, anchor: str | None) -> None:
        self._remember(anchor, node)
        self._add(node, node.place)
        self._open.append(node)
        self._keys.append(None)
        if len(self._open) > MAX_DEPTH:
            raise Unreadable(node.place, f"nested deeper than {MAX_DEPTH} levels")

    def _add(self, node: Node, place: Place) -> None:
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        if isinstance(parent, ListNode):
            parent.items.append(node)
            return
        key = self._keys[-1]
        if key is None:
            raise Unreadable(place, "a key must be plain text, not a list, a mapping or an alias")
        self._keys[-1] = None
        if key[0] in parent.entries:
            first = parent.entries[key[0]].place
            self._report(key[1], f"duplicate key '{key[0]}': it stands at line {first.line} already")
        elif key[0] not in _NO_KEYS:
            parent.entries[key[0]] = Entry(key[1], node)

    def _remember(self, anchor: str | None, node: Node) -> None:
        if anchor is not None:
            self._anchors[anchor] = node

    def _alias(self, anchor: str, place: Place) -> Node:
        node = self._anchors.get(anchor)
        if node is None:
            raise Unreadable(place, f"alias *{anchor} has no anchor &{anchor} before it")
        if any(node is opened for opened in self._open):
            raise Unreadable(place, f"alias *{anchor} stands inside its own anchor")
        for _ in _below(node):
            self._aliased += 1
            if self._aliased > MAX_ALIASED:
                raise Unreadable(place, f"aliases stand for more than {MAX_ALIASED} values: write them out")
        return _moved(node, place)

    def _report(self, place: Place, message: str) -> None:
        self.problems.append(Problem(place, "", message))


def _below(node: Node) -> Iterator[Node]:
    """The node and all it holds."""
    waiting: list[Node] = [node]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ListNode):
            waiting.extend(node.items)
        elif isinstance(node, MappingNode):
            waiting.extend(entry.node for entry in node.entries.values())


def _moved(node: Node, place: Place) -> Node:
    if isinstance(node, ScalarNode):
        return ScalarNode(place, node.value, node.text, node.quoted)
    return ListNode(place, node.items) if isinstance(node, ListNode) else MappingNode(place, node.entries)


def _plain_words(error: MarkedYAMLError) -> str:
    problem = str(error.problem or error.context)
    if "'\\t'" in problem:
        return "a tab cannot indent or begin a value; use blanks"
    if problem == "mapping values are not allowed here":
        return "':' is not allowed here; check the indentation, and put text that holds ': ' in quotes"
    if "got '{'" in problem:
        return f"{problem}; put text that holds a brace in quotes"
    if error.context and error.context_mark:
        return f"{problem} {error.context} that begins at line {error.context_mark.line + 1}"
    return problem
