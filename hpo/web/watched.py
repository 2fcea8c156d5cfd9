"""One sweep that people look at: read once for all of them, and only while somebody looks."""

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import anyio.to_thread

from hpo.errors import HpoError
from hpo.views.driver_watch import DriverWatch
from hpo.views.live_table import LiveTable
from hpo.views.sweep_fields import DriverFields
from hpo.views.sweep_list import registered_by_sweep
from hpo.views.sweep_page import SweepPage
from hpo.web.answers import Body, json_bytes
from hpo.web.pieces import Pieces
from trackers.errors import NotFound, TrackerError
from trackers.opening import Store
from trackers.records import Run, Status

log = logging.getLogger(__name__)
EVERY = 0.35
"""Seconds between two looks while somebody watches."""
TELLING, LONGEST = 20, 0.9
"""A turn, with what was told to all who watch, is followed by a pause of so many times the processor's time that it
took, up to so many seconds: to tell hundreds is work that the driver may want to have done."""
SHARE, AT_MOST = 10, 2.0
"""A look that was expensive is followed by a pause of so many times its duration, up to so many seconds."""
DRIVER = 5.0
"""Seconds between two looks at whether the driver lives: a driver that dies writes nothing."""
REGISTRY = 1.0
"""Seconds between two looks at what is registered of it, at least."""
_KEPT = 32
"""Answers of one revision that are kept, each for those who know another earlier one."""


@dataclass(frozen=True)
class Seen:
    """What was seen of a sweep at one moment: its trials' revision and the short text of how it stands."""

    revision: int
    stands: bytes
    details: str = ""
    is_gone: bool = False


@dataclass(frozen=True)
class _Made:
    revision: int
    body: Body
    good_until: float


