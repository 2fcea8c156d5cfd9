"""The nearest right word, for messages."""

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message: `; did you mean 'depth'?`, or nothing where no known word is like it."""
    found = difflib.get_close_matches(word[:100], list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""
