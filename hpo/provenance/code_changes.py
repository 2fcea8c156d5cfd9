"""Which files of two captures of code differ, and how."""

import difflib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from hpo.errors import ProvenanceError
from hpo.masking import hide_patterns
from hpo.provenance.changed import Changed
from hpo.provenance.code import Code
from hpo.provenance.code_patch import DIFF, FilePatch, by_path, files_of
from hpo.provenance.code_tree import APPLY, write_file
from hpo.provenance.git import GitFailed, programs_of, run_git
from hpo.provenance.source_files import is_program_name
from hpo.scratch import own_prefix

_SHORT = 60
"""Characters of a line that is shown for itself."""
_NONE = "no commit"


def code_changes(before: Code, after: Code, repository: Path | None = None) -> Sequence[Changed]:
    """What differs, file by file, each with a unified diff; nothing where the content is the same.

    Programs come before what else there is, edited files before those that only one side has: what nobody calls may
    have come or gone, and changes nothing.
    Where commits or patches differ, both trees are put together from a repository that has the commits: the given one,
    or one of those they were captured in, if git runs no programs there. Without one the commits are named, and the
    files that differ on top of them.
    """
    if _content(before) == _content(after):
        return ()
    modules = _named(before.submodules, after.submodules)
    if before.commit and after.commit:
        recorded = [Path(code.root) for code in (after, before) if code.root]
        for place in dict.fromkeys([*([repository] if repository else []), *recorded]):
            try:
                if place != repository and programs_of(place):
                    continue  # the record says that it is a repository of ours
                return _likeliest_first([*_in_repository(before, after, place), *modules])
            except (GitFailed, ProvenanceError, OSError, ValueError):
                continue
    found = [*_patched(before, after), *_files(before.files, after.files), *modules]
    return [*_commits(before, after), *_likeliest_first(found)]


def _likeliest_first(changes: Sequence[Changed]) -> Sequence[Changed]:
    def weight(change: Changed) -> tuple[bool, bool]:
        head = change.detail.partition("\n@@ ")[0]  # a submodule has none, and may hold programs
        is_program = is_program_name(change.name) or not head
        return not is_program, "/dev/null" in head or " file mode " in head

    return sorted(changes, key=weight)


def counted(change: Changed) -> str:
    """How many lines a change of a file adds and removes: `+2 -1`; empty where that is not known."""
    lines = _lines(change.detail)
    added, removed = (sum(line.startswith(mark) for line in lines) for mark in "+-")
    return f"+{added} -{removed}" if added or removed else ""


def _content(code: Code) -> tuple[object, ...]:
    return code.commit, code.patch, dict(code.files), code.executable, dict(code.submodules)


def _in_repository(before: Code, after: Code, repository: Path) -> Sequence[Changed]:
    """By git, in a place of its own: nothing is written into the repository."""
    objects = os.fsdecode(run_git(repository, "rev-parse", "--git-path", "objects")).strip()
    with tempfile.TemporaryDirectory(prefix=own_prefix()) as scratch:
        info = Path(scratch, "objects", "info")
        info.mkdir(parents=True)
        info.joinpath("alternates").write_bytes(os.fsencode((repository / objects).resolve()) + b"\n")
        first = _tree(before, repository, Path(scratch), "before")
        second = _tree(after, repository, Path(scratch), "after")
        own = {"GIT_OBJECT_DIRECTORY": str(info.parent)}
        return [_changed(file) for file in files_of(run_git(repository, *DIFF, first, second, environment=own))]


def _tree(code: Code, repository: Path, scratch: Path, name: str) -> str:
    """The id of the tree that is the commit with its patch and its files."""
    folder = scratch / name
    folder.mkdir()
    own = {
        "GIT_OBJECT_DIRECTORY": str(scratch / "objects"),
        "GIT_INDEX_FILE": str(scratch / f"{name}.index"),
        "GIT_DIR": os.fsdecode(run_git(repository, "rev-parse", "--absolute-git-dir")).strip(),
        "GIT_WORK_TREE": str(folder),
    }
    run_git(folder, "read-tree", code.commit, environment=own)
    if code.patch:
        run_git(folder, *APPLY, stdin=code.patch, environment=own)
    for path, content in code.files.items():
        write_file(folder, path, content, executable=path in code.executable)
    names = b"\0".join(map(os.fsencode, code.files))
    run_git(folder, "update-index", "--add", "-z", "--stdin", stdin=names, environment=own)
    return run_git(folder, "write-tree", environment=own).decode().strip()


def _changed(file: FilePatch) -> Changed:
    text = hide_patterns(file.content.decode("utf-8", errors="replace"))
    return _of_diff(file.path, text)


def _of_diff(path: str, diff: str) -> Changed:
    """The change of a file: of both contents the first line that the other does not have."""
    lines = _lines(diff)
    first, second = (next((line[1:].strip() for line in lines if line.startswith(mark)), "") for mark in "-+")
    return Changed("code", path, _short(first), _short(second), diff)


def _lines(diff: str) -> Sequence[str]:
    """The lines of a diff that are added, removed or near."""
    return [line for line in diff.partition("\n@@ ")[2].splitlines()[1:] if not line.startswith("@@ ")]


def _short(line: str) -> str:
    return line if len(line) <= _SHORT else line[: _SHORT - 2] + ".."


def _commits(before: Code, after: Code) -> Sequence[Changed]:
    if before.commit == after.commit:
        return ()
    return [Changed("code", "commit", before.commit[:10] or _NONE, after.commit[:10] or _NONE)]


def _patched(before: Code, after: Code) -> Sequence[Changed]:
    """The files whose uncommitted changes differ; said by both patches, since there is nothing to apply them to."""
    first, second = by_path(before.patch), by_path(after.patch)
    return [
        Changed("code", path, _said(first.get(path)), _said(second.get(path)), _difference(first, second, path))
        for path in sorted({*first, *second})
        if first.get(path) != second.get(path)
    ]


def _said(file: FilePatch | None) -> str:
    return f"changed {file.counts}" if file else "as committed"


def _difference(first: Mapping[str, FilePatch], second: Mapping[str, FilePatch], path: str) -> str:
    texts = [side[path].content if path in side else b"" for side in (first, second)]
    return _diff(path, *texts)


def _files(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Sequence[Changed]:
    return [
        _of_diff(path, _diff(path, before.get(path), after.get(path)))
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    ]


def _diff(path: str, before: bytes | None, after: bytes | None) -> str:
    first, second = ((text or b"").decode("utf-8", errors="replace").splitlines() for text in (before, after))
    old, new = ("/dev/null" if text is None else f"{side}/{path}" for side, text in (("a", before), ("b", after)))
    return hide_patterns("\n".join(difflib.unified_diff(first, second, old, new, lineterm="")))


def _named(before: Mapping[str, str], after: Mapping[str, str]) -> Sequence[Changed]:
    """The submodules that are at another commit."""
    return [
        Changed("code", path, before.get(path, "")[:10], after.get(path, "")[:10])
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    ]
