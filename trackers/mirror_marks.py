"""The marks of one session of mirroring: what was sent is known at once, and noted in the store now and then."""

import threading
import time
from collections.abc import Callable, Sequence

from trackers.outbox import Mark, Outbox


class Marks:
    """Marks of one mirror; several threads may use it. Noted once in `note_every` seconds, and by `flush`."""

    def __init__(self, outbox: Outbox, mirror: str, note_every: Callable[[], float]) -> None:
        self._outbox = outbox
        self._mirror = mirror
        self._note_every = note_every
        self._noted_at = time.monotonic()
        self._own: dict[tuple[str, str], Mark] = {}
        self._unnoted: dict[tuple[str, str], Mark] = {}
        self._lock = threading.Lock()

    def get(self, kind: str, key: str) -> Mark | None:
        """The newest mark of a thing."""
        return self.own(kind, key) or self._outbox.marks(self._mirror, kind, [key]).get(key)

    def own(self, kind: str, key: str) -> Mark | None:
        """The same, where it was set in this session."""
        return self._own.get((kind, key))

    def of(self, kind: str, keys: Sequence[str], *, only_own: bool = False) -> dict[str, Mark]:
        """The newest marks of several things; those of this session only if the mirror lost what it had."""
        found = {} if only_own else dict(self._outbox.marks(self._mirror, kind, keys))
        return found | {key: mark for key in keys if (mark := self.own(kind, key))}

    def set(self, mark: Mark) -> None:
        """Sets a mark, which is noted later."""
        with self._lock:
            self._own[mark.kind, mark.key] = self._unnoted[mark.kind, mark.key] = mark

    def flush(self) -> None:
        """Notes what was set."""
        with self._lock:
            self._outbox.note(self._mirror, list(self._unnoted.values()))
            self._unnoted.clear()
            self._noted_at = time.monotonic()

    def flush_if_due(self) -> None:
        """Notes it where that is due."""
        if time.monotonic() - self._noted_at >= self._note_every():
            self.flush()
