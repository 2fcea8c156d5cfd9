"""What travels over the line between a driver and a slot host: frames of a stated length, signed once a key is known.

A frame is four bytes of length (big endian), then 32 bytes of HMAC-SHA256, then the body. The signature covers the
number of the frame and is made with a key of this connection and this direction, so that frames can be neither made up
nor repeated nor left out. Nothing is encrypted.
"""

import hmac
import struct

LENGTH = struct.Struct(">I")
SIGNATURE = 32

HANDSHAKE_LIMIT = 8 * 2**10
"""Bytes of a frame from somebody who has not proved anything yet."""

FROM_HOST_LIMIT = 256 * 2**20
"""Bytes of a frame from a slot host: an outcome with a million reported values takes about 80 MiB."""

FROM_DRIVER_LIMIT = 2 * 2**30
"""Bytes of a frame from the driver: the largest is the pickled work."""


class BadFrame(Exception):
    """Not what the other side may send."""


class Seal:
    """Signs the frames of one direction, or checks them; without a key they carry no signature."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key
        self._count = 0

    def packed(self, body: bytes, limit: int) -> bytes:
        """The frame of a body; BadFrame where it is too long."""
        signature = self._signature(body)
        if len(signature) + len(body) > limit:
            raise BadFrame(f"{len(body):,} bytes are more than the {limit:,} that may be sent at once")
        return LENGTH.pack(len(signature) + len(body)) + signature + body

    def opened(self, content: bytes) -> bytes:
        """The body of a frame without its length; BadFrame where it was not signed by who should have."""
        size = SIGNATURE if self._key is not None else 0
        signature, body = content[:size], content[size:]
        if not hmac.compare_digest(signature, self._signature(body)):
            raise BadFrame("a frame is not signed as it must be")
        return body

    def _signature(self, body: bytes) -> bytes:
        if self._key is None:
            return b""
        self._count += 1
        signing = hmac.new(self._key, self._count.to_bytes(8, "big"), "sha256")
        signing.update(body)
        return signing.digest()


def length_of(head: bytes, limit: int) -> int:
    """How many bytes follow; BadFrame where those are more than somebody may send."""
    (length,) = LENGTH.unpack(head)
    if length > limit:
        raise BadFrame(f"a frame of {length:,} bytes, more than the {limit:,} allowed")
    return int(length)
