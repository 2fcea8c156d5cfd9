"""What git knows of a working tree: commit, changed files, files it does not track, submodules."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from hpo.provenance.git import run_git, without_password

_STATUS = (
    "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal", "--ignore-submodules=none",
    "--no-renames", "--no-ahead-behind",
)  # fmt: skip
_LINK = "160000"
"""The mode of a submodule in git's index."""


@dataclass(frozen=True)
class WorkingTree:
    """A working tree as git sees it; paths are relative to `root`, folders among the untracked end in `/`.

    `changed` are tracked files that differ from the commit, `submodules` their commits, `unclean` those of them that
    hold changes of their own.
    """

    root: Path
    commit: str = ""
    branch: str = ""
    remote: str = ""
    changed: Sequence[str] = ()
    untracked: Sequence[str] = ()
    submodules: Mapping[str, str] = field(default_factory=dict)
    unclean: Sequence[str] = ()

    @property
    def dirty(self) -> bool:
        """Whether anything that is tracked differs from the commit."""
        return bool(self.changed or self.unclean)


@dataclass(frozen=True)
class _Entry:
    path: str
    submodule: str


def root_around(path: Path) -> Path | None:
    """The nearest folder around a path that looks like a repository; asks nobody."""
    return next((folder for folder in (path, *path.parents) if (folder / ".git").exists()), None)


def working_tree(folder: Path) -> WorkingTree:
    """The working tree around a folder; GitFailed without git, a working tree, or the right to look."""
    top, status, remotes = together(
        lambda: run_git(folder, "rev-parse", "--show-toplevel"),
        lambda: run_git(folder, *_STATUS),
        lambda: run_git(folder, "config", "-z", "--get-regexp", r"^remote\..*\.url$", allowed=(0, 1)),
    )
    root = Path(os.fsdecode(top.removesuffix(b"\n")))
    facts, entries, untracked = _parsed(status)
    moved = [entry.path for entry in entries if entry.submodule.startswith("SC")]
    return WorkingTree(
        root=root,
        commit=facts.get("branch.oid", "").replace("(initial)", ""),
        branch=facts.get("branch.head", "").replace("(detached)", "HEAD"),
        remote=_remote(remotes),
        changed=[entry.path for entry in entries if not entry.submodule.startswith("S")],
        untracked=untracked,
        submodules=submodules_of(root, moved=moved),
        unclean=[entry.path for entry in entries if entry.submodule[2:].strip(".")],
    )


def together(*questions: Callable[[], bytes]) -> Sequence[bytes]:
    """The answers to several questions that are asked at the same time; the first error where one fails."""
    with ThreadPoolExecutor(len(questions)) as pool:
        return [answer.result() for answer in [pool.submit(question) for question in questions]]


def ignored(root: Path, paths: Sequence[str]) -> frozenset[str]:
    """Which of these paths git ignores; tracked ones never are."""
    if not paths:
        return frozenset()
    names = b"".join(b"./" + os.fsencode(path) + b"\0" for path in paths)  # or a name with : in front is an expression
    found = run_git(root, "check-ignore", "-z", "--stdin", stdin=names, allowed=(0, 1))
    return frozenset(path.removeprefix("./") for path in _split(found))


def submodules_of(root: Path, listed: Path | None = None, moved: Sequence[str] = ()) -> Mapping[str, str]:
    """The commit of each submodule that is checked out below the root: its own for the `moved`, else the index's.

    With `listed` it is the index of that working tree, of the same repository.
    """
    listed = listed or root
    if not moved and not (listed / ".gitmodules").exists():
        return {}
    lines = (line.partition("\t") for line in _split(run_git(listed, "ls-files", "--stage", "-z")))
    found = {path: facts.split(" ")[1] for facts, _, path in lines if facts.startswith(_LINK)}
    found = {path: commit for path, commit in found.items() if (root / path / ".git").exists()}
    for path in found.keys() & set(moved):
        found[path] = os.fsdecode(run_git(root / path, "rev-parse", "HEAD")).strip()
    return found


def _parsed(status: bytes) -> tuple[Mapping[str, str], Sequence[_Entry], Sequence[str]]:
    """What `git status --porcelain=v2` says (git-scm.com/docs/git-status, "Porcelain Format Version 2")."""
    facts: dict[str, str] = {}
    entries: list[_Entry] = []
    untracked: list[str] = []
    for line in _split(status):
        kind, _, rest = line.partition(" ")
        if kind == "#":
            name, _, value = rest.partition(" ")
            facts[name] = value
        elif kind in ("1", "u"):
            fields = rest.split(" ", 7 if kind == "1" else 9)
            entries.append(_Entry(fields[-1], fields[1]))
        elif kind == "?":
            untracked.append(rest)
    return facts, entries, untracked


def _remote(listed: bytes) -> str:
    """Where the repository came from, without user and password: its origin, else its first remote."""
    remotes = dict(entry.partition("\n")[::2] for entry in _split(listed))
    url = remotes.get("remote.origin.url") or next(iter(remotes.values()), "")
    return without_password(url)


def _split(listed: bytes) -> list[str]:
    return [os.fsdecode(part) for part in listed.split(b"\0") if part]
