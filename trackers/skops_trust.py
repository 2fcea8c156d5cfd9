"""Which types a skops file may name: scikit-learn's, numpy's and scipy's sparse ones, and nothing that reads files.

skops trusts a list of its own (https://skops.readthedocs.io, "persistence"). What it leaves to the user is decided
here by the type's name, and by where the type is really defined, because a module's attribute may be somebody else's.
"""

import importlib
import re
from collections.abc import Sequence

from trackers.errors import ModelError

_ALLOWED = re.compile(r"(sklearn|scipy\.sparse)(\.\w+)+|numpy\.\w+")
_DENIED = re.compile(
    r"sklearn\.(datasets|externals|conftest|_build_utils|_min_dependencies|utils\._testing|utils\._show_versions"
    r"|utils\._mocking)(\..*)?"
    r"|.*\.tests?\..*"
    # numpy's readers and writers of files: numpy.load unpickles
    r"|numpy\.(load\w*|save\w*|from\w*|genfromtxt|memmap|DataSource|getbuffer|test|info|show_\w+|get_include|f2py"
    r"|ctypeslib|lib|testing|os|sys|core|_\w+)"
    r"|scipy\.sparse\.(load|save)\w*|scipy\.sparse\._matrix_io\..*"
)


def check_types(names: Sequence[str], *, place: str) -> list[str]:
    """The names, sorted, if every one is allowed; else `ModelError` that names the others and the way out."""
    refused = sorted(name for name in names if not is_allowed(name))
    if refused:
        raise ModelError(
            f"{place} holds types that are not known to be safe: {', '.join(refused)}. Only types of scikit-learn and "
            f"numpy are saved and loaded in the skops format; replace them, or allow pickle, which runs any code "
            f"that whoever can change the file puts into it"
        )
    return sorted(names)


def is_allowed(name: str) -> bool:
    """Whether a type or function, by its full name, may be part of a model."""
    if not _ALLOWED.fullmatch(name) or _DENIED.fullmatch(name):
        return False
    module, _, attribute = name.rpartition(".")
    return _is_defined_in(module, attribute)


def _is_defined_in(module: str, attribute: str) -> bool:
    """False for what a module merely imported, such as `sklearn.x.check_output`."""
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError):
        return False
    return callable(found) and getattr(found, "__module__", None) == module
