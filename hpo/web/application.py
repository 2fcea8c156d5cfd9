"""The routes of the page: what can be asked for, and who answers it."""

import contextlib
import logging
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from hpo.errors import ConfigError, HpoError, NothingFound
from hpo.masking import hide_patterns
from hpo.views.commands import Commands
from hpo.views.sweep_list import sweep_list
from hpo.web.answers import answer, refusal, send
from hpo.web.doorman import Access, Doorman
from hpo.web.events import events
from hpo.web.hub import Hub
from hpo.web.static_files import SHELL, StaticFiles
from hpo.web.sweep_answers import sweep_answer
from trackers.errors import FilterError, InvalidRecord, NotFound, StoreUnavailable, TrackerError
from trackers.opening import Store

log = logging.getLogger(__name__)
_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
MOST_READERS = 1000
"""Streams of events at once; more are asked to come again."""

_STATUS: tuple[tuple[type[Exception], int, str], ...] = (
    (NotFound, 404, "not-found"),
    (NothingFound, 404, "nothing-found"),
    (FilterError, 400, "question"),
    (InvalidRecord, 400, "question"),
    (ConfigError, 400, "question"),
    (StoreUnavailable, 503, "store"),
    (TrackerError, 500, "store"),
    (HpoError, 500, "sweep"),
)


@dataclass(frozen=True)
class Site:
    """What the routes answer from. `clock` gives milliseconds since 1970."""

    store: Store
    commands: Commands
    hub: Hub
    files: StaticFiles = field(default_factory=StaticFiles)
    clock: Callable[[], int] = lambda: int(time.time() * 1000)


def application(store: Store, commands: Commands, access: Access) -> tuple[Doorman, Hub]:
    """The ASGI application over an open store, with the doorman before every route."""
    site = Site(store, commands, Hub(store))
    app = Starlette(
        routes=_routes(site),
        exception_handlers={HTTPException: _no_route, Exception: _fault, TrackerError: _error, HpoError: _error},
    )
    return Doorman(app, access), site.hub  # outside of it all, also of what answers errors


def _routes(site: Site) -> list[Route]:
    def shell(request: Request) -> Response:
        body = site.files.get(SHELL)
        return send(request, body) if body else refusal(500, "package", "the page's files are not in this package")

    def static(request: Request) -> Response:
        body = site.files.get(request.path_params["name"])
        if body is None:
            return refusal(404, "not-found", "there is no such file")
        response = send(request, body)
        response.headers["cache-control"] = "no-cache"  # asked for again each time, and answered by 304
        return response

    def sweeps(request: Request) -> Response:
        name = request.query_params.get("name")
        return answer(request, sweep_list(site.store, now=site.clock(), commands=site.commands, name=name))

    async def sweep(request: Request) -> Response:
        watched = await site.hub.get(_id(request))
        seen = await watched.look()
        made = await anyio.to_thread.run_sync(
            lambda: sweep_answer(site.store, watched, seen, now=site.clock(), commands=site.commands)
        )
        return answer(request, made)

    async def trials(request: Request) -> Response:
        watched = await site.hub.get(_id(request))
        return send(request, await watched.trials(_revision(request)))

    async def stream(request: Request) -> Response:
        watched = await site.hub.get(_id(request))
        await watched.look()
        if site.hub.readers >= MOST_READERS:
            return refusal(503, "readers", f"{MOST_READERS} pages follow sweeps already", "close some of them")
        known = _revision(request)
        return StreamingResponse(_held(events(watched, known, site.hub.stopping)), media_type="text/event-stream")

    pages = ("/", "/sweeps/{name:path}", "/compare", "/models", "/models/{name:path}")
    return [
        Route("/healthz", _healthy),
        *[Route(path, shell) for path in pages],
        Route("/static/{name}", static),
        Route("/api/sweeps", sweeps),
        Route("/api/sweeps/{id}", sweep),
        Route("/api/sweeps/{id}/trials", trials),
        Route("/api/sweeps/{id}/events", stream),
    ]


def _healthy(_: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _held(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The stream, closed at once where the reader went away: it counts readers."""
    async with contextlib.aclosing(stream) as held:  # type: ignore[type-var]  # it is an async generator
        async for part in held:
            yield part


def _id(request: Request) -> str:
    """The run id in the address; never looked up if it cannot be one."""
    text: str = request.path_params["id"]
    if not _RUN_ID.fullmatch(text):
        raise NotFound("there is no run of that id")
    return text


def _revision(request: Request) -> int | None:
    """From which revision on the reader wants to know what is new; None for nothing known."""
    text = request.headers.get("last-event-id") or request.query_params.get("revision") or ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


async def _no_route(request: Request, error: Exception) -> Response:  # noqa: ARG001  # Starlette's signature
    status = error.status_code if isinstance(error, HTTPException) else 404
    return refusal(status, "not-found", "there is no such page", "go to /")


async def _error(request: Request, error: Exception) -> Response:  # noqa: ARG001
    status, rule = next((status, rule) for kind, status, rule in _STATUS if isinstance(error, kind))
    return refusal(status, rule, str(error))


async def _fault(request: Request, error: Exception) -> Response:
    log.error("%s failed: %s", request.url.path, hide_patterns(repr(error)))
    return refusal(500, "fault", f"{type(error).__name__}: the server's log says more", "reload the page")
