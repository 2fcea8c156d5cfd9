"""The page's own files: a fixed list, read from the package; its modules also joined to one script."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from hpo.report.joining import joined
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
SCRIPT = "page.js"
"""All modules in one: thirty-five requests take longer than the first reading of a thousand trials."""
VENDORED = "echarts.min.js"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")


class StaticFiles:
    """The files that were in the package when the server started; any other name is none of them."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._paths = {
            path.name: path
            for path in sorted(folder.iterdir())
            if _NAME.fullmatch(path.name) and path.suffix in TYPES and path.is_file() and not path.is_symlink()
        }
        self._modules = [path for name, path in self._paths.items() if path.suffix == ".js" and name != VENDORED]
        self._known: dict[str, tuple[object, Body]] = {}

    def get(self, name: str) -> Body | None:
        """A file, read again where it was changed; None where there is none of that name."""
        path = self._paths.get(name)
        try:
            if name == SCRIPT:
                return self._made(name, ".js", self._modules, self._joined)
            return None if path is None else self._made(name, path.suffix, [path], path.read_bytes)
        except OSError:
            return None

    def _made(self, name: str, suffix: str, paths: list[Path], make: Callable[[], bytes]) -> Body:
        stamp = [(found.st_mtime_ns, found.st_size) for found in (path.stat() for path in paths)]
        known = self._known.get(name)
        if known is None or known[0] != stamp:
            content = make()
            known = stamp, Body(content, hashlib.sha256(content).hexdigest()[:16], TYPES[suffix])
            self._known[name] = known
        return known[1]

    def _joined(self) -> bytes:
        return joined({path.name: path.read_text(encoding="utf-8") for path in self._modules}).encode()
