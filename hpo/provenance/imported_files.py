"""Which files a program imports, found by reading it: nothing is imported for that."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

from hpo.provenance.source_files import LARGEST

MOST = 1000
"""Files that are read at most."""


def with_imported(files: Sequence[Path], search_path: Sequence[Path]) -> Sequence[Path]:
    """The files, and those below the search path that their `import` statements lead to, theirs too.

    A program's own folder is looked through as well, as Python does. What is imported by a computed name is not found.
    """
    found = dict.fromkeys(files)
    waiting = list(files)
    while waiting and len(found) < MOST:
        path = waiting.pop()
        if path.suffix != ".py":
            continue
        for imported in _imported(path, [path.parent, *search_path]):
            if imported not in found:
                found[imported] = None
                waiting.append(imported)
    return list(found)


def module_file(name: str, folders: Sequence[Path]) -> Path | None:
    """The file of a module of that dotted name in one of the folders."""
    for folder in folders:
        base = folder.joinpath(*name.split("."))
        for path in (base.with_name(base.name + ".py"), base / "__init__.py", base / "__main__.py"):
            if path.is_file():
                return path.resolve()
    return None


def _imported(path: Path, folders: Sequence[Path]) -> Iterator[Path]:
    for name, base in _names(path):
        parts = name.split(".") if name else []
        for end in range(len(parts) + 1):  # packages around a module are imported too
            where = [base] if base else folders
            if found := _file_of(parts[:end], where):
                yield found


def _file_of(parts: Sequence[str], folders: Sequence[Path]) -> Path | None:
    if parts:
        return module_file(".".join(parts), folders)
    init = folders[0] / "__init__.py"
    return init.resolve() if init.is_file() else None


def _names(path: Path) -> Iterator[tuple[str, Path | None]]:
    """What a file imports; a relative import with the folder that it starts from."""
    try:
        if path.stat().st_size > LARGEST:
            return
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = path.parents[node.level - 1] if 0 < node.level <= len(path.parents) else None
            module = node.module or ""
            yield module, base
            yield from ((f"{module}.{alias.name}".lstrip("."), base) for alias in node.names if alias.name != "*")
