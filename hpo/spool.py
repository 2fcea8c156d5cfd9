"""Results that the store would not take: kept in a local file until it does.

One file a sweep, a line of JSON for each attempt to record, each line synced before the driver goes on. Every change
in it may be recorded twice without harm, so a file that is taken in and not yet deleted is no danger.
"""

import contextlib
import logging
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trackers.change_text import from_text, to_text
from trackers.errors import FencedOff, InvalidRecord, NotFound, Superseded
from trackers.records import Change, RunEnded, RunStarted

log = logging.getLogger(__name__)

Record = Callable[[Sequence[Change]], None]


@dataclass(frozen=True)
class Spool:
    """The spool of one sweep; `folders` are where its file may be, best place first."""

    sweep_id: str
    folders: Sequence[Path]

    def write(self, changes: Sequence[Change]) -> Path | None:
        """Keeps what ended among the changes, durably; the file, or None where there is nothing or no room anywhere.

        Trials that were to start are left out: they have not run.
        """
        kept = [change for change in changes if not isinstance(change, RunStarted)]
        if not any(isinstance(change, RunEnded) for change in kept):
            return None
        line = f"{to_text(kept)}\n".encode()
        for folder in self.folders:
            path = folder / self._name
            with contextlib.suppress(OSError):
                _append(path, line)
                return path
        return None

    def take_in(self, record: Record) -> int:
        """Puts on record what the files hold and deletes them; how many ended trials that were.

        StoreUnavailable where the store still does not take it; then the files stay. What another driver has run again
        meanwhile is dropped, and so is a line that was not wholly written; both are said.
        """
        return sum(self._take_in(path, record) for path in self.files())

    def files(self) -> list[Path]:
        """The files there are."""
        return [path for path in (folder / self._name for folder in self.folders) if _is_ours(path)]

    def discard(self) -> None:
        """Deletes the files: everything in them is on record."""
        for path in self.files():
            with contextlib.suppress(OSError):
                path.unlink()

    @property
    def _name(self) -> str:
        return f".hpo-spool-{self.sweep_id}.jsonl"

    def _take_in(self, path: Path, record: Record) -> int:
        taken: set[str] = set()
        for number, line in enumerate(path.read_text("ascii", "replace").split("\n"), start=1):
            if not line:
                continue
            try:
                changes = from_text(line)
            except InvalidRecord:
                log.warning("line %d of %s was not wholly written; what it held runs again", number, path)
                continue
            taken |= _recorded(changes, record)
        path.unlink(missing_ok=True)
        return len(taken)


def spool_folders(artifacts: str, database: Path | None, environment: Mapping[str, str], temporary: Path) -> list[Path]:
    """Where a spool may lie, best place first: with the artifacts, beside the store, in the user's own folders."""
    local = artifacts.removeprefix("file://")
    state = environment.get("XDG_STATE_HOME") or (f"{home}/.local/state" if (home := environment.get("HOME")) else "")
    folders = [
        *([Path(local)] if local.startswith("/") else []),
        *([database.parent] if database else []),
        *([Path(state) / "hpo"] if state else []),
        temporary,
    ]
    return list(dict.fromkeys(folders))


def _recorded(changes: Sequence[Change], record: Record) -> set[str]:
    """Records them, together if that can be, else each that can; the runs that ended by it."""
    try:
        record(changes)
    except FencedOff:  # it is we who came too late; the file is for the driver there is now
        raise
    except (Superseded, NotFound, InvalidRecord):
        if len(changes) > 1:
            return set().union(*(_recorded([change], record) for change in changes))
        log.warning("a spooled result of run %s came too late: somebody else went on with it", changes[0].run_id)
        return set()
    return {change.run_id for change in changes if isinstance(change, RunEnded) and _is_result(change)}


def _is_result(change: RunEnded) -> bool:
    """Whether a trial ended by it; not one that was only put back, nor the sweep itself."""
    return change.trial is not None and change.trial.state != "WAITING"


def _append(path: Path, line: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        is_torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        try:
            _write_all(descriptor, b"\n" + line if is_torn else line)
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            if not size:
                path.unlink(missing_ok=True)
            raise
    finally:
        os.close(descriptor)
    _sync_folder(path.parent)


def _write_all(descriptor: int, line: bytes) -> None:
    while line:
        line = line[os.write(descriptor, line) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_ours(path: Path) -> bool:
    """Whether a spool is there that we, or the owner of its folder, wrote: anybody may put files into /tmp."""
    try:
        found = path.lstat()
        trusted = {os.geteuid(), 0, path.parent.stat().st_uid}
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_uid in trusted
