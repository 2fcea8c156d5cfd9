"""The files of code that are in no commit: looked for by name, and read as far as they may be."""

import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hpo.masking import Secrets
from hpo.provenance.code_secrets import secret_in
from hpo.provenance.source_files import is_key_file, is_script, is_source_name, is_text, too_large

MOST = 10_000
"""Entries of untracked folders that are looked at: more are no code that somebody is writing."""
_NEVER = frozenset(
    """
    .git .hg .svn .dvc node_modules __pycache__ __pypackages__ site-packages dist-packages .venv .tox .nox .mypy_cache
    .pytest_cache .ruff_cache .ipynb_checkpoints .eggs mlruns mlartifacts wandb .neptune lightning_logs
    """.split()  # noqa: SIM905  # a list of quoted words reads worse
)
"""Folders of results, of caches and of code that others wrote."""


@dataclass
class Taken:
    """Files as they are taken, one by one, as long as `room` bytes are left; `left_out` says why others are not."""

    root: Path
    room: int
    secrets: Secrets
    files: dict[str, bytes] = field(default_factory=dict)
    executable: set[str] = field(default_factory=set)
    left_out: dict[str, str] = field(default_factory=dict)

    def take(self, path: str, *, named: bool = False) -> None:
        """Takes a file, if it may be; one that the sweep file has `named` may have any size there is room for."""
        if why := self._taken(path, named=named):
            self.left_out[path] = why

    def _taken(self, path: str, *, named: bool) -> str:
        if why := fault_of_name(path):
            return why
        place = self.root / path
        try:
            if place.is_symlink() and not named:
                return "it is a link"
            found = place.stat()
            if not stat.S_ISREG(found.st_mode):  # reading a pipe would wait for ever
                return "it is no file"
            size = found.st_size
            if size > self.room or (not named and too_large(path, size)):
                return f"it is too large: {size:,} bytes"
            content = place.read_bytes()
        except OSError as error:
            return f"it cannot be read: {error.strerror}"
        if not is_text(content):
            return "it is no text"
        if why := secret_in(path, content, self.secrets) or secret_in(path, path.encode(), self.secrets):
            return why
        self.files[path] = content
        self.room -= len(content)
        if os.access(place, os.X_OK):
            self.executable.add(path)
        return ""


def fault_of_name(path: str) -> str:
    """Why a file of that name is not taken; empty where it may be."""
    if is_key_file(path):
        return "it holds keys by its name"
    try:
        path.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    return ""


def sources_among(root: Path, paths: Sequence[str], skip: Collection[Path]) -> tuple[Sequence[str], Mapping[str, str]]:
    """Which of these untracked paths are code, and why some were not looked at; what ends in `/` is a folder."""
    looking = _Looking(root, frozenset(path.resolve() for path in skip))
    found = [path for given in paths for path in looking.below(given)]
    return found, looking.left_out


@dataclass
class _Looking:
    root: Path
    skip: frozenset[Path]
    left: int = MOST
    left_out: dict[str, str] = field(default_factory=dict)

    def below(self, path: str) -> Iterator[str]:
        self.left -= 1
        if self.left < 0:
            self.left_out["."] = f"more than {MOST} files are untracked; name what is no code in .gitignore"
        elif path.endswith("/"):
            yield from self._in_folder(path)
        elif is_source_name(path) or is_key_file(path) or is_script(self.root / path):
            yield path

    def _in_folder(self, path: str) -> Iterator[str]:
        folder = self.root / path
        name = path.rstrip("/").rpartition("/")[2]
        if name in _NEVER or name.endswith(".egg-info") or folder.resolve() in self.skip:
            return
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            self.left_out[path] = "it cannot be read"
            return
        names = {entry.name for entry in entries}
        if names & {".git", "pyvenv.cfg"}:
            self.left_out |= {path: "it is a repository of its own"} if ".git" in names else {}
            return
        if self.left < len(entries):
            self.left_out[path] = f"more than {MOST} files are untracked; name what is no code in .gitignore"
            return
        for entry in entries:
            below = path + entry.name
            yield from self.below(below + "/" if entry.is_dir(follow_symlinks=False) else below)
