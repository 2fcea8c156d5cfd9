"""Values as texts of a report: short, and with nothing in them that Markdown or HTML would read as its own."""

import html
import re

_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_MARKS = re.compile(r"([\\`*{}\[\]<>#|!~$@]|(?<!\w)_|_(?!\w))")
LONGEST = 200


def plain(value: object) -> str:
    """On one line, cut where it is long; characters that steer a terminal or the direction of reading as codes."""
    text = _STEERING.sub(lambda found: f"\\x{ord(found.group()):02x}", str(value))
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def markdown(value: object) -> str:
    """As Markdown shows it: no markup, no link, no mention."""
    return _MARKS.sub(r"\\\1", plain(value)).replace("://", ":\u200b//")


def escaped(value: object) -> str:
    """As HTML shows it."""
    return html.escape(plain(value))


def number(value: object) -> str:
    """Six significant digits; anything else as it is, nothing as `-`."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return "-" if value is None else plain(str(value).lower() if isinstance(value, bool) else value)


def duration(seconds: object) -> str:
    """`0.4 s`, `4 min 10 s`, `3 h 5 min`."""
    if not isinstance(seconds, int | float):
        return "-"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
