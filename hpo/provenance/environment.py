"""Which Python and which packages ran."""

import hashlib
import platform
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

PYTHON_TAG = "hpo.python"
ENVIRONMENT_TAG = "hpo.environment"


def environment_tags() -> Mapping[str, str]:
    """The version of Python, and a digest of all installed packages with their versions: equal for equal sets."""
    packages = installed()
    digest = hashlib.sha256("\n".join([platform.python_version(), *packages]).encode()).hexdigest()
    return {PYTHON_TAG: platform.python_version(), ENVIRONMENT_TAG: f"{len(packages)} packages, sha256 {digest[:36]}"}


@lru_cache(maxsize=1)
def installed() -> Sequence[str]:
    """The installed packages as `name-version`, sorted.

    Read off the names of their metadata folders (packaging.python.org, "Recording installed projects"): opening each,
    as importlib.metadata does, would cost every sweep a seventh of a second.
    """
    folders = (Path(entry or ".") for entry in sys.path)
    found = {path.name.removesuffix(".dist-info") for folder in folders for path in folder.glob("*.dist-info")}
    return sorted(name.lower().replace("_", "-") for name in found)
