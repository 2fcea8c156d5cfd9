"""A mistake in a sweep file, and where it stands."""

from dataclasses import dataclass

MAX_LINE = 1000
"""Characters of a message."""


@dataclass(frozen=True, order=True)
class Place:
    """Where something stands; sorts by source, then in reading order. Lines and columns count from 1."""

    rank: int
    line: int
    column: int
    label: str

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True, order=True)
class Problem:
    """A mistake, the place it stands at, and the key it is about (empty where there is none)."""

    place: Place
    path: str
    message: str

    def __str__(self) -> str:
        """One line, whatever the file holds: nothing in it reaches a terminal as a control character."""
        text = f"{self.place}: error: {self.path}{': ' if self.path else ''}{self.message}"
        shortened = text if len(text) <= MAX_LINE else f"{text[:MAX_LINE]}..."
        return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in shortened)


class Unreadable(Exception):
    """The text cannot be read to its end; carries the one problem that says why."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(place, "", message)
