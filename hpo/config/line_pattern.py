"""Regular expressions by which metrics are found in lines: which are refused, so that no line takes for ever.

Python's matcher tries all ways, and where a repeat stands in a repeat their number doubles with each character.
"""

import re

_PIECE = re.compile(
    r"\\."  # an escaped character
    r"|\[\^?\]?(?:\\.|[^\]\\])*\]"  # a set of characters
    r"|\(\?[:=!>]|\(\?<[=!]|\(\?P<\w+>|\(\?[a-zA-Z-]+:|\(\?[a-zA-Z]+\)|\(\?P=\w+\)|\("
    r"|\)|\||\*|\+|\{\d*,?\d*\}|\?",
    re.DOTALL,
)


def groups_of(pattern: str) -> list[str]:
    """The names of its groups."""
    return list(re.compile(pattern).groupindex)


def fault_of_pattern(pattern: str) -> str | None:
    """What is wrong with a pattern; None where it can be used."""
    try:
        names = groups_of(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return f"is no regular expression: {error}"
    if not set(names) - {"step"}:
        return "names no metric: put its number into a named group, such as rmse=(?P<rmse>[0-9.eE+-]+)"
    if re.search(r"\(\?P=|\\[1-9]", pattern):
        return "refers back to a group, which can take for ever"
    if _repeats_in_a_repeat(pattern):
        return (
            "has a repeat (or alternatives) inside a repeat, which can take for ever: write it without, such as [0-9.]+"
        )
    return None


def _repeats_in_a_repeat(pattern: str) -> bool:
    is_wide = [False]  # of each open group: whether it can match in more than one way
    closed = False  # whether the piece before was the end of a group that can
    end = 0
    for piece in _PIECE.finditer(pattern):
        text = piece[0]
        is_repeat = text in ("*", "+") or (text[0] == "{" and text not in ("{", "{1}"))
        if is_repeat and closed and piece.start() == end:
            return True
        closed, end = False, piece.end()
        if text[0] == "(" and not (text.endswith(")") and text.startswith("(?")):
            is_wide.append(False)
        elif text == ")" and len(is_wide) > 1:
            closed = is_wide.pop()
            is_wide[-1] = is_wide[-1] or closed
        elif is_repeat or text == "|" or (text == "?" and len(is_wide) > 1):
            is_wide[-1] = True
    return False
