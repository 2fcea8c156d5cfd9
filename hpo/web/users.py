"""Users with passwords: a file of names and scrypt hashes, one a line."""

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from pathlib import Path

from hpo.errors import ConfigError

_N, _R, _P = 2**15, 8, 3
"""Some 100 ms and 32 MB a guess (OWASP's Password Storage Cheat Sheet, scrypt)."""
_MOST_MEMORY = 256 << 20
_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_LINE = re.compile(
    r"(?P<name>[^:]+):scrypt\$(?P<n>\d{1,9})\$(?P<r>\d{1,3})\$(?P<p>\d{1,3})\$(?P<salt>[^$]+)\$(?P<hash>[^$]+)"
)
SHORTEST = 8


def hashed(name: str, password: str) -> str:
    """The line of a user for the file; ConfigError for a name or a password that cannot be one."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"a user's name is made of at most 64 letters, digits and . _ @ -, got {name!r}")
    if len(password) < SHORTEST:
        raise ConfigError(f"a password must have at least {SHORTEST} characters, got {len(password)}")
    salt = os.urandom(16)
    return f"{name}:scrypt${_N}${_R}${_P}${_text(salt)}${_text(_scrypt(password, salt, _N, _R, _P))}"


class Users:
    """Who may look, by name and password."""

    def __init__(self, lines: Mapping[str, str]) -> None:
        self._lines = dict(lines)
        self._nobody = hashed("nobody", base64.b64encode(os.urandom(12)).decode())

    @classmethod
    def read(cls, path: Path) -> "Users":
        """From a file; ConfigError, naming the line, where it cannot be used or others may change or read it."""
        try:
            mode, text = path.stat().st_mode, path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
        if mode & 0o077:
            raise ConfigError(f"{path} can be read or written by others than its owner; do: chmod 600 {path}")
        lines: dict[str, str] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip() and not line.startswith("#"):
                match = _LINE.fullmatch(line.strip())
                if match is None or not _NAME.fullmatch(match["name"]) or _memory(match) > _MOST_MEMORY:
                    raise ConfigError(f"{path}:{number}: no line of a user; make one by: hpo ui --hash-password")
                lines[match["name"]] = line.strip()
        if not lines:
            raise ConfigError(f"{path} names no user; make a line for one by: hpo ui --hash-password")
        return cls(lines)

    def stamp(self, name: str) -> str | None:
        """A text that is another one once the user has another password; None where nobody has this name."""
        line = self._lines.get(name)
        return None if line is None else hashlib.sha256(line.encode()).hexdigest()[:32]

    def is_right(self, name: str, password: str) -> bool:
        """Whether it is the user's password; takes as long for a name that nobody has."""
        line = self._lines.get(name)
        match = _LINE.fullmatch(line or self._nobody)
        if match is None:
            return False
        numbers = (int(match[key]) for key in ("n", "r", "p"))
        found = _scrypt(password, base64.b64decode(match["salt"]), *numbers)
        return hmac.compare_digest(found, base64.b64decode(match["hash"])) and line is not None


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"), salt=salt, n=n, r=r, p=p, maxmem=_MOST_MEMORY + (1 << 20), dklen=32
    )


def _memory(match: re.Match[str]) -> int:
    return 128 * int(match["n"]) * int(match["r"])


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
