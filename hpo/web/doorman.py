"""Who may look: stands before every route, and lets nobody in but those who may, with what they may ask.

In this order: the Host (a page of somebody else's whose name leads here gets nothing), the method (there is nothing to
change), where the request comes from, and who it is. Only `/healthz` is free, `/login` takes a token.
"""

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import logging
import re
import secrets
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import anyio.to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hpo.masking import hide_patterns
from hpo.web.answers import refusal
from hpo.web.headers import SECURITY
from hpo.web.login_page import login_page
from hpo.web.sessions import LASTS, Sessions
from hpo.web.throttle import Throttle
from hpo.web.users import Users

log = logging.getLogger(__name__)
METHODS = ("GET", "HEAD")
FREE = "/healthz"
LOGIN = "/login"
LONGEST = 8192
"""Characters of path and query together."""
_LOGGED_IN = "hpo.logged_in"
"""Under it a request's scope says who has just shown a right password."""
_BY_TOKEN = "token"  # noqa: S105  # no token: whose session it is
_LOCAL = ("localhost", "127.0.0.1", "[::1]")
_PLACE = re.compile(r"/(?:[A-Za-z0-9._~%@#&=,+-][A-Za-z0-9._~%@#&=,+/?-]*)?")


@dataclass(frozen=True)
class Access:
    """Who may look, and under which names the server is known.

    `token` is its sha256, None where only `users` may look; the token itself is nowhere. `hosts` are names, without
    the port, besides those of this machine's loopback and the address a request came in at.
    """

    port: int
    token: bytes | None
    users: Users | None = None
    hosts: frozenset[str] = frozenset()
    sessions: Sessions = field(default_factory=lambda: Sessions(secrets.token_bytes(32)))

    @property
    def cookie(self) -> str:
        """The cookie's name: browsers do not tell ports apart."""
        return f"hpo-ui-{self.port}"

    def is_token(self, text: str) -> bool:
        """Whether it is the token; takes as long for a wrong one."""
        given = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        return self.token is not None and hmac.compare_digest(given, self.token)


