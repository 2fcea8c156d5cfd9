"""Who drives which sweep of a store in memory."""

import threading
import uuid
from dataclasses import replace

from trackers.errors import AlreadyOwned, FencedOff
from trackers.ownership import Holder, Ownership
from trackers.records import Fence


class MemoryOwnership:
    """Holders in a dictionary, under the lock of the tracker that checks their fences."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._holders: dict[str, Holder] = {}

    def claim(self, sweep_id: str, owner: str, *, taking_from: str | None) -> Fence:
        """Makes `owner` the driver, if the sweep is still held as the caller saw it."""
        with self._lock:
            held = self._holders.get(sweep_id)
            if (held.token if held else None) != taking_from:
                raise AlreadyOwned(f"sweep {sweep_id} is held by {held.owner if held else 'nobody any more'}")
            token = uuid.uuid4().hex
            self._holders[sweep_id] = Holder(owner, token)
            return Fence(sweep_id, token)

    def holder(self, sweep_id: str) -> Holder | None:
        """Who drives the sweep; None for nobody."""
        with self._lock:
            return self._holders.get(sweep_id)

    def beat(self, fence: Fence) -> bool:
        """Says that the driver lives; whether it was asked to stop."""
        with self._lock:
            held = self.check(fence)
            self._holders[fence.sweep_id] = replace(held, heartbeat=held.heartbeat + 1)
            return held.stop_asked

    def release(self, fence: Fence) -> None:
        """The driver ends and nobody holds the sweep."""
        with self._lock:
            held = self._holders.get(fence.sweep_id)
            if held is not None and held.token == fence.token:
                del self._holders[fence.sweep_id]

    def ask_to_stop(self, sweep_id: str) -> bool:
        """Asks the driver to end; whether there is one."""
        with self._lock:
            held = self._holders.get(sweep_id)
            if held is None:
                return False
            self._holders[sweep_id] = replace(held, stop_asked=True)
            return True

    def check(self, fence: Fence) -> Holder:
        """The holder that this fence belongs to; FencedOff where that is somebody else by now."""
        held = self._holders.get(fence.sweep_id)
        if held is None or held.token != fence.token:
            raise FencedOff(f"sweep {fence.sweep_id} is driven by somebody else by now; late changes were refused")
        return held


_: type[Ownership] = MemoryOwnership
