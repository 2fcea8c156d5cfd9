"""The lock file of an environment: a requirements file that uv and pip can install, all versions exact."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from hpo.masking import MASK
from hpo.provenance.distributions import EDITABLE, normalised
from hpo.provenance.environment import Environment

OWN = "tracked-hpo"
"""This package: where an environment is made again, the hpo that is running is put into it."""

ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def requirements_text(environment: Environment) -> str:
    """One line a distribution; `uv pip install --no-deps -r` and pip take it as it is.

    Nothing is left to resolve, so no markers and no dependencies are needed. What lies in a folder of the machine that
    recorded it stands in a comment: a path there says nothing elsewhere.
    """
    head = f"# {environment.implementation} {environment.python}, {environment.platform}, {environment.machine}"
    lines = (_line(name, version, environment.sources.get(name, "")) for name, version in environment.packages.items())
    return "\n".join([head, *lines]) + "\n"


def pins(requirements: str) -> Mapping[str, str]:
    """The lines of a lock file that install something, by normalised name."""
    lines = (line.strip() for line in requirements.splitlines())
    named = ((line, _NAME.match(line)) for line in lines)
    return {normalised(match[0]): line for line, match in named if match}


def local_projects(environment: Environment) -> Mapping[str, Path]:
    """The folders that projects were installed from, by name; for what is this package, see `OWN`."""
    found = {name: _folder_of(source) for name, source in environment.sources.items() if name != OWN}
    return {name: folder for name, folder in found.items() if folder is not None}


def is_editable(environment: Environment, name: str) -> bool:
    """Whether a project was run from where it lies."""
    return environment.sources.get(name, "").startswith(EDITABLE)


def local_builds(requirements: Sequence[str]) -> Sequence[str]:
    """The pins with a local version (PEP 440), such as torch==2.4.0+cu121: no public index has those."""
    return [line for line in requirements if "==" in line and "+" in line.partition("==")[2].partition("#")[0]]


def _line(name: str, version: str, source: str) -> str:
    if _folder_of(source) is not None:
        return f"# {name}=={version} from {source}"
    if source.startswith("file:") or MASK in source:  # an index may have it too; the URL leads nowhere elsewhere
        return f"{name}=={version}  # from {source}"
    return f"{name} @ {source}" if source else f"{name}=={version}"


def _folder_of(source: str) -> Path | None:
    parts = urlsplit(source.removeprefix(EDITABLE))
    if parts.scheme != "file" or parts.path.endswith(ARCHIVES):
        return None
    folder = Path(unquote(parts.path))
    within = parts.fragment.removeprefix("subdirectory=") if parts.fragment.startswith("subdirectory=") else ""
    return folder / within
