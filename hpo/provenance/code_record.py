"""Code as a record has it, read back: whatever no capture of ours says is refused, for a record may be anybody's."""

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from hpo.provenance.code import Code

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_TEXTS = ("branch", "remote", "without")
_PLACES = ("root", "folder", "started_in")
_LARGEST, _DENSEST = 64 << 20, 20
"""Bytes that a small archive of files may hold, and how many more for each of its own: code packs no denser."""


def is_inside(path: str) -> bool:
    """Whether a path leads to something below the folder that it is relative to, and not into git's own."""
    parts = PurePosixPath(path).parts
    outside = path.startswith("/") or "\0" in path or ".." in parts
    return bool(parts) and not outside and not any(part.lower() == ".git" for part in parts)


def code_of(facts: object, *, patch: bytes = b"", files: Mapping[str, bytes] | None = None) -> Code:
    """The code of a record's facts and of what stands beside them; ValueError, saying what is wrong."""
    if not isinstance(facts, Mapping):
        raise ValueError("code is no object")
    files = files or {}
    wrong = next((path for path in files if not is_inside(path)), None)
    if wrong is not None:
        raise ValueError(f"it names a file {wrong!r}, which does not lie inside of the code")
    return Code(
        commit=_commit(facts.get("commit", "")),
        dirty=facts.get("dirty", False) is True,
        patch=patch,
        files=files,
        executable=frozenset(_listed("executable", facts.get("executable", []))),
        left_out=_named("left_out", facts.get("left_out", {})),
        submodules=_submodules(facts.get("submodules", {})),
        **{name: _text(name, facts.get(name, "")) for name in _TEXTS},
        **{name: _place(name, facts.get(name, "")) for name in _PLACES},
    )


def unpacked(archive: bytes) -> Mapping[str, bytes]:
    """The files of a zip archive by name; ValueError for one that holds far more than code does."""
    most = _LARGEST + _DENSEST * len(archive)
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        members = [member for member in opened.infolist() if not member.is_dir()]
        if sum(member.file_size for member in members) > most:  # no more than this is read of a member
            raise ValueError(f"the archive holds more than {most:,} bytes")
        return {member.filename: opened.read(member) for member in members}


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(f"code.{name} is no text")
    return value


def _commit(value: object) -> str:
    if value != "" and not (isinstance(value, str) and _COMMIT.fullmatch(value)):
        raise ValueError(f"{value!r} is no commit")
    return str(value)


def _place(name: str, value: object) -> str:
    """The root is absolute, the folders are so or lie inside of it."""
    text = _text(name, value)
    if name == "root":
        if text and not Path(text).is_absolute():
            raise ValueError(f"code.root {text!r} is not absolute")
        return text
    if not (text in ("", ".") or Path(text).is_absolute() or is_inside(text)):
        raise ValueError(f"code.{name} {text!r} leads out of the code")
    return text or "."


def _listed(name: str, value: object) -> Sequence[str]:
    if not isinstance(value, list):
        raise ValueError(f"code.{name} is no list")
    return [_text(name, item) for item in value]


def _named(name: str, value: object) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError(f"code.{name} is no object")
    return {_text(name, key): _text(name, item) for key, item in value.items()}


def _submodules(value: object) -> Mapping[str, str]:
    found = _named("submodules", value)
    for path, commit in found.items():
        if not is_inside(path) or path.startswith("-") or not _commit(commit):
            raise ValueError(f"{path!r} at {commit!r} is no submodule")
    return found
