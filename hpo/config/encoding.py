"""Bytes as text: UTF-8 without control characters, and where that fails."""

import re

from hpo.config.problems import Place, Unreadable

MAX_BYTES = 1_000_000

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What YAML 1.2 does not allow in a text."""


def decoded(content: bytes, name: str) -> str:
    """The text; Unreadable with the place of the first byte that is no UTF-8. A byte order mark is dropped."""
    if len(content) > MAX_BYTES:
        raise Unreadable(Place(0, 0, 0, name), f"is larger than {MAX_BYTES:,} bytes: that is no sweep file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _position(content[: error.start].decode("utf-8", "replace"))
        place = Place(0, line + 1, column + 1, f"{name}:{line + 1}:{column + 1}")
        raise Unreadable(place, f"is not UTF-8: byte 0x{content[error.start]:02x}; save the file as UTF-8") from error


def first_unprintable(text: str) -> tuple[int, int, str] | None:
    """Line and column, both from 0, of the first character that YAML does not allow, and that character."""
    match = _UNPRINTABLE.search(text)
    return (*_position(text[: match.start()]), match[0]) if match else None


def _position(before: str) -> tuple[int, int]:
    return before.count("\n"), len(before) - before.rfind("\n") - 1
