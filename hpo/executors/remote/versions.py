"""The packages that decide what trials compute, or whether what was pickled can be loaded, and their versions."""

import logging
import threading
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

log = logging.getLogger(__name__)

COMPARED = (
    "numpy", "scipy", "scikit-learn", "pandas", "cloudpickle", "torch", "tensorflow", "jax", "xgboost", "lightgbm",
    "catboost",
)  # fmt: skip


class OtherVersions:
    """Says each way in which hosts differ from the driver once; may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: set[str] = set()

    def say(self, host: str, found: str) -> None:
        """`found` is what `differences` gave."""
        with self._lock:
            if not found or found in self._said:
                return
            self._said.add(found)
        text = "host %s, perhaps others too, has %s: trials may give other results there, or cannot be unpickled"
        log.warning(text, host, found)


def versions_here() -> str:
    """`numpy 2.3.1, scipy 1.16.0`: what of these is installed here."""
    return ", ".join(f"{name} {found}" for name in COMPARED if (found := _version(name)))


def differences(there: str, here: str) -> str:
    """`numpy 2.1.0 (here 2.3.1)`: what is installed at both places and differs, of what `versions_here` gave."""
    mine, its = _parsed(here), _parsed(there)
    common = [name for name in COMPARED if name in mine and name in its]
    return ", ".join(f"{name} {its[name]} (here {mine[name]})" for name in common if its[name] != mine[name])


def _parsed(text: str) -> Mapping[str, str]:
    return dict(item.partition(" ")[::2] for item in text.split(", "))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
