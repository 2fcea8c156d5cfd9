"""Signed sessions: what a browser keeps in a cookie once somebody has shown who they are."""

import hashlib
import hmac

LASTS = 7 * 24 * 3600
"""Seconds that a session lasts."""


class Sessions:
    """Makes and checks session texts; who does not know the key can make none."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, user: str, now: float) -> str:
        """A session for a user, from now on."""
        payload = f"{int(now) + LASTS}.{user.encode().hex()}"
        return f"{payload}.{self._signature(payload)}"

    def user(self, text: str, now: float) -> str | None:
        """Whose session it is; None where it was not made here, or is over."""
        payload, _, signature = text.rpartition(".")
        if not hmac.compare_digest(self._signature(payload).encode(), signature.encode("utf-8", "replace")):
            return None
        ends, _, name = payload.partition(".")
        return bytes.fromhex(name).decode() if now < int(ends) else None

    def _signature(self, payload: str) -> str:
        return hmac.new(self._key, payload.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