class Doorman:
    """ASGI middleware; deny by default."""

    def __init__(self, app: ASGIApp, access: Access, clock: Callable[[], float] = time.time) -> None:
        self._app = app
        self._access = access
        self._clock = clock
        self._throttle = Throttle()
        self._known: set[bytes] = set()
        self._key = secrets.token_bytes(32)
        self._hashing = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers the request itself, or hands it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # a WebSocket, which nothing here speaks
            await send({"type": "websocket.close", "code": 1008})
            return
        started = time.perf_counter()
        is_answered = False

        async def sent(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
                if scope.get(_LOGGED_IN):
                    headers.append("set-cookie", self._cookie(scope[_LOGGED_IN]))
                # without the query: it may hold a token
                took = (time.perf_counter() - started) * 1000
                log.debug("%s %s %d %.0f ms", scope["method"], _shown(scope["path"]), message["status"], took)
            await send(message)

        headers = Headers(scope=scope)
        try:
            response = self._turned_away(scope, headers) or await self._identified(scope, headers)
            await (response or self._app)(scope, receive, sent)
        except Exception as error:  # the server's own log would show it with its secrets
            if not is_answered:
                await refusal(500, "fault", "the server's log says more")(scope, receive, sent)
            log.error("%s failed: %s", _shown(scope["path"]), hide_patterns(repr(error)))
            log.debug("%s", hide_patterns("".join(traceback.format_exception(error))))

    def _turned_away(self, scope: Scope, headers: Headers) -> Response | None:
        """The refusal of what nobody may ask."""
        if not self._is_ours(headers.getlist("host"), scope):
            return refusal(
                403,
                "host",
                f"this server is not known by the name {_shown(', '.join(headers.getlist('host')))!r}",
                "open the address that hpo ui printed, or start it with --allow-host NAME",
            )
        if scope["method"] not in METHODS:
            turned = refusal(405, "method", f"the page is read-only: {_shown(scope['method'])} does nothing here")
            turned.headers["allow"] = ", ".join(METHODS)
            return turned
        if len(scope["path"]) + len(scope["query_string"]) > LONGEST:
            return refusal(414, "address", f"the address has more than {LONGEST} characters")
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        is_foreign = origin is not None and _netloc(origin) != headers.get("host", "").lower()
        is_navigation = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        if is_foreign or (site not in ("none", "same-origin") and not is_navigation):
            return refusal(403, "origin", "another page asked for this; only the page of this server may")
        return None

    async def _identified(self, scope: Scope, headers: Headers) -> Response | None:
        """Nothing for somebody who may look; else what to answer."""
        path = scope["path"]
        if path == FREE:
            return None
        if path == LOGIN:
            return self._login(scope)
        if self._session_user(headers) is not None:
            return None
        client = (scope.get("client") or ("?", 0))[0]
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if not given:
            return self._who_is_it(headers, path)
        if wait := self._throttle.wait(client):
            return _too_often(wait)
        if scheme.lower() == "bearer" and self._access.is_token(given):
            return None
        if scheme.lower() == "basic" and self._access.users is not None:
            refused = await self._password(given, client, headers, path)
            if refused is None:
                scope[_LOGGED_IN] = self._session_of(_name_and_password(given)[0])
            return refused
        self._throttle.failed(client)
        return self._who_is_it(headers, path, was_wrong=True)

    async def _password(self, given: str, client: str, headers: Headers, path: str) -> Response | None:
        """Nothing for the right name and password; else what to answer.

        One at a time, since each takes much memory and time on purpose; and who waits may by then have been wrong too
        often, so that a flood of guesses keeps nobody else out for long.
        """
        if self._is_known(given):
            return None
        async with self._hashing:
            if wait := self._throttle.wait(client):
                return _too_often(wait)
            if self._is_known(given) or await self._is_user(given):
                return None
            self._throttle.failed(client)
        return self._who_is_it(headers, path, was_wrong=True)

    def _login(self, scope: Scope) -> Response:
        client = (scope.get("client") or ("?", 0))[0]
        try:
            query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=10)
        except ValueError:
            return refusal(400, "question", "a login has a token and where it leads to, and nothing else")
        token, to = query.get("token", [""])[0], query.get("to", ["/"])[0]
        if not token:
            return login_page(200, has_users=self._access.users is not None)
        if wait := self._throttle.wait(client):
            return _too_often(wait)
        if not self._access.is_token(token):
            self._throttle.failed(client)
            return login_page(401, has_users=self._access.users is not None, was_wrong=True)
        response = RedirectResponse(to if _PLACE.fullmatch(to) else "/", 303)
        response.headers.append("set-cookie", self._cookie(_BY_TOKEN))
        return response

    def _cookie(self, session_of: str) -> str:
        made = self._access.sessions.make(session_of, self._clock())
        return f"{self._access.cookie}={made}; HttpOnly; Max-Age={LASTS}; Path=/; SameSite=strict"

    def _session_of(self, name: str) -> str | None:
        """What a user's session says: with the stamp, so that it ends with the user, or with the password."""
        stamp = self._access.users.stamp(name) if self._access.users else None
        return f"user:{name}:{stamp}" if stamp else None

    async def _is_user(self, given: str) -> bool:
        """Whether name and password are right; once found so, they are not hashed again."""
        users = self._access.users
        if users is None:
            return False
        name, password = _name_and_password(given)
        if not name:
            return False
        is_right = await anyio.to_thread.run_sync(users.is_right, name, password)
        if is_right:
            self._known.add(self._digest(given))
        return is_right

    def _is_known(self, given: str) -> bool:
        return self._digest(given) in self._known

    def _digest(self, given: str) -> bytes:
        return hmac.new(self._key, given.encode(), hashlib.sha256).digest()

    def _session_user(self, headers: Headers) -> str | None:
        cookies = _cookies(headers.get("cookie", ""))
        session = cookies.get(self._access.cookie)
        user = self._access.sessions.user(session, self._clock()) if session else None
        if user is None or user == _BY_TOKEN:
            return user
        kind, _, name = user.rpartition(":")[0].partition(":")
        return user if kind == "user" and user == self._session_of(name) else None

    def _who_is_it(self, headers: Headers, path: str, *, was_wrong: bool = False) -> Response:
        has_users = self._access.users is not None
        if path.startswith(("/api/", "/static/")) or "text/html" not in headers.get("accept", ""):
            what = "a wrong token, name or password" if was_wrong else "you have not logged in"
            response = refusal(401, "login", what, "open the address that hpo ui printed")
        else:
            response = login_page(401, has_users=has_users, was_wrong=was_wrong)
        response.headers["www-authenticate"] = 'Basic realm="hpo", charset="UTF-8"' if has_users else "Bearer"
        return response

    def _is_ours(self, given: list[str], scope: Scope) -> bool:
        """Whether the Host header names this server: else a name that leads here could read everything."""
        if len(given) != 1:
            return False
        name, port = _split(given[0].lower())
        if name in self._access.hosts:
            return True
        if port != self._access.port and not (port is None and self._access.port == 80):
            return False
        if name in _LOCAL:
            return True
        try:
            address = ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        server = scope.get("server") or ("", 0)
        return str(address) == str(server[0])  # the address that the request came in at; no name stands behind it


def _name_and_password(given: str) -> tuple[str, str]:
    """Of HTTP's Basic scheme; empty texts for what is none, which nobody has."""
    try:
        name, _, password = base64.b64decode(given, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return name, password


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # half an IPv6 address
        return None


def _split(host: str) -> tuple[str, int | None]:
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        return host, None
    return name, int(port) if port.isascii() and port.isdecimal() and len(port) < 6 else -1


def _cookies(text: str) -> Mapping[str, str]:
    pairs = (part.strip().partition("=") for part in text.split(";"))
    return {name: value for name, _, value in pairs}


def _too_often(wait: int) -> Response:
    response = refusal(429, "attempts", f"too many wrong tokens or passwords; try again in {wait} s")
    response.headers["retry-after"] = str(wait)
    return response


def _shown(text: str) -> str:
    return text.encode("unicode_escape").decode()[:200]
