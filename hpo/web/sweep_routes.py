"""What can be asked of one sweep: `/api/sweeps/ID`, and below it trials, events, importance, curves and front."""

import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from urllib.parse import unquote

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from hpo.views.commands import Commands
from hpo.views.curves import MOST_TRIALS, curves
from hpo.views.front_fields import front_fields
from hpo.views.importance_fields import importance_fields
from hpo.views.space_fields import recorded_space
from hpo.views.sweep_fields import references_of
from hpo.views.sweep_page import SweepPage
from hpo.web.answers import refusal, send
from hpo.web.events import events
from hpo.web.hub import Hub
from hpo.web.watched import Watched
from trackers.errors import NotFound
from trackers.opening import Store

PREFIX = "/api/sweeps/"
MOST_READERS = 1000
"""Streams of events at once; more are asked to come again."""
_NUMBERS = re.compile(r"-?\d{1,9}(,-?\d{1,9})*")


@dataclass(frozen=True)
class SweepRoutes:
    """An ASGI application. The part after the prefix is taken apart before it is decoded: a name may hold a slash."""

    store: Store
    commands: Commands
    hub: Hub
    clock: Callable[[], int]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        request = Request(scope, receive)
        asked, _, what = raw_path(scope).removeprefix(PREFIX).partition("/")
        answers = {
            "": self._sweep,
            "trials": self._trials,
            "events": self._events,
            "importance": self._importance,
            "curves": self._curves,
            "front": self._front,
        }
        if what not in answers:
            raise NotFound("there is no such page of a sweep")
        watched = await self.hub.get(unquote(asked))
        response: Response = await answers[what](request, watched)
        await response(scope, receive, send)

    async def _sweep(self, request: Request, watched: Watched) -> Response:
        def make(page: SweepPage) -> object:
            return page.whole(self.store, now=self.clock(), commands=self.commands)

        return send(request, await watched.whole(make))

    async def _trials(self, request: Request, watched: Watched) -> Response:
        body = await watched.trials(_revision(request))
        return await anyio.to_thread.run_sync(send, request, body)  # to compress two megabytes would hold up all others

    async def _events(self, request: Request, watched: Watched) -> Response:
        await watched.recent()  # what goes wrong now is said by a status
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        if self.hub.readers >= MOST_READERS:
            return refusal(503, "readers", f"{MOST_READERS} pages follow sweeps already", "close some of them")
        packed = "gzip" in request.headers.get("accept-encoding", "")
        stream = events(watched, _revision(request), self.hub.stopping, packed=packed)
        headers = {"vary": "accept-encoding"} | ({"content-encoding": "gzip"} if packed else {})
        return StreamingResponse(_held(stream), media_type="text/event-stream", headers=headers)

    async def _importance(self, request: Request, watched: Watched) -> Response:
        def take() -> Callable[[], object]:
            valued, space = watched.table.valued(), recorded_space(watched.parent)
            return lambda: importance_fields(valued, space, watched.metric, watched.table.goal)

        return send(request, await watched.derived("importance", take))

    async def _curves(self, request: Request, watched: Watched) -> Response:
        numbers, metric = request.query_params.get("numbers", ""), request.query_params.get("metric")
        given = request.query_params.get("top", "20")
        top = min(int(given), MOST_TRIALS) if re.fullmatch(r"[0-9]{1,6}", given) else 20
        wanted = {int(number) for number in numbers.split(",")} if _NUMBERS.fullmatch(numbers) else None

        def take() -> Callable[[], object]:
            heads = watched.table.top(top) if wanted is None else watched.table.numbered(wanted)
            return lambda: curves(self.store.tracker, watched.parent, heads, metric=watched.metric, asked=metric)

        return send(request, await watched.derived(f"curves {top} {numbers} {metric}", take))

    async def _front(self, request: Request, watched: Watched) -> Response:
        def take() -> Callable[[], object]:
            rows, references = watched.table.rows(), references_of(watched.parent)
            return lambda: front_fields(rows, watched.table.goals, references)

        return send(request, await watched.derived("front", take))


def raw_path(scope: Scope) -> str:
    """The path as it was sent."""
    raw: bytes = scope.get("raw_path", scope["path"].encode())
    return raw.decode("ascii", "replace").partition("?")[0]


async def _held(stream: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    """The stream, closed at once where the reader went away: it counts readers."""
    async with contextlib.aclosing(stream) as held:
        async for part in held:
            yield part


def _revision(request: Request) -> int | None:
    """From which revision on the reader wants to know what is new; None for nothing known."""
    text = request.headers.get("last-event-id") or request.query_params.get("revision") or ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None
