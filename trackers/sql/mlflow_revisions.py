"""Which revisions of the database the installed MLflow knows, read off its migrations without importing it.

Importing MLflow takes seconds; this takes milliseconds.
"""

import ast
import importlib.util
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

_FOLDER = Path("store", "db_migrations", "versions")


def head() -> str | None:
    """The revision that the installed MLflow works with; None where MLflow is not installed."""
    known = chain()
    return known[-1] if known else None


def since(revision: str) -> Sequence[str]:
    """The revisions after one, oldest first: empty at the head, and for a revision the installed MLflow lacks."""
    known = chain()
    return known[known.index(revision) + 1 :] if revision in known else []


def is_known(revision: str) -> bool:
    """Whether the installed MLflow can upgrade from a revision, or is at it."""
    return revision in chain()


def is_installed() -> bool:
    """Whether there is an MLflow here."""
    return importlib.util.find_spec("mlflow") is not None


@cache
def chain() -> Sequence[str]:
    """All revisions, oldest first; empty where there are none, or where they are no chain."""
    spec = importlib.util.find_spec("mlflow")
    if spec is None or not spec.submodule_search_locations:
        return []
    followers: dict[str | None, str] = {}
    for place in spec.submodule_search_locations:
        for path in (Path(place) / _FOLDER).glob("*.py"):
            names = _assigned(path)
            if names.get("revision"):
                followers[names.get("down_revision")] = str(names["revision"])
    found: list[str] = []
    current = followers.get(None)
    while current is not None and current not in found:
        found.append(current)
        current = followers.get(current)
    return found


def _assigned(path: Path) -> Mapping[str | None, str | None]:
    """The texts that a migration's file assigns to names, such as its `revision`."""
    found: dict[str | None, str | None] = {}
    for node in ast.parse(path.read_text("utf-8")).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        ):
            found[node.targets[0].id] = node.value.value if isinstance(node.value.value, str) else None
    return found
