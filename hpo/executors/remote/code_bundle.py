"""The user's own modules on their way to a host that does not see the driver's files."""

import io
import os
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from hpo.errors import ConfigError

LIMIT = 20 * 2**20
"""Bytes of all sources together."""

SECONDS = 20.0
"""For looking through all folders."""

_NO_MODULES = frozenset({"site-packages", "dist-packages", "node_modules", "__pycache__", "mlruns"})
_EPOCH = (1980, 1, 1, 0, 0, 0)
_WAY_OUT = "start in a smaller folder, or install your code there as a package"


def pack(search_path: Sequence[str]) -> bytes:
    """The Python files below these folders as a zip, one folder in it for each: equal for equal files.

    Only what can be imported from there: what is hidden, virtual environments, folders whose name is no module's and
    what links lead to is left out. ConfigError beyond the limits of size and time.
    """
    content, sizes, until = io.BytesIO(), Counter[Path](), time.monotonic() + SECONDS
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number, root in enumerate(map(Path, search_path)):
            archive.writestr(zipfile.ZipInfo(f"{number}/", _EPOCH), b"")
            for path in _sources(root, until):
                below = path.relative_to(root)
                sizes[root / below.parts[0]] += path.stat().st_size
                if sizes.total() > LIMIT:
                    raise ConfigError(_too_large(root, sizes))
                name = f"{number}/{below.as_posix()}"
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return content.getvalue()


def unpack(bundle: bytes, folder: Path) -> list[str]:
    """Unpacks a bundle into a new folder; the folders for the search path, in their order."""
    folder.mkdir()
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        archive.extractall(folder)
    return [str(root) for root in sorted(folder.iterdir(), key=lambda root: int(root.name))]


def _sources(root: Path, until: float) -> Iterator[Path]:
    for count, (where, folders, files) in enumerate(os.walk(root)):
        here = Path(where)
        if time.monotonic() > until:
            raise ConfigError(
                f"looking for the Python files below {root}, to send them to other hosts, takes more than {SECONDS:.0f}"
                f" s: {count:,} folders so far, the last one {here}; {_WAY_OUT}"
            )
        folders[:] = sorted(name for name in folders if _may_hold_modules(here / name))
        yield from (here / name for name in sorted(files) if _is_module(name) and _is_readable(here / name))


def _too_large(root: Path, sizes: Counter[Path]) -> str:
    (largest, size) = sizes.most_common(1)[0]
    return (
        f"the Python files below {root} are too many to be sent to other hosts (over {LIMIT // 2**20} MiB, "
        f"{size / 2**20:.1f} MiB of them in {largest}): {_WAY_OUT}"
    )


def _may_hold_modules(folder: Path) -> bool:
    is_package = folder.name.isidentifier() and folder.name not in _NO_MODULES
    return is_package and not folder.is_symlink() and not (folder / "pyvenv.cfg").exists()


def _is_module(name: str) -> bool:
    """Whether it can be imported, somehow; what editors hide beside it cannot."""
    return name.endswith(".py") and name.isprintable() and not name.startswith(".")


def _is_readable(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and os.access(path, os.R_OK)
