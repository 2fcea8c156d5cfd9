"""What the schema refuses, said in words, at the place it stands in the source."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import ErrorDetails

from hpo.config import words
from hpo.config.fields import EXPLAINED
from hpo.config.keys import all_keys, known_keys
from hpo.config.nearest import did_you_mean, nearest, shown
from hpo.config.problems import Place, Problem
from hpo.config.source import ListNode, MappingNode, Node, ScalarNode

Location = tuple[int | str, ...]


@dataclass(frozen=True)
class Spot:
    """A location of the schema, found in the source: the keys that exist, the node there, and both its places."""

    path: tuple[str | int, ...]
    node: Node
    key_place: Place

    @property
    def name(self) -> str:
        """The path as messages write it: `objective.sklearn.pipeline[1].clf`."""
        return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path).removeprefix(".")

    def place(self, *, on_key: bool) -> Place:
        """Where a message points: to the key, or to its value; a mapping is best found by the key that holds it."""
        return self.key_place if on_key or isinstance(self.node, MappingNode) else self.node.place


def find(root: Node, location: Iterable[int | str]) -> Spot:
    """The spot a location leads to; what does not stand in the source (a missing key, a union's tag) is left out."""
    spot = Spot((), root, root.place)
    for part in location:
        if isinstance(spot.node, MappingNode) and part in spot.node.entries:
            entry = spot.node.entries[str(part)]
            spot = Spot((*spot.path, part), entry.node, entry.place)
        elif isinstance(spot.node, ListNode) and isinstance(part, int) and part < len(spot.node.items):
            item = spot.node.items[part]
            spot = Spot((*spot.path, part), item, item.place)
    return spot


@dataclass
class Explainer:
    """Turns the schema's errors into problems, and remembers which missing keys an unknown one stands for."""

    root: Node
    problems: list[Problem] = field(default_factory=list)
    _replaced: set[tuple[tuple[str | int, ...], str]] = field(default_factory=set)

    def explain(self, errors: Iterable[ErrorDetails]) -> list[Problem]:
        """All problems, in no order, each once."""
        waiting = []
        for error in errors:  # unknown keys first: they tell which missing keys are not worth a line
            if error["type"] == "extra_forbidden":
                self._unknown_key(error["loc"])
            else:
                waiting.append(error)
        for error in waiting:
            self._other(error)
        return list(dict.fromkeys(self.problems))

    def is_replaced(self, *keys: str) -> bool:
        """Whether an unknown key at the top stands for one of these."""
        return any(((), key) in self._replaced for key in keys)

    def _unknown_key(self, location: Location) -> None:
        spot = find(self.root, location)
        key, parent = str(location[-1]), spot.path[:-1]
        advice, meant = _advice(key, location, ".".join(map(str, parent)))
        if meant:
            self._replaced.add((parent, meant))
        self.problems.append(Problem(spot.key_place, spot.name, f"unknown key '{key}'{advice}"))

    def _other(self, error: ErrorDetails) -> None:
        location, context = error["loc"], error.get("ctx", {})
        if error["type"] == "missing":
            self._missing_key(location)
            return
        at = context.get("at", ())
        spot = find(self.root, (*location, *at))
        is_key = "[key]" in location
        place = spot.place(on_key=is_key or bool(context.get("on_key")))
        self.problems.append(Problem(place, spot.name, _in_words(error, spot, is_key=is_key)))

    def _missing_key(self, location: Location) -> None:
        spot = find(self.root, location[:-1])
        key = str(location[-1])
        if (spot.path, key) not in self._replaced:
            more = ": write type: float or type: int" if key == "type" else ""
            self.problems.append(Problem(spot.key_place, spot.name, f"missing key '{key}'{more}"))


def _advice(key: str, location: Location, parent: str) -> tuple[str, str | None]:
    """What to write instead of an unknown key, and the missing key of the same mapping that this stands for."""
    here = known_keys(location[:-1])
    if location[0] == "parameters" and len(location) > 2:
        return _advice_in_parameter(key.lower(), here)
    ours = words.PLACED.get((parent, key.lower())) or words.KEYS.get(key.lower())
    if ours:
        return _pointing_at(ours, parent)
    places = all_keys()
    is_elsewhere = nearest(key, [*here, *places], cutoff=0.8) not in (None, *here)  # and much like it
    if not is_elsewhere and (hint := nearest(key, here)):
        return f" - did you mean '{hint}'?", hint
    elsewhere = places.get(key.lower()) or places.get(nearest(key, places, cutoff=0.8) or "")
    return (f" - there is {elsewhere}" if elsewhere else f" - known here: {', '.join(here)}"), None


def _pointing_at(ours: str, parent: str) -> tuple[str, str | None]:
    section, _, name = ours.rpartition(".")
    if section == parent:
        return f" - did you mean '{name}'?", name
    return f" - write {ours}", None


def _advice_in_parameter(key: str, here: list[str]) -> tuple[str, str | None]:
    if key in words.PARAMETER_ADVICE:
        return f" - {words.PARAMETER_ADVICE[key]}", "type" if key in ("distribution", "prior") else "choices"
    if key == "type":
        return " - a choice has no type: remove it", None
    hint = words.PARAMETER_KEYS.get(key)
    hint = hint if hint in here else nearest(key, here)
    return (f" - did you mean '{hint}'?" if hint else f" - known here: {', '.join(here)}"), hint


def _in_words(error: ErrorDetails, spot: Spot, *, is_key: bool) -> str:
    context = error.get("ctx", {})
    if error["type"] == "rule":
        return str(context["message"])
    if error["type"] == "literal_error":
        return _not_one_of(spot, str(context["expected"]))
    say = _SAYINGS.get(error["type"])
    if say is None:
        return error["msg"][:1].lower() + error["msg"][1:]
    message = say(context)
    if is_key:
        return f"the key {message}"
    if error["type"] in ("too_short", "too_long", "string_too_short"):
        return message
    return f"{message}, got {_got(spot.node)}{_hint(error['type'], spot)}"


_SAYINGS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "string_type": lambda _: "must be text",
    "int_type": lambda _: "must be a whole number",
    "int_from_float": lambda _: "must be a whole number",
    "float_type": lambda _: "must be a number",
    "bool_type": lambda _: "must be true or false",
    "finite_number": lambda _: "must be finite",
    "list_type": lambda _: "must be a list",
    "dict_type": lambda _: "must be a mapping",
    "model_type": lambda _: "must be a mapping",
    "model_attributes_type": lambda _: "must be a mapping",
    "greater_than": lambda context: f"must be above {context['gt']:g}",
    "greater_than_equal": lambda context: f"must be at least {context['ge']}",
    "less_than": lambda context: f"must be below {context['lt']:.10g}",
    "less_than_equal": lambda context: f"must be at most {context['le']}",
    "too_short": lambda _: "must not be empty",
    "too_long": lambda _: "must have one key, the step's name: begin each step with its own -",
    "string_too_short": lambda _: "must not be empty",
    "string_too_long": lambda context: f"must have at most {context['max_length']} characters",
    "string_pattern_mismatch": lambda context: f"must be {EXPLAINED[context['pattern']]}",
}


