"""Makes an empty environment of a recorded version of Python."""

import logging
import platform
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from hpo.errors import ProvenanceError
from hpo.provenance.environment import Environment
from hpo.provenance.installers import CannotInstall, Installer, Pip

log = logging.getLogger(__name__)


def make_python(target: Path, environment: Environment, installer: Installer) -> None:
    """The recorded version; failing that, another of the same minor version, for which packages are built alike.

    Raises ProvenanceError where neither is here nor can be fetched.
    """
    said = []
    for python in dict.fromkeys([_recorded(environment), *_alike(environment)]):
        try:
            installer.make(target, python)
        except CannotInstall as error:
            said.append(str(error))
            shutil.rmtree(target, ignore_errors=True)
            continue
        if python != _recorded(environment):
            log.warning("Python %s was recorded and is not to be had; taking another of its kind", environment.python)
        return
    raise ProvenanceError(
        f"{environment.implementation} {environment.python} was recorded and is not to be had here; "
        f"{_way_out(environment, installer)}, or replay with --env current\n{said[0] if said else ''}".strip()
    )


def _recorded(environment: Environment) -> str:
    """The running Python where it is of the recorded version, since it is here; else the version."""
    if _here(environment) and platform.python_version() == environment.python:
        return sys.executable
    return f"{environment.implementation.lower()}@{environment.python}"


def _alike(environment: Environment) -> Sequence[str]:
    minor = _minor(environment.python)
    running = [sys.executable] if _here(environment) and _minor(platform.python_version()) == minor else []
    return [*running, f"{environment.implementation.lower()}@{minor}"]


def _here(environment: Environment) -> bool:
    return environment.implementation == platform.python_implementation()


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _way_out(environment: Environment, installer: Installer) -> str:
    if isinstance(installer, Pip):
        return "install uv, which finds or fetches any Python (pip install uv)"
    return f"install it (uv python install {environment.python})"
