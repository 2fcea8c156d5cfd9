"""The nearest right word, for messages."""

import difflib
from collections.abc import Iterable, Mapping

from hpo.space import Value


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known word most like this one, capitals aside; None where none is close."""
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower()[:100], list(by_lower), 1, cutoff)
    return by_lower[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str], synonyms: Mapping[str, str] | None = None) -> str:
    """The end of a message: the word that was probably meant, or nothing."""
    known = list(known)
    meant = (synonyms or {}).get(word.lower())
    hint = meant if meant in known else nearest(word, known)
    return f" - did you mean '{hint}'?" if hint is not None else ""


def shown(value: Value) -> str:
    """A value as a sweep file writes it, shortened; text always in quotes."""
    if isinstance(value, str):
        return f"'{value}'" if len(value) <= 60 else f"'{value[:57]}...'"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)
