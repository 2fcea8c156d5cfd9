"""What may be written under `engine.options`, and the check of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from hpo.errors import EngineError


@dataclass(frozen=True)
class Option:
    """One option of a sampler: its type, and the smallest value of a number or the words of a string."""

    kind: type[bool] | type[int] | type[float] | type[str]
    low: float = 0
    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.kind is bool:
            return "true or false"
        if self.kind is str:
            return " or ".join(self.words)
        return f"a {'whole ' if self.kind is int else ''}number of at least {self.low:g}"

    def accepts(self, value: object) -> bool:
        """Whether the value can be handed to the engine."""
        if self.kind is bool:
            return isinstance(value, bool)
        if self.kind is str:
            return value in self.words
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return value >= self.low and (self.kind is float or isinstance(value, int))


def check_options(sampler: str, options: Mapping[str, object], known: Mapping[str, Option]) -> None:
    """EngineError that names every option the sampler does not have, or that has a value it cannot use."""
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
        raise EngineError(f"sampler {sampler}: {'; '.join(mistakes)}; {valid}")
