"""Values as text for people: safe on a terminal, short in a table, and without passwords."""

import math
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from hpo.masking import hide_patterns

UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, characters that turn the reading direction, line separators, and halves of surrogate pairs."""

UNSAFE_IN_LINES = re.compile(UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))
"""The same without tab and newline."""


def one_line(text: str) -> str:
    r"""The text on one line, with every character that could steer a terminal shown as its code, such as `\x1b`."""
    return UNSAFE.sub(_code, text)


def lines(text: str) -> str:
    """The text with its lines and tabs kept, and everything else that could steer a terminal shown as its code."""
    return UNSAFE_IN_LINES.sub(_code, text.replace("\r\n", "\n"))


def hide_passwords(text: str) -> str:
    """The text with the passwords of URIs, and all else that looks like a secret, replaced by `***`."""
    return hide_patterns(text)


def number(value: float) -> str:
    """At most six significant digits; the largest number is how MLflow keeps infinity."""
    if isinstance(value, int):
        return str(value)
    return f"{math.copysign(math.inf, value) if abs(value) == sys.float_info.max else value:.6g}"


def cell(value: object, *, longest: int = 60) -> str:
    """A value in a table; nothing is `-`, long texts end in `...`."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(cell(item) for item in value) or "-"
    text = one_line(str(value))
    return text if len(text) <= longest else text[: longest - 3] + "..."


def duration(seconds: float | None) -> str | None:
    """Two units at most: `0.42 s`, `17 s`, `4 min 10 s`, `3 h 5 min`, `2 d 4 h`."""
    if seconds is None or not math.isfinite(seconds):
        return None
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    whole = round(seconds)
    for size, unit, small, small_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // small
            return f"{whole // size} {unit}" + (f" {rest} {small_unit}" if rest else "")
    return None


def iso_time(milliseconds: int | None) -> str | None:
    """Milliseconds since 1970 as ISO 8601 in UTC with three decimals; None where no date has that number."""
    if milliseconds is None:
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):  # a foreign writer may have stored nonsense
        return None


def short_time(milliseconds: int | None) -> str | None:
    """To the second, for tables: `2026-01-31 23:59:59Z`."""
    text = iso_time(milliseconds)
    return f"{text[:10]} {text[11:19]}Z" if text else None


def _code(match: re.Match[str]) -> str:
    point = ord(match.group())
    if match.group() == "\n":
        return "\\n"
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}"
