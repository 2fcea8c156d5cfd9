"""The routes of the page: what can be asked for, and who answers it."""

import contextlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote

import anyio.to_thread
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hpo.errors import ConfigError, HpoError, NothingFound
from hpo.views.commands import Commands
from hpo.views.model_fields import model_fields, model_list
from hpo.views.run_fields import run_fields
from hpo.views.sweep_list import sweep_list
from hpo.web.answers import answer, refusal, send
from hpo.web.doorman import Access, Doorman
from hpo.web.file_answers import TAIL, artifact_answer, log_answer
from hpo.web.hub import Hub
from hpo.web.static_files import SHELL, StaticFiles
from hpo.web.sweep_routes import SweepRoutes, raw_path
from trackers.errors import FilterError, InvalidRecord, NotFound, StoreUnavailable, TrackerError
from trackers.opening import Store
from trackers.records import Run

_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")

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
    """What the routes answer from. `clock` gives milliseconds since 1970; `user` is who runs the server."""

    store: Store
    commands: Commands
    hub: Hub
    user: str
    files: StaticFiles = field(default_factory=StaticFiles)
    clock: Callable[[], int] = lambda: int(time.time() * 1000)


def application(store: Store, commands: Commands, access: Access, *, user: str = "") -> tuple[Doorman, Hub]:
    """The ASGI application over an open store, with the doorman before every route."""
    site = Site(store, commands, Hub(store), user)
    app = Starlette(
        routes=_routes(site),
        exception_handlers={HTTPException: _no_route, Exception: _fault, TrackerError: _error, HpoError: _error},
    )
    return Doorman(app, access), site.hub  # outside of it all, also of what answers errors


def _routes(site: Site) -> list[Route]:
    def shell(request: Request) -> Response:
        body = site.files.get(SHELL)
        return send(request, body) if body else refusal(500, "package", "the page's files are not in this package")

    async def shell_of_sweep(request: Request) -> Response:
        """While the browser reads the script, what that will ask for is read."""
        response = await anyio.to_thread.run_sync(shell, request)
        name = unquote(raw_path(request.scope).removeprefix("/sweeps/").partition("/")[0])
        response.background = BackgroundTask(_read_ahead, site.hub, name)
        return response

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

    def run(request: Request) -> Response:
        return answer(request, run_fields(site.store.tracker, _run(site, request), commands=site.commands))

    def log_of_run(request: Request) -> Response:
        return log_answer(site.store, _run(site, request).id, _whole(request.query_params.get("tail")) or TAIL)

    def artifact(request: Request) -> Response:
        return artifact_answer(site.store, _plain(request.path_params["id"]))

    def models(request: Request) -> Response:
        return answer(request, model_list(site.store))

    def model(request: Request) -> Response:
        name = request.path_params["name"]
        found = model_fields(site.store, name, now=site.clock(), seen_by=site.user, commands=site.commands)
        return answer(request, found)

    pages = ("/", "/compare", "/models", "/models/{name:path}")
    return [
        Route("/healthz", _healthy),
        Route("/sweeps/{name:path}", shell_of_sweep),
        *[Route(path, shell) for path in pages],
        Route("/static/{name}", static),
        Route("/api/sweeps", sweeps),
        Route("/api/sweeps/{rest:path}", SweepRoutes(site.store, site.commands, site.hub, site.clock)),
        Route("/api/runs/{id}", run),
        Route("/api/runs/{id}/log", log_of_run),
        Route("/api/artifacts/{id}", artifact),
        Route("/api/models", models),
        Route("/api/models/{name:path}", model),
    ]


def _healthy(_: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _read_ahead(hub: Hub, name: str) -> None:
    with contextlib.suppress(TrackerError, HpoError):  # said to the page, which asks for the same in a moment
        await (await hub.get(name)).trials()


def _run(site: Site, request: Request) -> Run:
    return site.store.tracker.get(_plain(request.path_params["id"]))


def _plain(text: str) -> str:
    """An id out of the address; never looked up if it cannot be one."""
    if not _ID.fullmatch(text):
        raise NotFound("there is nothing of that id")
    return text


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 10 else None


async def _no_route(request: Request, error: Exception) -> Response:  # noqa: ARG001  # Starlette's signature
    status = error.status_code if isinstance(error, HTTPException) else 404
    return refusal(status, "not-found", "there is no such page", "go to /")


async def _error(request: Request, error: Exception) -> Response:  # noqa: ARG001
    status, rule = next((status, rule) for kind, status, rule in _STATUS if isinstance(error, kind))
    return refusal(status, rule, str(error))


async def _fault(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return refusal(500, "fault", f"{type(error).__name__}: the server's log says more", "reload the page")
