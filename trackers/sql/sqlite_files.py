"""Whether a path can be a SQLite store: the file, its folder, and the file system below them."""

import logging
import os
import stat
from pathlib import Path

from trackers.errors import NotAStore, NotPermitted

log = logging.getLogger(__name__)

MOUNTS = Path("/proc/mounts")
"""What is mounted where, and of which type, on Linux."""

_MAGIC = b"SQLite format 3\0"
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afs", "ceph", "glusterfs", "fuse.glusterfs", "lustre",
     "gpfs", "beegfs", "fuse.sshfs", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse", "ncpfs", "davfs", "fuse.davfs2"}
)  # fmt: skip


_MEMORY = frozenset({"tmpfs", "ramfs"})
_WITHOUT_MODES = frozenset({"9p", "drvfs", "vfat", "exfat", "msdos", "ntfs", "ntfs3", "fuseblk", "vboxsf", "virtiofs"})
"""File systems on which every file shows the same mode, whoever may write it."""


def check_place(path: Path, *, mounts: Path | None = None) -> None:
    """StoreUnavailable where the folder is missing or lies on a network, whose locks SQLite cannot trust."""
    if not path.parent.is_dir():
        raise NotPermitted(f"the folder {path.parent} does not exist; make it first: mkdir -p {path.parent}")
    system = _file_system(path.parent, mounts)
    if system in _NETWORK:
        raise NotPermitted(
            f"{path} lies on a network file system ({system}), where SQLite can lose data; "
            "choose a folder on a local disk"
        )


def warn_of_memory(path: Path) -> None:
    """Says so where a new database would not outlive the machine's next start."""
    system = _file_system(path.parent)
    if system in _MEMORY:
        log.warning("%s lies in memory (%s): it is gone when the machine stops", path, system)


def check_file(path: Path) -> None:
    """NotAStore, the file untouched, where what is there is no whole SQLite database."""
    if not path.is_file():
        raise _not_valid(f"{path} is not a file; name another place")
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except PermissionError as error:
        raise NotPermitted(f"{path} cannot be read by {user()}: {error.strerror}") from error
    if not header:
        raise _not_valid(f"{path} is empty (0 bytes); restore a backup, or remove it to begin anew")
    if not header.startswith(_MAGIC):
        raise _not_valid(f"{path} is not a SQLite database; it was left untouched, name another file")
    _check_whole(path, header)


def check_writable(path: Path) -> None:
    """StoreUnavailable naming the path and the user where the file, or its folder, cannot be written."""
    if path.exists() and not may_write(path):
        raise NotPermitted(f"{path} cannot be written by {user()}; it can be read")
    if not may_write(path.parent):  # SQLite keeps its log beside the database
        raise NotPermitted(
            f"the folder {path.parent} cannot be written by {user()}; give it the right to, or name another place"
        )
    _check_private(path.parent)


def _check_private(folder: Path, *, mounts: Path | None = None) -> None:
    """NotPermitted where everybody may replace the files in a folder: then nothing read from them could be trusted."""
    mode = folder.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX and _file_system(folder, mounts) not in _WITHOUT_MODES:
        raise NotPermitted(
            f"everybody may replace the files in {folder} (mode {stat.S_IMODE(mode):o}), the database too; "
            f"make it yours: chmod o-w {folder}"
        )


def check_no_log_left(path: Path) -> None:
    """NotAStore where a log lies beside a database that is gone: a new one would take its pages in and be broken."""
    if has_log(path):
        raise _not_valid(
            f"{path} is gone, but its log {path.name}-wal is there; put the database back, or begin anew: rm {path}-wal"
        )


def identity(path: Path) -> tuple[int, int] | None:
    """Which file a path names now; None for none."""
    try:
        found = os.stat(path)  # noqa: PTH116  # asked after every commit: path.stat() takes twice as long
    except OSError:
        return None
    return found.st_dev, found.st_ino


def may_write(path: Path) -> bool:
    """Whether we, as we are now, may write a file or make files in a folder."""
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def user() -> str:
    """Who we are, for messages about permissions."""
    return f"uid {os.geteuid()}" if hasattr(os, "geteuid") else "this user"


def keeps_log(path: Path) -> bool:
    """Whether the database was left in the mode that needs a write-ahead log to be opened."""
    with path.open("rb") as file:
        return file.read(20)[18:20] == b"\2\2"


def has_log(path: Path) -> bool:
    """Whether a write-ahead log with something in it lies beside the database."""
    log = path.with_name(path.name + "-wal")
    return log.exists() and log.stat().st_size > 0


def _not_valid(reason: str) -> NotAStore:
    return NotAStore(f"not a valid store: {reason}")


def _check_whole(path: Path, header: bytes) -> None:
    """A file shorter than its header says was cut; this costs one read where `quick_check` reads everything."""
    size = int.from_bytes(header[16:18], "big")
    pages = int.from_bytes(header[28:32], "big")
    is_current = header[24:28] == header[92:96]  # else the count of pages is not kept up, says the format
    wanted = (65536 if size == 1 else size) * pages
    if len(header) < 100 or (is_current and not has_log(path) and path.stat().st_size < wanted):
        raise _not_valid(
            f"{path} is cut short: {path.stat().st_size} bytes of {wanted}; it was left untouched, restore a backup"
        )


def _file_system(folder: Path, mounts: Path | None = None) -> str:
    """The type of the file system a folder is on, '' where that cannot be told."""
    try:
        lines = (mounts or MOUNTS).read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    folder = folder.resolve()
    best, system = -1, ""
    for line in lines:
        _, place, kind, *_ = [*line.split(" "), "", ""]
        mount = Path(place.replace("\\040", " "))
        if (folder == mount or mount in folder.parents) and len(mount.parts) >= best:
            best, system = len(mount.parts), kind
    return system
