"""Captures the code around a sweep: by git what differs from a commit, without git the files that were loaded."""

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hpo.provenance.code import Code, CodeSettings
from hpo.provenance.code_files import Taken, sources_among
from hpo.provenance.code_patch import DIFF, FilePatch, files_of, patch_of
from hpo.provenance.code_secrets import secret_in
from hpo.provenance.git import GitFailed, run_git
from hpo.provenance.imported_files import with_imported
from hpo.provenance.repository import WorkingTree, ignored, root_around, together, working_tree
from hpo.provenance.source_files import is_key_file

NO_REPOSITORY = "not in a git repository"
_PEM = (b"PRIVATE KEY-----", b"PRIVATE KEY BLOCK-----")


def captured_code(folder: Path, started_in: Path, modules: Sequence[Path], settings: CodeSettings) -> Code:
    """The code of the sweep whose file lies in `folder`, started in another one; never fails.

    `modules` are the files of code that it names or has loaded: they are taken where they are in no commit.
    """
    folder, started_in = folder.resolve(), started_in.resolve()
    try:
        return _captured(folder, started_in, list(dict.fromkeys(path.resolve() for path in modules)), settings)
    except (OSError, ValueError) as error:  # a folder that may not be looked into, a name that is none
        return _placed(Code(without=str(error)), folder, folder, started_in)


def _captured(folder: Path, started_in: Path, modules: Sequence[Path], settings: CodeSettings) -> Code:
    around = _root_of(folder, modules)
    why = NO_REPOSITORY
    if around is not None:
        try:
            tree = working_tree(around)
            return _placed(_by_git(tree, modules, settings), tree.root, folder, started_in)
        except GitFailed as error:
            why = str(error)
    found = with_imported(modules, [folder, started_in])
    root = around or _common(folder, found)
    code = _by_files(root, found, settings) if settings.diff else Code()
    return _placed(replace(code, without=why), root, folder, started_in)


def _root_of(folder: Path, modules: Sequence[Path]) -> Path | None:
    """The repository of the code: the one around the sweep file, unless only another one holds what is loaded."""
    own = root_around(folder)
    if modules and not (own and any(path.is_relative_to(own) for path in modules)):
        return next(filter(None, map(root_around, modules)), own)
    return own


def _placed(code: Code, root: Path, folder: Path, started_in: Path) -> Code:
    return replace(code, root=str(root), folder=_relative(folder, root), started_in=_relative(started_in, root))


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _common(folder: Path, files: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([folder, *(path.parent for path in files)]))


def _by_files(root: Path, files: Sequence[Path], settings: CodeSettings) -> Code:
    taken = Taken(root, settings.max_size, settings.secrets)
    for path in files:
        taken.take(_relative(path, root), named=True)
    return Code(files=taken.files, executable=frozenset(taken.executable), left_out=taken.left_out)


def _by_git(tree: WorkingTree, modules: Sequence[Path], settings: CodeSettings) -> Code:
    """What git knows; with nothing committed yet all files are untracked ones."""
    unclean = dict.fromkeys(tree.unclean, "it is a submodule with uncommitted changes")
    code = Code(tree.commit, tree.branch, tree.remote, dirty=tree.dirty, submodules=tree.submodules, left_out=unclean)
    if not settings.diff:
        return code
    own = [_relative(path, tree.root) for path in modules if path.is_relative_to(tree.root)]
    outside = [str(path) for path in modules if not path.is_relative_to(tree.root)]
    # what lies where a file was, git does not show as untracked
    replaced = [f"{path}/" for path in tree.changed if _is_folder(tree.root / path)]
    candidates = [*tree.untracked, *replaced, *([] if tree.commit else tree.changed)]
    sources, unseen = sources_among(tree.root, candidates, settings.skip)
    wanted = [path for path in dict.fromkeys([*own, *sources]) if not _is_below(path, tree.submodules)]
    large = _unreadable(tree, settings)
    patch, hidden = together(
        lambda: _patch(tree, list(large)), lambda: b"\0".join(map(os.fsencode, ignored(tree.root, wanted)))
    )
    ignored_paths = {os.fsdecode(path) for path in hidden.split(b"\0")}
    taken = Taken(tree.root, settings.max_size, settings.secrets)
    taken.left_out |= {**unclean, **unseen, **large, **dict.fromkeys(outside, f"it is not in {tree.root}")}
    kept = _without_secrets(patch, taken, settings)
    untracked = set(candidates)
    for path in wanted:
        if path in ignored_paths:
            if path in own:
                taken.left_out[path] = "git ignores it"
        elif path in sources or _is_among(path, untracked):
            taken.take(path, named=path in own)
    return replace(code, patch=kept, files=taken.files, executable=frozenset(taken.executable), left_out=taken.left_out)


def _unreadable(tree: WorkingTree, settings: CodeSettings) -> Mapping[str, str]:
    """Which changed files are not even looked at, and why; git refuses to compare anything where a pipe is one."""
    found = {path: _looks(tree.root / path) for path in tree.changed}
    sizes = {path: looks.st_size for path, looks in found.items() if looks}
    others = [path for path, looks in found.items() if looks and not _is_comparable(looks.st_mode)]
    large = {path: f"it is too large: {size:,} bytes" for path, size in sizes.items() if size > settings.max_size}
    return {**large, **dict.fromkeys(others, "it is no file")}


def _patch(tree: WorkingTree, without: Sequence[str]) -> bytes:
    """What turns the commit into what is there, but for some files."""
    if not tree.commit or not tree.changed:
        return b""
    return run_git(tree.root, *DIFF, "HEAD", "--", ".", *(f":(top,exclude,literal){path}" for path in without))


def _without_secrets(patch: bytes, taken: Taken, settings: CodeSettings) -> bytes:
    """The patch without the files that hold secrets or for which there is no room; those are named as left out."""
    kept: list[FilePatch] = []
    for file in files_of(patch):
        why = _fault(file, taken.root, settings)
        if not why and len(file.content) > taken.room:
            why = f"its changes are too large: {len(file.content):,} bytes"
        if why:
            taken.left_out[file.path] = why
        else:
            kept.append(file)
            taken.room -= len(file.content)
    return patch_of([file for file in kept if file.path not in taken.left_out])


def _fault(file: FilePatch, root: Path, settings: CodeSettings) -> str:
    if is_key_file(file.path):
        return "it holds keys by its name"
    found = secret_in(file.path, file.text, settings.secrets)
    if found:
        return found
    # of a binary file nothing can be read in the patch; and of a long key only a part may have changed
    now = _content(root / file.path)
    if file.is_binary:
        return secret_in(file.path, now, settings.secrets)
    return "it holds a private key" if any(mark in now for mark in _PEM) else ""


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes() if path.is_file() and not path.is_symlink() else b""
    except OSError:
        return b""


def _looks(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except OSError:
        return None


def _is_comparable(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(path.startswith(f"{folder}/") for folder in folders)


def _is_among(path: str, untracked: set[str]) -> bool:
    """Whether a file is untracked, by itself or because a folder around it is."""
    parts = path.split("/")
    return path in untracked or any("/".join(parts[:end]) + "/" in untracked for end in range(1, len(parts)))
