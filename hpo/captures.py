"""What a driver found when it began or went on with a sweep, code, environment and command line: on record and back."""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath

from hpo.errors import ProvenanceError
from hpo.masking import Secrets
from hpo.provenance.changed import Changed, by_weight
from hpo.provenance.code import Code
from hpo.provenance.code_changes import code_changes
from hpo.provenance.code_record import code_of, unpacked
from hpo.provenance.environment import Environment
from hpo.provenance.environment_changes import environment_changes
from hpo.provenance.lock import requirements_text
from trackers.artifacts import ArtifactFolder
from trackers.errors import TrackerError
from trackers.records import Artifact, Run
from trackers.tracker import Tracker

CAPTURE_TAG = "hpo.capture"
"""On a sweep's run the key of its first capture; on a trial's run that of its own, where it is another one."""
COMMAND_TAG = "hpo.command"
NO_CAPTURE = "none"
"""On a trial's run: nothing was captured of what it ran with, though something was of earlier ones."""
FOLDER = "capture"
FACTS, PATCH, FILES, LOCK = "capture.json", "code.patch", "files.zip", "requirements.txt"
NOT_CAPTURED = "capture: {code: false}"
"""Why there is no code in a capture of the environment alone."""

_VERSION = 1
_APART = ("patch", "files")
"""Parts of the code that stand in files of their own."""

_LARGEST = 1 << 30
"""Bytes of a file of a capture; one that is larger was not written by us."""
_BAD_ZIPS = (zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Capture:
    """What a driver found; `key` names it: captures with the same key are the same in everything that can matter.

    Where the environment was not to be captured it is empty; where the code was not, it says so in `without`.
    """

    code: Code
    environment: Environment
    command: Sequence[str]
    key: str


def new_capture(code: Code, environment: Environment, command: Sequence[str]) -> Capture:
    """The capture with its key."""
    digest = hashlib.sha256(json.dumps(_identity(code), sort_keys=True).encode())
    digest.update(json.dumps(environment.identity(), sort_keys=True).encode())
    return Capture(code, environment, command, digest.hexdigest()[:12])


def changes(before: Capture, after: Capture, repository: Path | None = None) -> Sequence[Changed]:
    """What differs between two captures, as far as both know of it; the likeliest reasons for other results first.

    `repository` is one that nobody has to take a record's word for.
    """
    found: list[Changed] = []
    if NOT_CAPTURED not in (before.code.without, after.code.without):
        found += code_changes(before.code, after.code, repository)
    if before.environment.python and after.environment.python:
        found += environment_changes(before.environment, after.environment)
    return by_weight(found)


def files_of(capture: Capture, secrets: Secrets) -> Mapping[str, bytes]:
    """The capture as files by name; equal for equal captures."""
    code = {each.name: getattr(capture.code, each.name) for each in fields(Code) if each.name not in _APART}
    facts = {
        "version": _VERSION,
        "key": capture.key,
        "command": list(capture.command),
        "code": {**code, "executable": sorted(capture.code.executable)},
        "environment": capture.environment.to_json(),
    }
    found = {FACTS: json.dumps(_hidden(facts, secrets), indent=1, sort_keys=True).encode()}
    if capture.code.patch:
        found[PATCH] = capture.code.patch
    if capture.code.files:
        found[FILES] = _zipped(capture.code)
    if capture.environment.python:
        found[LOCK] = requirements_text(capture.environment).encode()
    return found


def capture_of(tracker: Tracker, parent: Run, trial: Run | None = None) -> Capture | None:
    """What a trial of the sweep ran with, or the sweep as it began; None where that is not on record.

    ProvenanceError where it is, and its files are gone or not what was recorded.
    """
    key = (trial.tags.get(CAPTURE_TAG) if trial else None) or parent.tags.get(CAPTURE_TAG, NO_CAPTURE)
    if key == NO_CAPTURE:
        return None
    listed = {file.path: file for file in tracker.artifacts(parent.id)}
    folder = f"{FOLDER}/{key}/"
    kept = {path.removeprefix(folder): file for path, file in listed.items() if path.startswith(folder)}
    if FACTS not in kept:
        raise ProvenanceError(f"capture {key} of {parent.name!r} is named on record, but its files are not there")
    return _read({name: _content(parent, file) for name, file in kept.items()}, f"{parent.name!r}, capture {key}")


def captures_on_record(tracker: Tracker, parent: Run) -> frozenset[str]:
    """The keys of all captures of a sweep."""
    paths = [PurePosixPath(file.path).parts for file in tracker.artifacts(parent.id)]
    return frozenset(parts[1] for parts in paths if len(parts) == 3 and parts[0] == FOLDER)


def _identity(code: Code) -> Mapping[str, object]:
    """What matters of code: neither where it lay nor what a branch was called."""
    files = {path: hashlib.sha256(content).hexdigest() for path, content in code.files.items()}
    patch = hashlib.sha256(code.patch).hexdigest()
    return {"commit": code.commit, "patch": patch, "files": files, "submodules": dict(code.submodules)}


def _hidden(value: object, secrets: Secrets) -> object:
    if isinstance(value, Mapping):
        return {secrets.hide(str(name)): _hidden(inner, secrets) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(inner, secrets) for inner in value]
    return secrets.hide(value) if isinstance(value, str) else value


def _zipped(code: Code) -> bytes:
    """The files as a zip archive that is the same for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(code.files):
            member = zipfile.ZipInfo(path)  # of 1980
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = (0o100755 if path in code.executable else 0o100644) << 16
            archive.writestr(member, code.files[path])
    return buffer.getvalue()


def _read(files: Mapping[str, bytes], where: str) -> Capture:
    try:
        facts = json.loads(files[FACTS])
        packed = unpacked(files[FILES]) if FILES in files else {}
        code = code_of(facts["code"], patch=files.get(PATCH, b""), files=packed)
        environment = Environment.from_json(facts["environment"])
        return Capture(code, environment, tuple(map(str, facts["command"])), str(facts["key"]))
    except (LookupError, ValueError, TypeError, AttributeError, RuntimeError, EOFError, *_BAD_ZIPS) as error:
        raise ProvenanceError(
            f"{where} cannot be read; it was kept by another version, or is damaged: {error!r}"
        ) from (error)


def _content(parent: Run, file: Artifact) -> bytes:
    try:
        with ArtifactFolder().open(parent.artifact_uri, file.path) as opened:
            content = opened.read(min(file.size, _LARGEST) + 1)
    except TrackerError as error:
        raise ProvenanceError(f"{file.path} of {parent.name!r} is on record, but not there: {error}") from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise ProvenanceError(f"{file.path} of {parent.name!r} was altered after it was recorded")
    return content
