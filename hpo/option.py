"""One option of a sampler or a pruner as a sweep file gives it, and the check of all of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from hpo.errors import EngineError


@dataclass(frozen=True)
class Option:
    """One option: its type, the smallest and largest value of a number, the words of a string.

    A number with `words` may also be one of these.
    """

    kind: type[bool] | type[int] | type[float] | type[str]
    low: float = 0
    words: tuple[str, ...] = ()
    high: float = math.inf

    def __str__(self) -> str:
        if self.kind is bool:
            return "true or false"
        words = " or ".join(self.words)
        if self.kind is str:
            return words
        return f"a {'whole ' if self.kind is int else ''}number{self._limits()}{' or ' if words else ''}{words}"

    def accepts(self, value: object) -> bool:
        """Whether the value can be handed to the engine."""
        if self.kind is bool:
            return isinstance(value, bool)
        if isinstance(value, str):
            return value in self.words
        if self.kind is str or isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high and (self.kind is float or isinstance(value, int))

    def _limits(self) -> str:
        if self.high < math.inf:
            return f" from {self.low:g} to {self.high:g}"
        return f" of at least {self.low:g}" if self.low > -math.inf else ""


def check_options(owner: str, options: Mapping[str, object], known: Mapping[str, Option]) -> None:
    """EngineError that names every option `owner` does not have, or that has a value it cannot use."""
    mistakes = []
    for name, value in options.items():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f" - did you mean {near[0]!r}?" if near else ""
            mistakes.append(f"unknown option {name!r}{hint}")
        elif not known[name].accepts(value):
            mistakes.append(f"{name} must be {known[name]}, got {value!r}")
    if mistakes:
        valid = f"its options are {', '.join(known)}" if known else "it has no options"
        raise EngineError(f"{owner}: {'; '.join(mistakes)}; {valid}")
