"""The slot host's end of the line."""

import errno
import os
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from hpo.executors.remote.frames import (
    FROM_DRIVER_LIMIT,
    FROM_HOST_LIMIT,
    HANDSHAKE_LIMIT,
    LENGTH,
    BadFrame,
    Seal,
    length_of,
)
from hpo.executors.remote.handshake import (
    MAGIC,
    NONCE,
    SECONDS,
    Identity,
    answer_to,
    frame_keys,
    nonce_of,
    proof_to,
)
from hpo.executors.remote.messages import Message, decoded, encoded
from hpo.executors.remote.sockets import attend

PAUSE = 0.5
"""Seconds between two tries to connect."""

REFUSED_FOR = 3.0
"""Seconds of refused connections after which nobody is believed to listen there any more."""


@dataclass(frozen=True)
class Errand:
    """What a pilot is sent with: where the driver listens, its key, and for how long to try, in seconds."""

    address: str
    port: int
    key: bytes
    patience: float

    @property
    def facts(self) -> dict[str, object]:
        """All of it, as JSON has it."""
        return {"address": self.address, "port": self.port, "key": self.key.hex(), "patience": self.patience}

    @classmethod
    def of(cls, facts: Mapping[str, object]) -> "Errand":
        """From what `facts` gave."""
        key = bytes.fromhex(str(facts["key"]))
        return cls(str(facts["address"]), int(str(facts["port"])), key, float(str(facts["patience"])))


class Unreachable(Exception):
    """The driver cannot be reached, or it is not the one that is meant."""


class HostEnd:
    """A line to the driver, after both sides have proved who they are. Sending is safe from any thread."""

    def __init__(self, connection: socket.socket, mine: bytes, its: bytes) -> None:
        self._connection = connection
        self._mine = Seal(mine)
        self._its = Seal(its)
        self._lock = threading.Lock()

    def send(self, say: str, **facts: object) -> None:
        """Sends a message; BadFrame where it is too long, OSError where the line is broken."""
        with self._lock:
            self._connection.sendall(self._mine.packed(encoded(say, **facts), FROM_HOST_LIMIT))

    def receive(self) -> Message:
        """The next message; EOFError, OSError or BadFrame where the line is of no more use."""
        return decoded(self.receive_bytes())

    def receive_bytes(self) -> bytes:
        """The body of the next frame."""
        return self._its.opened(_frame(self._connection, FROM_DRIVER_LIMIT))

    def close(self) -> None:
        """Hangs up."""
        self._connection.close()


def connect(errand: Errand, me: Identity) -> tuple[HostEnd, Message]:
    """A line to the driver, and what it says of itself with its proof; Unreachable after some time."""
    began, refused = time.monotonic(), 0.0
    while True:
        try:
            return _greeted(socket.create_connection((errand.address, errand.port), timeout=SECONDS), errand)
        except (OSError, EOFError, BadFrame, ValueError) as error:
            now = time.monotonic()
            is_refused = isinstance(error, OSError) and error.errno == errno.ECONNREFUSED
            refused = (refused or now) if is_refused else 0.0
            if now - began > errand.patience or (refused and now - refused > REFUSED_FOR):
                raise Unreachable(_text(errand, me, error)) from error
        time.sleep(PAUSE)


def _greeted(connection: socket.socket, errand: Errand) -> tuple[HostEnd, Message]:
    try:
        attend(connection)
        challenge = decoded(_frame(connection, HANDSHAKE_LIMIT), "challenge")
        if challenge.get("magic") != MAGIC:
            raise BadFrame("no driver of ours listens there")
        of_driver, of_host = nonce_of(challenge), os.urandom(NONCE)
        answer = encoded("answer", nonce=of_host.hex(), answer=answer_to(errand.key, of_driver, of_host))
        connection.sendall(Seal().packed(answer, HANDSHAKE_LIMIT))
        to_host, to_driver = frame_keys(errand.key, of_driver, of_host)
        line = HostEnd(connection, to_driver, to_host)
        proof = decoded(line.receive_bytes(), "proof")  # its signature alone proves the key
        if proof.get("proof") != proof_to(errand.key, of_driver, of_host):
            raise BadFrame("another driver listens there")
        connection.settimeout(None)
        return line, proof
    except BaseException:
        connection.close()
        raise


def _text(errand: Errand, me: Identity, error: Exception) -> str:
    why = str(error) or type(error).__name__
    return (
        f"slot host on {me.host} cannot reach the driver at {errand.address}:{errand.port} ({why}); "
        "set parallel.listen to an address of the driver's machine that this host can reach"
    )


def _frame(connection: socket.socket, limit: int) -> bytes:
    return _exactly(connection, length_of(_exactly(connection, LENGTH.size), limit))


def _exactly(connection: socket.socket, size: int) -> bytes:
    content = bytearray()
    while len(content) < size:
        part = connection.recv(min(size - len(content), 1 << 20))
        if not part:
            raise EOFError("the line was closed")
        content += part
    return bytes(content)
