"""Which code a sweep ran: its commit, what differs from that, and the files that are in no commit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hpo.masking import Secrets

MIB = 1024 * 1024


@dataclass(frozen=True)
class Code:
    """Code as it was, whole given its commit: `patch` turns the commit into it, `files` come on top.

    `root` is the repository on the machine that recorded it, without git the folder that holds all `files`; `folder`,
    where the sweep file lay, and `started_in` are relative to it where they are inside, else absolute. Paths in
    `files`, `executable` (which of them may be executed), `left_out` (path: why) and `submodules` (path: commit) are
    relative to `root`, with slashes. Without git `commit` is empty and `files` are all there is; `without` says why.
    """

    commit: str = ""
    branch: str = ""
    remote: str = ""
    root: str = ""
    folder: str = "."
    started_in: str = "."
    dirty: bool = False
    patch: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)
    executable: frozenset[str] = frozenset()
    left_out: Mapping[str, str] = field(default_factory=dict)
    submodules: Mapping[str, str] = field(default_factory=dict)
    without: str = ""


@dataclass(frozen=True)
class CodeSettings:
    """What of the code is captured: with `diff` patch and untracked files too, all in all `max_size` bytes.

    `secrets` are those that are known; `skip` are folders whose files are results and no code.
    """

    diff: bool = True
    max_size: int = 10 * MIB
    secrets: Secrets = field(default_factory=Secrets)
    skip: Sequence[Path] = ()
