"""The page's own files: a fixed list, read from the package."""

import hashlib
import re
from pathlib import Path

from hpo.web.answers import Body

FOLDER = Path(__file__).with_name("static")
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
SHELL = "index.html"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")


class StaticFiles:
    """The files that were in the package when the server started; any other name is none of them."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._paths = {
            path.name: path
            for path in sorted(folder.iterdir())
            if _NAME.fullmatch(path.name) and path.suffix in TYPES and path.is_file() and not path.is_symlink()
        }
        self._known: dict[str, tuple[tuple[int, int], Body]] = {}

    def get(self, name: str) -> Body | None:
        """A file, read again where it was changed; None where there is none of that name."""
        path = self._paths.get(name)
        if path is None:
            return None
        try:
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_size)
            known = self._known.get(name)
            if known is None or known[0] != stamp:
                content = path.read_bytes()
                known = stamp, Body(content, hashlib.sha256(content).hexdigest()[:16], TYPES[path.suffix])
                self._known[name] = known
        except OSError:
            return None
        return known[1]
