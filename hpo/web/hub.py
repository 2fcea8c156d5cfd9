"""The sweeps that are being looked at, each followed once."""

import asyncio
import contextlib
import re
import time
from collections import OrderedDict

import anyio.to_thread

from hpo.views.sweep_list import main_metric
from hpo.web.watched import EVERY, Watched
from trackers.errors import NotFound
from trackers.opening import Store
from trackers.records import Order, Query, Run

_ID = re.compile(r"[0-9a-f]{32}")
_KEPT = 8
"""Sweeps that stay in memory with nobody watching; the one looked at longest ago goes first."""


class Hub:
    """Finds who follows a sweep; `stopping` is set when the server ends."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._watched: OrderedDict[str, Watched] = OrderedDict()
        self._found: dict[str, tuple[str, float]] = {}
        self._lock = asyncio.Lock()
        self.stopping = asyncio.Event()

    async def get(self, name: str) -> Watched:
        """Who follows the sweep of this run id, or else of this name (the newest of several); NotFound for none."""
        name = self._lately_found(name)
        if name in self._watched:
            self._watched.move_to_end(name)
            return self._watched[name]
        async with self._lock:
            asked, name = name, self._lately_found(name)
            if name not in self._watched:
                parent, metric = await anyio.to_thread.run_sync(self._find, name)
                name = parent.id
                self._found[asked] = name, time.monotonic()
                if name not in self._watched:
                    # revisions go on growing over restarts, so that nobody takes an old one for one of now
                    self._watched[name] = Watched(self._store, parent, int(time.time() * 1000), metric)
                    self._forget()
            self._watched.move_to_end(name)
            return self._watched[name]

    @property
    def readers(self) -> int:
        """How many follow a sweep now."""
        return sum(watched.readers for watched in self._watched.values())

    def stop(self) -> None:
        """Ends all streams of events."""
        self.stopping.set()
        for watched in self._watched.values():
            watched.wake()

    def _lately_found(self, name: str) -> str:
        """The run id of a name that was looked up a moment ago, while somebody watches it; else what was given."""
        run_id, at = self._found.get(name, ("", 0.0))
        watched = self._watched.get(run_id)
        is_late = time.monotonic() - at > EVERY
        return name if watched is None or not watched.readers or is_late else run_id

    def _find(self, name: str) -> tuple[Run, str | None]:
        tracker = self._store.tracker
        if _ID.fullmatch(name):
            with contextlib.suppress(NotFound):
                found = tracker.get(name)
                return found, main_metric(self._store.watching, found)
        named = tracker.find(Query(sweeps=True, name=name, order=(Order("started", descending=True),), limit=1))
        if not named:
            raise NotFound(f"no sweep {name!r} in this store")
        parent = named[0]
        return parent, main_metric(self._store.watching, parent)

    def _forget(self) -> None:
        idle = [run_id for run_id, watched in self._watched.items() if not watched.readers]
        for run_id in idle[: max(0, len(idle) - _KEPT)]:
            del self._watched[run_id]
        self._found = {name: found for name, found in self._found.items() if found[0] in self._watched}
