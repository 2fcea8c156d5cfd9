"""Which distributions are installed, in which exact versions, and from where."""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hpo.masking import hide_patterns
from hpo.provenance.git import without_password

EDITABLE = "-e "
"""How the source of a project begins that is run from where it lies, as in a requirements file."""

_FOLDER = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._]*)-(?P<version>[^-]+)(?:-py[0-9.]+(?:-.+)?)?\.(?:dist|egg)-info"
)
_BARE = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\.egg-info")
_VERSION = re.compile(r"^Version:[ \t]*(\S+)", re.MULTILINE)
_SEPARATORS = re.compile(r"[-_.]+")


@dataclass(frozen=True)
class Distribution:
    """One installed distribution: `name` normalised, `source` its direct URL, empty where it came from an index."""

    name: str
    version: str
    source: str = ""
    told: bool = field(default=False, compare=False, repr=False)
    """Whether the installer has told the source (PEP 610)."""


def installed(search_path: Sequence[str] | None = None) -> Sequence[Distribution]:
    """All distributions on Python's search path, by name; of several with one name, the one that is imported.

    Versions are read off the names of their metadata folders (packaging.python.org, "Recording installed projects"):
    opening each, as importlib.metadata does, would cost every sweep a seventh of a second.
    """
    found: dict[str, list[Distribution]] = {}
    for folder in dict.fromkeys(sys.path if search_path is None else search_path):
        for distribution in _in_folder(Path(folder or ".")):
            found.setdefault(distribution.name, []).append(distribution)
    return [_first(found[name]) for name in sorted(found)]


def normalised(name: str) -> str:
    """The name by which indexes know a distribution (PEP 503)."""
    return _SEPARATORS.sub("-", name).lower()


def _first(same_name: Sequence[Distribution]) -> Distribution:
    """The one that is imported, as it was installed.

    A project that is run from where it lies is often found twice: by what a build left in its folder, which is on the
    search path too, and by what says how it was installed.
    """
    first = same_name[0]
    told = (each for each in same_name if each.version == first.version and each.told)
    return next(told, first)


def _in_folder(folder: Path) -> Iterator[Distribution]:
    try:
        entries = sorted(path for path in folder.iterdir() if path.name.endswith(("-info", ".egg")))
    except OSError:  # no folder: a zip file of the standard library, say
        return
    for path in entries:
        info = path / "EGG-INFO" if path.suffix == ".egg" else path
        match = _FOLDER.fullmatch(path.name.removesuffix(".egg") + (".egg-info" if path.suffix == ".egg" else ""))
        if match is None:
            match = _BARE.fullmatch(path.name)
            version = _stated(info) if match else ""
        else:
            version = match["version"] if "_" not in match["version"] else _stated(info) or match["version"]
        if match and version:
            source = _source(info)
            lies_there = not source and match.re is _BARE and not _is_for_packages(folder)
            yield Distribution(
                normalised(match["name"]), version, _project(folder) if lies_there else source, bool(source)
            )


def _stated(info: Path) -> str:
    """The version as the metadata have it."""
    for path in (info / "METADATA", info / "PKG-INFO", info):
        with suppress(OSError):
            match = _VERSION.search(path.read_text("utf-8", errors="replace"))
            return match[1] if match else ""
    return ""


def _is_for_packages(folder: Path) -> bool:
    return folder.name in ("site-packages", "dist-packages")


def _project(folder: Path) -> str:
    """The project whose modules lie in that folder, as the source of what is run from there."""
    holds = (
        each for each in (folder, folder.parent) if (each / "pyproject.toml").exists() or (each / "setup.py").exists()
    )
    return f"{EDITABLE}{next(holds, folder).absolute().as_uri()}"


def _source(info: Path) -> str:
    """Where it was installed from, by its `direct_url.json` (PEP 610), as a requirements file says it.

    Conda's packages bring the folder on the machine that built them; they come from an index of its own kind.
    """
    try:
        data = json.loads((info / "direct_url.json").read_bytes())
        installer = info / "INSTALLER"
        return "" if installer.exists() and installer.read_text().strip() == "conda" else _written(data)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""


def _written(data: Mapping[str, Mapping[str, object]]) -> str:
    url = str(data["url"])
    if "://git@" not in url:  # the user of every ssh server of git; PEP 610 leaves it in too
        url = hide_patterns(without_password(url))
    within = [f"subdirectory={data['subdirectory']}"] if data.get("subdirectory") else []
    if vcs := data.get("vcs_info"):
        return _with_fragment(f"{vcs['vcs']}+{url}@{vcs['commit_id']}", within)
    if archive := data.get("archive_info"):
        hashes = archive.get("hashes")
        sha256 = hashes.get("sha256") if isinstance(hashes, Mapping) else None
        written = f"sha256={sha256}" if sha256 else str(archive.get("hash") or "")
        return _with_fragment(url, [*within, *([written] if written else [])])
    editable = data.get("dir_info", {}).get("editable")
    return _with_fragment(f"{EDITABLE if editable else ''}{url}", within)


def _with_fragment(url: str, parts: Sequence[str]) -> str:
    return f"{url}#{'&'.join(parts)}" if parts else url
