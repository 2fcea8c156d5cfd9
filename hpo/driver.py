"""Who drives a sweep: this process as a text that others can check, and whether such a process still lives."""

import getpass
import hashlib
import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

PROC = Path("/proc")
_GONE = ("Z", "X")
"""States of a process that has ended and that nobody has awaited yet."""


class Life(StrEnum):
    """Whether a driver lives, as far as one can tell."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Driver:
    """A process: `boot`, `namespace` and `start` tell it from another one that gets the same pid on the same host.

    `machine` tells hosts of one name apart, where they have an id. `since` is for people; no rule looks at it.
    """

    pid: int
    host: str
    boot: str = ""
    machine: str = ""
    namespace: str = ""
    start: str = ""
    since: str = ""

    @classmethod
    def here(cls) -> "Driver":
        """This process."""
        pid = os.getpid()
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        return cls(pid, socket.gethostname(), _boot(), _machine(), _namespace(), _start_of(pid) or "", since)

    @classmethod
    def parse(cls, text: str) -> "Driver":
        """From what `text` gave; a driver nobody knows anything of where it is something else."""
        try:
            known = json.loads(text)
            fields = {name: str(known[name]) for name in cls.__dataclass_fields__ if name != "pid" and name in known}
            return cls(int(known["pid"]), **fields)
        except (ValueError, TypeError, KeyError):
            return cls(0, "?")

    @property
    def text(self) -> str:
        """All of it as JSON."""
        return json.dumps(asdict(self))

    def __str__(self) -> str:
        """As messages name it."""
        return f"pid {self.pid} on host {self.host}" + (f" since {self.since}" if self.since else "")


def login_name() -> str:
    """On whose behalf this process works: `$LOGNAME`, `$USER`, else the login of its user id.

    A container may run under an id that has no name: then it is `uid-10001`.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def life_of(driver: Driver) -> Life:
    """Whether the driver runs; on this host that is known at once, of another one (or another container) never."""
    here = Driver(driver.pid, socket.gethostname(), _boot(), _machine(), _namespace())
    if driver.host != here.host or (driver.machine and here.machine and driver.machine != here.machine):
        return Life.UNKNOWN
    if driver.boot != here.boot:
        return Life.DEAD
    if driver.namespace != here.namespace:
        return Life.UNKNOWN
    start = _start_of(driver.pid)
    if start is None and _is_hidden(driver.pid):
        return Life.UNKNOWN
    return Life.ALIVE if start == driver.start else Life.DEAD


def _boot() -> str:
    return _read(PROC / "sys/kernel/random/boot_id")


def _machine() -> str:
    # hashed, for the id itself is not meant to leave the machine (machine-id(5))
    machine = _read(Path("/etc/machine-id"))
    return hashlib.sha256(machine.encode()).hexdigest()[:12] if machine else ""


def _namespace() -> str:
    """Which processes this one can see: containers may share host name and boot, and each has its own pid 7."""
    try:
        return str((PROC / "self/ns/pid").readlink())
    except OSError:
        return ""


def _start_of(pid: int) -> str | None:
    """When the process began, by the kernel's count, which no change of the clock touches; None: no such process."""
    if not (PROC / "self/stat").exists():
        return _start_by_psutil(pid)
    stat = _read(PROC / str(pid) / "stat")
    fields = stat.rpartition(")")[2].split()  # the program's name, in brackets, may hold anything
    return None if len(fields) < 20 or fields[0] in _GONE else fields[19]


def _start_by_psutil(pid: int) -> str | None:
    import psutil  # a system without /proc

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else repr(process.create_time())
    except psutil.Error:
        return None


def _is_hidden(pid: int) -> bool:
    """Whether the process is there, but /proc is mounted so that it is not to be seen."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
