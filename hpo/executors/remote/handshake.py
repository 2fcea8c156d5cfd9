"""How driver and slot host prove to each other that they know the key of this driver, and see whether they fit.

    driver -> host   challenge   its random number
    host -> driver   answer      its own random number, and HMAC(key, both numbers)
    driver -> host   proof       HMAC(key, both numbers, the other way round); who it is; what to look for
    host -> driver   hello       who it is, and what of that it found

The key itself is never sent over this line. From the proof on, each frame is signed (frames.py).
"""

import hmac
import os
import platform
import socket
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from hpo.executors.remote.versions import differences, versions_here

PROTOCOL = 1
"""Raised with every change of what is said after the handshake; the handshake itself stays."""

LONGEST = 500
"""Characters of each text by which a process says who it is; they go into messages and logs."""

MAGIC = "hpo-slot"
NONCE = 32
SECONDS = 10.0
"""For the whole handshake."""

HOST_VARIABLE = "HPO_HOST"
"""An environment variable that names a host, and tells it from others: for containers that share name and kernel."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_MACHINE = Path("/etc/machine-id")


@dataclass(frozen=True)
class Identity:
    """A process that speaks the protocol; `machine` tells the host it runs on from all others.

    `packages` are those of `versions_here`; empty where a process does not say.
    """

    protocol: int
    hpo: str
    python: str
    host: str
    machine: str
    pid: int
    packages: str = ""

    @classmethod
    def here(cls) -> "Identity":
        """This process."""
        named = os.environ.get(HOST_VARIABLE, "")
        host = named or socket.gethostname()
        machine = "/".join([named or platform.node(), _text(_MACHINE), _text(_BOOT)])
        python = f"{sys.version_info[0]}.{sys.version_info[1]}"
        return cls(PROTOCOL, _version(), python, host, machine, os.getpid(), versions_here())

    @classmethod
    def of(cls, facts: Mapping[str, object]) -> "Identity":
        """From what `facts` gave; ValueError for something else."""
        try:
            given = {name: facts[name] for name in cls.__dataclass_fields__ if name != "packages" or name in facts}
            made = cls(**given)  # type: ignore[arg-type]  # checked below
        except KeyError as error:
            raise ValueError(f"who speaks does not say its {error}") from error
        for name, kind in cls.__annotations__.items():
            value = getattr(made, name)
            if type(value) is not kind or (kind is str and not (value.isprintable() and len(value) <= LONGEST)):
                raise ValueError(f"who speaks says a {name} that is none")
        return made

    @property
    def facts(self) -> dict[str, object]:
        """All of it, as JSON has it."""
        return asdict(self)

    def differences(self, driver: "Identity") -> str:
        """The packages whose versions are not the driver's, for people; empty where all are."""
        return differences(self.packages, driver.packages)

    def misfit(self, driver: "Identity") -> str:
        """Why this host cannot work for a driver; empty where it can."""
        for name, mine, its in (
            ("tracked-hpo", self.hpo, driver.hpo),
            ("Python", self.python, driver.python),
            ("line protocol", self.protocol, driver.protocol),
        ):
            if mine != its:
                return (
                    f"host {self.host} has {name} {mine or 'of no known version'}, this driver {its}; "
                    f"both must be the same: install {its} there, or start the driver with {mine}"
                )
        return ""


def answer_to(key: bytes, of_driver: bytes, of_host: bytes) -> str:
    """The host's proof, in hex."""
    return hmac.digest(key, b"host" + of_driver + of_host, "sha256").hex()


def proof_to(key: bytes, of_driver: bytes, of_host: bytes) -> str:
    """The driver's proof, in hex."""
    return hmac.digest(key, b"driver" + of_host + of_driver, "sha256").hex()


def frame_keys(key: bytes, of_driver: bytes, of_host: bytes) -> tuple[bytes, bytes]:
    """With what the frames of this connection are signed: those of the driver, and those of the host."""
    both = of_driver + of_host
    return hmac.digest(key, b"to host" + both, "sha256"), hmac.digest(key, b"to driver" + both, "sha256")


def nonce_of(message: Mapping[str, object]) -> bytes:
    """The random number in a message; ValueError where there is none."""
    made = bytes.fromhex(str(message.get("nonce", "")))
    if len(made) != NONCE:
        raise ValueError("no random number")
    return made


def _version() -> str:
    try:
        return version("tracked-hpo")
    except PackageNotFoundError:
        return ""


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError:
        return ""
