"""The one noun by which going on, replaying and comparing say that something differs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

What = Literal["code", "params", "seed", "data", "python", "package", "thread/variable", "hardware"]
"""Kinds of difference, the likeliest reason for another result first."""

_WEIGHT = {what: place for place, what in enumerate(get_args(What))}


@dataclass(frozen=True)
class Changed:
    """One thing that differs: `name` says which, `before` and `after` are short, `detail` may have many lines."""

    what: What
    name: str
    before: str
    after: str
    detail: str = ""

    def __str__(self) -> str:
        """`package numpy: 1.26.4 -> 2.1.0`."""
        return f"{self.what} {self.name}: {self.before or 'nothing'} -> {self.after or 'nothing'}"


def by_weight(changes: Iterable[Changed]) -> Sequence[Changed]:
    """The likeliest reasons for another result first; those of one kind keep their order."""
    return sorted(changes, key=lambda change: _WEIGHT[change.what])
