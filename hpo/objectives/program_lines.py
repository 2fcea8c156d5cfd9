"""Whole lines out of what a program prints, whatever it prints."""

from collections.abc import Iterator

LONGEST = 2**20
"""Bytes of a line that is looked at; a longer one is passed over."""


class Lines:
    """Takes bytes as they come and gives whole lines; holds no more than one line of bounded length."""

    def __init__(self) -> None:
        self._begun = b""
        self._is_too_long = False

    def take(self, data: bytes) -> bytes:
        """The whole lines that have come, with their ends; a carriage return ends a line as well."""
        if b"\r" in data:
            data = data.replace(b"\r", b"\n")
        end = data.rfind(b"\n") + 1
        if end == 0:
            self._go_on(data)
            return b""
        whole = self._ended(data[:end])
        self._begun, self._is_too_long = data[end:], False
        return whole

    def rest(self) -> bytes:
        """The last line, where the program did not end it."""
        rest, self._begun = b"" if self._is_too_long else self._begun, b""
        return rest

    def _go_on(self, data: bytes) -> None:
        if not self._is_too_long:
            self._begun += data
        if len(self._begun) > LONGEST:
            self._begun, self._is_too_long = b"", True

    def _ended(self, data: bytes) -> bytes:
        if self._is_too_long:
            return data[data.index(b"\n") + 1 :]
        return self._begun + data


def texts(lines: bytes, longest: int = LONGEST) -> Iterator[str]:
    """Each line as text, cut at `longest` bytes; what is not UTF-8 becomes a replacement character."""
    for line in lines.split(b"\n"):
        if line:
            yield line[:longest].decode("utf-8", "replace")
