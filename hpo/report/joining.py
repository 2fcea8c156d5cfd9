"""Joins the page's modules into one script: a file that is opened from disk can import nothing.

The modules keep to a convention (held by a test): imports of names from `./x.js` stand at the top, a line each; what is
exported is declared where it is exported; no two modules declare the same name.
"""

import re
from collections.abc import Mapping

FIRST = "main.js"
_IMPORT = re.compile(r'^import (?:\{[^}]*\} from )?"\./([a-z0-9-]+\.js)";\n', re.M)
_EXPORT = re.compile(r"^export (?=(?:async )?function |const |let |class )", re.M)
_OTHER = re.compile(r"^\s*(?:import\b|export\b).*", re.M)


def joined(modules: Mapping[str, str], first: str = FIRST) -> str:
    """The module and all it imports, each after those that it imports itself, as one script; ValueError where a
    module does not keep to the convention."""
    order: dict[str, None] = {}
    _visit(first, modules, order, set())
    body = "\n".join(_bare(name, modules[name]) for name in order)
    return f"(() => {{\n'use strict';\n{body}\n}})();\n"


def _visit(name: str, modules: Mapping[str, str], order: dict[str, None], entered: set[str]) -> None:
    if name in entered:
        return
    entered.add(name)
    for imported in _IMPORT.findall(modules[name]):
        _visit(imported, modules, order, entered)
    order[name] = None


def _bare(name: str, text: str) -> str:
    bare = _EXPORT.sub("", _IMPORT.sub("", text))
    if other := _OTHER.search(bare):
        raise ValueError(f"{name}: {other.group().strip()!r} cannot be joined")
    return bare
