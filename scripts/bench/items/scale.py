"""How much is measured: every item scales its numbers by this."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """`quick` tries whether everything runs, and its figures mean little; `full` goes to the sizes that take long."""

    repeat: int = 3
    quick: bool = False
    full: bool = False

    def pick(self, quick: int, usual: int, full: int | None = None) -> int:
        """One of three numbers."""
        return quick if self.quick else (full or usual) if self.full else usual
