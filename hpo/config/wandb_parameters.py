"""Parameters of a W&B sweep file as ours, and what of them has no equal."""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from hpo.config.fields import NAME
from hpo.config.source import ListNode, MappingNode, Node, ScalarNode, plain
from hpo.space import Value, same_value

Note = Callable[[Node, str, str], None]
"""Takes down what has no equal: where it stands, its name, and what was made of it."""

Spec = Mapping[str, object] | list[Value] | Value

_KNOWN = {"value", "values", "min", "max", "distribution", "mu", "sigma", "q", "a", "b", "probabilities", "parameters"}
_WIDE = 3.0
"""How many standard deviations a range is wide, each way, where a normal distribution stood."""


def parameters_of(node: MappingNode, note: Note, before: str = "") -> Iterator[tuple[str, Spec]]:
    """Our name and setting for each parameter; nested ones get names with dots."""
    for key, entry in node.entries.items():
        name = _name(f"{before}{key}", entry.node, note)
        if not isinstance(entry.node, MappingNode):
            note(entry.node, name, "is no mapping of settings: taken for a constant")
            yield name, _value(plain(entry.node), entry.node, name, note)
            continue
        nested = entry.node.entries.get("parameters")
        if nested is not None and isinstance(nested.node, MappingNode):
            yield from parameters_of(nested.node, note, f"{name}.")
            continue
        yield name, _Parameter(name, entry.node, note).spec()


def _name(name: str, node: Node, note: Note) -> str:
    if re.fullmatch(NAME, name):
        return name
    ours = re.sub(r"[^\w.:-]+", "_", name).strip("_.:-") or "parameter"
    note(node, name, f"is no name here: called {ours}, and so the program is given --{ours}")
    return ours


def _value(value: object, node: Node, name: str, note: Note) -> Value:
    if isinstance(value, list | dict):
        note(node, name, "lists and mappings cannot be values: given as JSON text")
        return json.dumps(value)
    if isinstance(value, float) and not math.isfinite(value):
        note(node, name, f"{value} cannot be a value: given as text")
        return str(value)
    return value  # type: ignore[return-value]  # a tree holds nothing else


@dataclass(frozen=True)
class _Parameter:
    """One parameter as it stands in the file."""

    name: str
    node: MappingNode
    note: Note

    def spec(self) -> Spec:
        for key in self.node.entries:
            if key not in _KNOWN:
                self._note(key, "is not known: left out")
        if "value" in self.node.entries:
            entry = self.node.entries["value"]
            return _value(plain(entry.node), entry.node, self.name, self.note)
        if "values" in self.node.entries:
            return self._choices()
        return self._range()

    def _choices(self) -> list[Value]:
        node = self.node.entries["values"].node
        if "probabilities" in self.node.entries:
            self._note("probabilities", "values are drawn evenly here")
        found: list[Value] = []
        for item in node.items if isinstance(node, ListNode) else [node]:
            value = _value(plain(item), item, self.name, self.note)
            if not any(same_value(value, other) for other in found):
                found.append(value)
        return found

    def _range(self) -> Spec:
        kind = str(self._get("distribution") or self._usual())
        base = kind.removeprefix("q_").removeprefix("inv_")
        low, high, is_log = self._bounds(base)
        if is_log and low <= 0:
            self._note("min", "must be above 0 on a log scale: searched on a plain one")
            is_log = False
        if low >= high:
            return low
        step = self._number("q", 1.0) if kind.startswith("q_") else None
        is_int = base == "int_uniform" or (step is not None and all(_is_whole(x) for x in (step, low, high)))
        if step is not None and is_log and not (is_int and step == 1):
            self._note("q", "a log scale has no steps here: left out")
            step, is_int = None, False
        if step is not None and not is_log and not 0 < step <= high - low:
            self._note("q", "is no step between low and high: left out")
            step = None
        number = (lambda x: round(x)) if is_int else float
        spec: dict[str, object] = {"type": "int" if is_int else "float", "low": number(low), "high": number(high)}
        if is_log:
            spec["log"] = True
        elif step is not None and not (is_int and step == 1):
            spec["step"] = number(step)
        return spec

    def _usual(self) -> str:
        given = [self._get(key) for key in ("min", "max")]
        is_whole = all(isinstance(value, int) and not isinstance(value, bool) for value in given)
        return "int_uniform" if is_whole else "uniform"

    def _bounds(self, kind: str) -> tuple[float, float, bool]:
        """Low, high, and whether on a log scale."""
        low, high = self._number("min", 0.0), self._number("max", 10.0 if kind == "int_uniform" else 1.0)
        if kind == "log_uniform":
            is_inverse = str(self._get("distribution")).startswith("inv_")
            return (math.exp(-high), math.exp(-low), True) if is_inverse else (math.exp(low), math.exp(high), True)
        if kind == "log_uniform_values":
            return low, high, True
        if kind in ("normal", "log_normal"):
            mu, sigma = self._number("mu", 0.0), self._number("sigma", 1.0)
            ends = mu - _WIDE * sigma, mu + _WIDE * sigma
            self._note("distribution", f"{kind} has no equal: the range of {_WIDE:g} sigma each way, drawn evenly")
            return (math.exp(ends[0]), math.exp(ends[1]), True) if kind == "log_normal" else (*ends, False)
        if kind == "beta":
            self._note("distribution", "beta has no equal: 0 to 1, drawn evenly")
            return 0.0, 1.0, False
        if kind not in ("uniform", "int_uniform"):
            self._note("distribution", f"'{kind}' is not known: min to max, drawn evenly")
        return low, high, False

    def _get(self, key: str) -> object:
        entry = self.node.entries.get(key)
        return None if entry is None else plain(entry.node)

    def _number(self, key: str, usual: float) -> float:
        value = self._get(key)
        if value is None and key in ("min", "max") and self._get("distribution") is None:
            self._note(key, f"is missing: {usual:g}")
        if value is None:
            return usual
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self._note(key, f"must be a number: {usual:g} instead")
            return usual
        return value

    def _note(self, key: str, text: str) -> None:
        node = self.node.entries[key].node if key in self.node.entries else self.node
        self.note(node, f"{self.name}.{key}", text)


def _is_whole(number: float) -> bool:
    return float(number).is_integer()


def text_of(node: Node | None) -> str:
    """A scalar as it is written; nothing for anything else."""
    return node.text if isinstance(node, ScalarNode) else ""
