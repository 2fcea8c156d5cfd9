"""A patch as git writes it, file by file, so that single files can be left out of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

DIFF = (
    "diff", "--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames",
    "--no-relative", "--ignore-submodules=all", "--src-prefix=a/", "--dst-prefix=b/", "-U3", "--inter-hunk-context=0",
    "--diff-algorithm=default", "--no-function-context", "-O/dev/null",
)  # fmt: skip
"""The command that writes a patch which applies again, whatever is configured."""

_START = re.compile(rb"^diff --git ", re.MULTILINE)
_ESCAPED = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_LETTERS = {b"a": 7, b"b": 8, b"t": 9, b"n": 10, b"v": 11, b"f": 12, b"r": 13, b'"': 34, b"\\": 92}
_BINARY = re.compile(rb"^GIT binary patch\n(?:literal|delta) [0-9]+\n(?:[^\n]+\n)*\n", re.MULTILINE)
_UNMERGED = re.compile(rb"^\* Unmerged path [^\n]*\n", re.MULTILINE)


@dataclass(frozen=True)
class FilePatch:
    """What a patch does to one file; `path` as the file system has it, `content` the lines of the patch."""

    path: str
    content: bytes

    @property
    def is_binary(self) -> bool:
        """Whether the content cannot be read in the patch."""
        return b"\nGIT binary patch\n" in self.content

    @property
    def text(self) -> bytes:
        """The lines of the file that stand in the patch, added, removed or neither, without the marks before them."""
        return re.sub(rb"(?m)^[ +-]", b"", self.content)

    @property
    def counts(self) -> str:
        """How many lines are added and removed: `+2 -1`."""
        hunks = self.content.partition(b"\n@@ ")[2]
        if self.is_binary or not hunks:
            return "binary" if self.is_binary else "mode"
        lines = hunks.splitlines()[1:]
        added, removed = (sum(line.startswith(mark) for line in lines) for mark in (b"+", b"-"))
        return f"+{added} -{removed}"


def files_of(patch: bytes) -> Sequence[FilePatch]:
    """The patch file by file.

    Of binary files only what leads to the new content is kept: the rest, by which a patch is undone, holds the old one.
    """
    patch = _UNMERGED.sub(b"", patch)
    starts = [found.start() for found in _START.finditer(patch)]
    parts = [patch[start:end] for start, end in pairwise([*starts, len(patch)])]
    return [FilePatch(_path(part), _forward(part)) for part in parts]


def patch_of(files: Sequence[FilePatch]) -> bytes:
    """The files as one patch."""
    return b"".join(file.content for file in files)


def by_path(patch: bytes) -> Mapping[str, FilePatch]:
    """The files of a patch by their paths; what becomes a link is there once, too."""
    found: dict[str, FilePatch] = {}
    for file in files_of(patch):
        before = found[file.path].content if file.path in found else b""
        found[file.path] = FilePatch(file.path, before + file.content)
    return found


def _forward(part: bytes) -> bytes:
    found = _BINARY.search(part)
    return part[: found.end()] if found else part


def _path(part: bytes) -> str:
    """The path in `diff --git a/PATH b/PATH`: both are the same, for renames are not looked for."""
    names = part[len(b"diff --git ") : part.index(b"\n")]
    first = names[: (len(names) - 1) // 2]
    if first.startswith(b'"'):
        first = _ESCAPED.sub(_unescaped, first[1:-1])
    return first.removeprefix(b"a/").decode("utf-8", "surrogateescape")


def _unescaped(found: re.Match[bytes]) -> bytes:
    code = found[1]
    return bytes([int(code, 8) if len(code) == 3 else _LETTERS[code]])