@dataclass
class Watched:
    """Follows one sweep for all its readers; everything that reads the store runs in a thread, one at a time."""

    store: Store
    parent: Run
    first: int
    metric: str | None = None
    readers: int = 0
    pieces: Pieces = field(default_factory=Pieces)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _deriving: asyncio.Lock = field(default_factory=asyncio.Lock)
    _mark: str = ""
    _looked_at: float = float("-inf")
    _pause: float = 0.0
    _seen: Seen | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _poller: asyncio.Task[None] | None = None
    _since: dict[tuple[int | None, int], Body] = field(default_factory=dict)
    _more: dict[str, _Made] = field(default_factory=dict)
    _driver: DriverFields | None = None
    _driver_at: float = float("-inf")
    _registered: Sequence[Mapping[str, object]] = ()
    _registered_due: float = float("-inf")
    _whole: tuple[tuple[float, str], Body] | None = None

    def __post_init__(self) -> None:
        self.table = LiveTable(self.store.watching, self.parent, first=self.first, metric=self.metric)
        self._drivers = DriverWatch(self.store, self.parent)

    @property
    def page(self) -> SweepPage:
        """The sweep as it was last seen."""
        return SweepPage(self.parent, self.table, self.metric, self._driver, self._registered)

    async def look(self) -> Seen:
        """What there is now; reads only if something was written since the last look."""
        async with self._lock:
            seen = await anyio.to_thread.run_sync(self._look)
        self._looked_at = time.monotonic()
        if seen != self._seen:
            self._seen, changed = seen, self._changed
            self._changed = asyncio.Event()
            changed.set()
        return seen

    async def recent(self) -> Seen:
        """As `look`; while somebody watches, what the one who looks for all of them saw last: else two hundred pages
        that are opened during a sweep would each read what is new of it."""
        is_recent = self.readers and time.monotonic() - self._looked_at <= 2 * self._pause
        return self._seen if self._seen is not None and is_recent else await self.look()

    async def trials(self, since: int | None = None) -> Body:
        """The trials as columns, all or what is new since a revision, as of now."""
        await self.recent()
        return (await self.new(since))[1]

    async def new(self, since: int | None) -> tuple[int, Body]:
        """The same as of the last look, with its revision; made once for all who ask the same."""
        if self._seen is not None and (since, self._seen.revision) in self._since:
            return self._seen.revision, self._since[since, self._seen.revision]
        async with self._lock:
            revision = self.table.revision
            if (since, revision) not in self._since:
                known = {key: body for key, body in self._since.items() if key[1] == revision}
                self._since = known if len(known) < _KEPT else {}
                self._since[since, revision] = await anyio.to_thread.run_sync(self._columns, since)
            return revision, self._since[since, revision]

    async def derived(self, name: str, take: Callable[[], Callable[[], object]]) -> Body:
        """Something worked out of the trials, kept until they change; two who ask at once wait for one answer.

        `take` takes what it needs of the trials while nobody reads them anew, and gives what works it out: that may
        last, and holds up no look.
        """
        seen = await self.recent()
        async with self._deriving:
            known = self._more.get(name)
            if known is None or (known.revision != seen.revision and time.monotonic() >= known.good_until):
                if len(self._more) >= _KEPT:
                    self._more.clear()
                async with self._lock:
                    make, revision = await anyio.to_thread.run_sync(take), self.table.revision
                known = self._more[name] = await anyio.to_thread.run_sync(_made, name, revision, make)
            return known.body

    async def whole(self, make: Callable[[SweepPage], object]) -> Body:
        """All that is known of it; while many watch, made once a turn for all who open the page then."""
        seen = await self.recent()
        async with self._lock:
            if self._whole is None or self._whole[0] != (self._looked_at, seen.details) or not self.readers:
                body = Body(await anyio.to_thread.run_sync(lambda: json_bytes(make(self.page))))
                self._whole = (self._looked_at, seen.details), body
            return self._whole[1]

    async def next(self, known: Seen | None, timeout: float) -> Seen | None:
        """What is seen once it is another than what is known; None where nothing changes for so many seconds."""
        changed = self._changed
        if self._seen is not None and self._seen != known:
            return self._seen
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(changed.wait(), timeout)
        return self._seen if self._seen != known else None

    def wake(self) -> None:
        """Lets all who wait for something new look again."""
        self._changed.set()

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """As long as one reader is inside, one task looks for all of them."""
        self.readers += 1
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll())
        try:
            yield
        finally:
            self.readers -= 1
            if self.readers == 0 and self._poller is not None:
                self._poller.cancel()
                self._poller = None

    async def _poll(self) -> None:
        while True:
            began, used = time.monotonic(), time.process_time()
            try:
                await self.look()
            except (TrackerError, HpoError) as error:  # the store may be away for a while; readers are told nothing new
                log.debug("%s cannot be read: %s", self.parent.name, error)
            except Exception:
                log.exception("looking at %s failed", self.parent.name)
            self._pause = max(EVERY, min(AT_MOST, SHARE * (time.monotonic() - began)))
            await asyncio.sleep(self._pause)
            more = min(LONGEST, TELLING * (time.process_time() - used)) - self._pause
            if more > 0:
                self._pause += more
                await asyncio.sleep(more)

    def _look(self) -> Seen:
        mark = self.store.watching.mark(self.parent.id)
        if mark == self._mark and self._seen is not None and not self.table.is_behind:
            return self._with_driver(self._seen)
        try:
            stands = self.store.watching.stands(self.parent.id)
        except NotFound:
            return Seen(self.table.revision, b"{}", is_gone=True)
        is_new_status = stands.status != self.parent.status
        self.parent = replace(
            self.parent, status=stands.status, started=stands.started, ended=stands.ended, tags=stands.tags
        )
        self.table.refresh(self.parent)
        if is_new_status:
            self._driver_at = float("-inf")
        self._find_driver()
        self._find_registered()
        self._mark = mark  # as of before reading: what was written meanwhile will be looked at again
        return self._as_seen()

    def _as_seen(self) -> Seen:
        stands = self.page.stands()
        return Seen(self.table.revision, json_bytes(stands), str(stands["details"]))

    def _with_driver(self, seen: Seen) -> Seen:
        """The same, unless the driver is another one, or none, by now, or something was registered."""
        is_news = [self._find_driver(), self._find_registered()]
        return self._as_seen() if any(is_news) else seen

    def _find_driver(self) -> bool:
        """Looks who drives it, now and then as long as somebody may; whether that is news."""
        may_be = self.parent.status is Status.RUNNING or self._driver is not None
        is_due = time.monotonic() - self._driver_at >= DRIVER
        if self.parent.sweep is None or not is_due or not (may_be or self._seen is None):
            return False
        before, self._driver = self._driver, self._drivers.look()
        self._driver_at = time.monotonic()
        return self._driver != before

    def _find_registered(self) -> bool:
        """Looks now and then what the registry has of the sweep, which anybody may change; whether that is news."""
        began = time.monotonic()
        if began < self._registered_due:
            return False
        found = registered_by_sweep(self.store.registry.versions())
        before, self._registered = self._registered, found.get(self.parent.id, ())
        self._registered_due = began + max(REGISTRY, min(AT_MOST, SHARE * (time.monotonic() - began)))
        return self._registered != before

    def _columns(self, since: int | None) -> Body:
        data = self.table.whole() if since is None else self.table.since(since)
        return Body(json_bytes(data), f"trials-{data['revision']}-{since}")


def _made(name: str, revision: int, make: Callable[[], object]) -> _Made:
    began = time.monotonic()
    body = Body(json_bytes(make()), hashlib.sha256(f"{name} {revision}".encode()).hexdigest()[:16])
    # what took long is not worked out anew for every trial of a sweep that runs
    return _Made(revision, body, time.monotonic() + SHARE * (time.monotonic() - began))
