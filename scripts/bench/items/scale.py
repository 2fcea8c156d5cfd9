"""How much is measured: every item scales its numbers by this."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """`quick` tries whether everything runs, and its figures mean little; `full` goes to the sizes that take long.

    Without `repeat`, `limit` (seconds of a side) and `sizes` (of trials or workers) an item takes its own. `sides`,
    parts of names, leave out the others.
    """

    repeat: int | None = None
    quick: bool = False
    full: bool = False
    limit: float | None = None
    sizes: Sequence[int] = ()
    sides: Sequence[str] = ()

    def pick(self, quick: int, usual: int, full: int | None = None) -> int:
        """One of three numbers."""
        return quick if self.quick else (full or usual) if self.full else usual

    def rounds(self, usual: int = 3) -> int:
        return self.repeat or (1 if self.quick else usual)

    def wants(self, side: str) -> bool:
        """Whether a side is not left out."""
        return not self.sides or any(word in side for word in self.sides)
