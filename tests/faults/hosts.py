"""Hosts for tests: names, boot ids and networks of their own on one machine, by Linux's namespaces; root is needed.

A network has a namespace of its own where servers listen on `SERVER`; each host is joined to it by a cable that can be
pulled. Nothing of it shows outside, and it goes with the test.
"""

import contextlib
import ctypes
import itertools
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SERVER = "10.77.0.1"
_CLONE_NEWNET = 0x40000000
_BECOME = """
hostname "$1"
mount --bind "$2/boot_id" /proc/sys/kernel/random/boot_id
if [ -e /etc/machine-id ]; then mount --bind "$2/machine_id" /etc/machine-id; fi
shift 2
exec "$@"
"""
_networks = itertools.count()


def need_namespaces() -> None:
    """Skips the test where this process may not make hosts."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "nsenter", "ip"))):
        pytest.skip("hosts are made by root, with unshare, nsenter and ip")
    made = subprocess.run(["unshare", "--uts", "--net", "--mount", "true"], capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"this system makes no hosts: {made.stderr.decode().strip()}")


@dataclass
class Host:
    """A machine as far as a process can tell: start a command with `inside` in front of it."""

    name: str
    folder: Path
    namespace: str = ""
    cable: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.folder.mkdir()
        (self.folder / "home").mkdir()
        (self.folder / "machine_id").write_text(f"{uuid.uuid4().hex}\n")
        self.boot()

    def boot(self) -> None:
        """From now on its processes see that it was started anew."""
        (self.folder / "boot_id").write_text(f"{uuid.uuid4()}\n")

    @property
    def inside(self) -> Sequence[str]:
        """What makes a command run there; the process keeps its id."""
        network = ["nsenter", f"--net=/run/netns/{self.namespace}"] if self.namespace else []
        become = ["sh", "-ec", _BECOME, "sh", self.name, str(self.folder)]
        return [*network, "unshare", "--uts", "--mount", *become]

    @property
    def environment(self) -> dict[str, str]:
        """Its user, with a home that no other host sees."""
        home = str(self.folder / "home")
        return {"USER": self.name, "LOGNAME": self.name, "HOME": home, "XDG_STATE_HOME": f"{home}/state"}

    def cut(self) -> None:
        """Pulls its cable: what is sent from now on arrives nowhere, and nobody is told."""
        subprocess.run([*self.cable, "down"], check=True)

    def heal(self) -> None:
        """Puts it back."""
        subprocess.run([*self.cable, "up"], check=True)


@dataclass
class Network:
    """Servers and hosts around one switch."""

    folder: Path
    name: str = field(default_factory=lambda: f"hpo-{os.getpid()}-{next(_networks)}")
    hosts: list[Host] = field(default_factory=list)

    def host(self, name: str) -> Host:
        """One more host, joined to the servers."""
        number, namespace = len(self.hosts) + 2, f"{self.name}-{name}"
        _ip("netns", "add", namespace)
        port = f"port{number}"
        _ip("-n", self.name, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        _ip("-n", self.name, "link", "set", port, "master", "switch", "up")
        _ip("-n", namespace, "address", "add", f"10.77.0.{number}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", namespace, "link", "set", device, "up")
        cable = ("ip", "-n", self.name, "link", "set", port)
        self.hosts.append(Host(name, self.folder / name, namespace, cable))
        return self.hosts[-1]

    @contextlib.contextmanager
    def among_servers(self) -> Iterator[None]:
        """This thread, and what it starts, is in the servers' network."""
        libc = ctypes.CDLL(None, use_errno=True)
        with Path("/proc/thread-self/ns/net").open() as here, Path(f"/run/netns/{self.name}").open() as there:
            assert libc.setns(there.fileno(), _CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            try:
                yield
            finally:
                assert libc.setns(here.fileno(), _CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())


@contextlib.contextmanager
def new_network(folder: Path) -> Iterator[Network]:
    """A network without hosts; whatever still listens there has to be ended before it goes."""
    network = Network(folder)
    _ip("netns", "add", network.name)
    try:
        _ip("-n", network.name, "link", "add", "switch", "type", "bridge")
        _ip("-n", network.name, "address", "add", f"{SERVER}/24", "dev", "switch")
        for device in ("lo", "switch"):
            _ip("-n", network.name, "link", "set", device, "up")
        yield network
    finally:
        for name in [network.name, *(host.namespace for host in network.hosts)]:
            subprocess.run(["ip", "netns", "delete", name], check=False)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