def _not_one_of(spot: Spot, expected: str) -> str:
    options = [option.strip("'") for option in expected.replace(" or ", ", ").split(", ")]
    text = spot.node.text if isinstance(spot.node, ScalarNode) else ""
    if spot.path == ("version",):
        return f"must be 1, the version of the format this program reads, got {_got(spot.node)}"
    if spot.path[-1:] == ("type",):
        options = ["float", "int"]  # each kind of parameter knows its own type only
        if text.lower() in words.TYPES:
            return f"'{text}' is not one of float, int - did you mean '{words.TYPES[text.lower()]}'?"
    if not isinstance(spot.node, ScalarNode):
        return f"must be one of {', '.join(options)}, got {_got(spot.node)}"
    return f"'{text}' is not one of {', '.join(options)}{did_you_mean(text, options, words.VALUES)}"


def _got(node: Node) -> str:
    if isinstance(node, ListNode | MappingNode):
        return "a list" if isinstance(node, ListNode) else "a mapping"
    if node.value is None:
        return "nothing"
    return shown(node.value) if isinstance(node.value, str) else shown(node.text).strip("'")


def _hint(kind: str, spot: Spot) -> str:
    node = spot.node
    if not isinstance(node, ScalarNode):
        return ""
    if kind in ("int_type", "float_type") and isinstance(node.value, str):
        return _number_hint(node)
    if kind == "bool_type" and isinstance(node.value, str):
        return _bool_hint(node)
    if kind == "string_type" and node.value is not None:
        return f': write "{node.text}" in quotes'
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return _mapping_hint(node, spot)
    if kind == "string_pattern_mismatch" and spot.path == ("objective", "python"):
        return _callable_hint(node.text)
    return ""


def _number_hint(node: ScalarNode) -> str:
    try:
        float(node.text)
    except ValueError:
        return ""
    if "_" in node.text:
        return f": write {node.text.replace('_', '')}"
    return ": remove the quotes" if node.quoted else ""


def _bool_hint(node: ScalarNode) -> str:
    meant = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
    word = meant.get(node.text.lower())
    if word is None:
        return ""
    if node.quoted and node.text.lower() == word:
        return ": remove the quotes"
    return f": YAML 1.2 reads {node.text} as text, write {word}"


def _mapping_hint(node: ScalarNode, spot: Spot) -> str:
    if node.value is None:
        return ": give it keys or remove it"
    first = {"metric": "name", "budget": "n_trials", "parallel": "n_jobs", "tracker": "uri", "register": "name"}
    key = first.get(spot.name)
    return f": write {spot.name}: {{{key}: {node.text}}}" if key else ""


def _callable_hint(text: str) -> str:
    module, _, function = text.replace(".py:", ":").replace("/", ".").rpartition(":" if ":" in text else ".")
    module = module.strip(".")
    return f" - did you mean '{module}:{function}'?" if module and function.isidentifier() and function != "py" else ""
