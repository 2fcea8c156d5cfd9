"""The nearest right word, for messages."""

import difflib
from collections import Counter
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message: `; did you mean 'depth'?`, or nothing where no known word is like it."""
    found = difflib.get_close_matches(word[:100], list(known), n=5, cutoff=0.6)
    if not found:
        return ""
    best = max(found, key=lambda other: (_likeness(word, other), _shared_letters(word, other)))
    return f"; did you mean {best!r}?"


def _likeness(word: str, other: str) -> float:
    return difflib.SequenceMatcher(None, other, word).ratio()


def _shared_letters(word: str, other: str) -> int:
    # SCV is as like to SVR as to SVC by order alone; swapped letters are the likelier slip
    return (Counter(word) & Counter(other)).total()
