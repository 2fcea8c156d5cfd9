"""Who gets in: every route, every method, with and without what it takes."""

import base64
import hashlib
import logging
import time
from collections.abc import Callable

import pytest

from hpo.web.sessions import LASTS, Sessions
from hpo.web.throttle import WITHIN, WRONG, Throttle
from hpo.web.users import Users, hashed

SWEEP = "5a" * 16
TOKEN = "t" * 32
RUN = "0001" + "b" * 28
ROUTES = [
    "/",
    "/sweeps/iris",
    "/sweeps/iris/trials/1",
    "/compare?s=a",
    "/models",
    "/models/iris",
    "/static/index.html",
    "/api/sweeps",
    f"/api/sweeps/{SWEEP}",
    f"/api/sweeps/{SWEEP}/trials",
    f"/api/sweeps/{SWEEP}/importance",
    f"/api/sweeps/{SWEEP}/curves?top=3",
    f"/api/sweeps/{SWEEP}/front",
    f"/api/runs/{RUN}",
    f"/api/runs/{RUN}/log",
    "/api/models",
    "/api/models/iris",
]
MISSING = ["/nothing", "/api/nothing", "/api/artifacts/x", "/static/x", "/api/sweeps/nobody", "//", "/api/runs/%2e%2e"]
METHODS = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get"]
SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


def check_headers(answered) -> None:
    for name, value in SECURITY.items():
        assert answered.headers[name] == value
    assert "default-src 'none'" in answered.headers["content-security-policy"]
    assert "access-control-allow-origin" not in answered.headers
    assert "unsafe" not in answered.headers["content-security-policy"]


@pytest.mark.parametrize("path", ROUTES)
def test_every_route_answers_who_may_look(site, path: str) -> None:
    answered = site.ask(path)
    assert answered.status == 200
    check_headers(answered)
    head = site.ask(path, "HEAD")
    assert (head.status, head.headers.get("content-type")) == (200, answered.headers.get("content-type"))


@pytest.mark.parametrize("path", [*ROUTES, *MISSING, f"/api/sweeps/{SWEEP}/events"])
def test_nothing_is_said_without_a_token(site, path: str) -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}, {"cookie": "hpo-ui-8017=1.61.0"}, {"accept": "text/html"}):
        answered = site.ask(path, token=None, **headers)
        assert answered.status == 401
        assert b"iris" not in answered.body
        check_headers(answered)


@pytest.mark.parametrize("path", [*ROUTES, *MISSING, "/healthz", "/login", f"/api/sweeps/{SWEEP}/events"])
def test_no_method_but_get_and_head_does_anything(site, path: str) -> None:
    for method in METHODS:
        for token in (None, TOKEN):
            answered = site.ask(path, method, token=token)
            assert (answered.status, answered.headers["allow"]) == (405, "GET, HEAD")
            check_headers(answered)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8017", "127.0.0.1", "127.0.0.1:80", "", "127.0.0.1:8017@x"]
)
def test_a_foreign_name_gets_nothing_whatever_it_asks(site, host: str) -> None:
    for path in ("/", "/healthz", "/api/sweeps", f"/login?token={TOKEN}"):
        answered = site.ask(path, host=host)
        assert answered.status == 403
        assert "set-cookie" not in answered.headers
        check_headers(answered)


@pytest.mark.parametrize("host", ["localhost:8017", "LOCALHOST:8017", "127.0.0.1:8017", "[::1]:8017"])
def test_loopback_names_are_ours(site, host: str) -> None:
    assert site.ask("/api/models", host=host).status == 200


def test_names_of_a_proxy_are_ours_only_if_allowed(site, make_site: Callable) -> None:
    assert site.ask("/", host="hpo.example.org").status == 403
    assert make_site(hosts=frozenset({"hpo.example.org"})).ask("/", host="hpo.example.org").status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:8018"}, 403),
        ({"origin": "http://127.0.0.1:8017"}, 200),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"}, 403),
        ({"sec_fetch_site": "same-site", "sec_fetch_mode": "cors"}, 403),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"}, 403),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}, 200),
        ({"sec_fetch_site": "same-origin", "sec_fetch_mode": "cors"}, 200),
    ],
)
def test_other_pages_may_not_ask(site, headers: dict[str, str], status: int) -> None:
    assert site.ask("/api/sweeps", **headers).status == status


def test_health_is_all_that_is_free(site) -> None:
    assert site.ask("/healthz", token=None).body == b"ok\n"


def test_the_token_becomes_a_session(site) -> None:
    answered = site.ask(f"/login?token={TOKEN}&to=/sweeps/iris%2520x", token=None)
    cookie = answered.headers["set-cookie"]
    assert (answered.status, answered.headers["location"]) == (303, "/sweeps/iris%20x")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert site.ask("/api/sweeps", token=None, cookie=f"a=b; {cookie.partition(';')[0]}").status == 200
    name, _, session = cookie.partition(";")[0].partition("=")
    assert (
        site.ask("/api/sweeps", token=None, cookie=f"{name}={session[:-1]}{'0' if session[-1] != '0' else '1'}").status
        == 401
    )


@pytest.mark.parametrize(
    "to", ["//evil.example", "http://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb"]
)
def test_a_login_leads_nowhere_else(site, to: str) -> None:
    from urllib.parse import quote

    assert site.ask(f"/login?token={TOKEN}&to={quote(to)}", token=None).headers["location"] == "/"


def test_a_wrong_token_gives_no_session_and_after_ten_one_has_to_wait(site) -> None:
    answers = [site.ask(f"/login?token=wrong{n}", token=None) for n in range(WRONG + 1)]
    assert [answered.status for answered in answers] == [401] * WRONG + [429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert all("set-cookie" not in answered.headers for answered in answers)
    assert site.ask(f"/login?token={TOKEN}", token=None).status == 429


def test_failures_are_forgotten_after_a_minute() -> None:
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    for _ in range(WRONG):
        throttle.failed("a")
    assert (throttle.wait("a") > 0, throttle.wait("b")) == (True, 0)
    now[0] = WITHIN + 1
    assert throttle.wait("a") == 0


def test_tokens_stand_in_no_log(site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        site.ask(f"/login?token={TOKEN}", token=None)
        site.ask("/api/sweeps")
    assert "/login 303" in caplog.text
    assert TOKEN not in caplog.text


def test_sessions_end_and_cannot_be_made_up() -> None:
    sessions = Sessions(b"k" * 32)
    session = sessions.make("ana:x.y", 1000.0)
    assert sessions.user(session, 1000.0 + LASTS - 1) == "ana:x.y"
    assert sessions.user(session, 1001.0 + LASTS) is None
    assert Sessions(b"l" * 32).user(session, 1000.0) is None
    for wrong in ("", ".", "..", "x.y.z", session + "0", "9" + session, "\udc80"):
        assert sessions.user(wrong, 1000.0) is None


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def test_users_get_in_by_name_and_password(make_site: Callable) -> None:
    site = make_site(token=None, users=Users({"ana": hashed("ana", "correct horse")}))

    assert site.ask("/api/sweeps", token=None, authorization=basic("ana:correct horse")).status == 200
    for wrong in ("ana:wrong horse", "bob:correct horse", "ana", ""):
        answered = site.ask("/api/sweeps", token=None, authorization=basic(wrong))
        assert (answered.status, answered.headers["www-authenticate"][:5]) == (401, "Basic")
    assert site.ask("/api/sweeps", token=None, authorization="Basic %%%").status == 401
    assert site.ask("/api/sweeps", token=None, authorization=f"Bearer {TOKEN}").status == 401


def test_a_user_who_logged_in_stays_in_while_others_behind_the_same_proxy_guess(make_site: Callable) -> None:
    users, sessions = Users({"ana": hashed("ana", "correct horse")}), Sessions(b"k" * 32)
    site = make_site(token=None, users=users, sessions=sessions)
    answered = site.ask("/", token=None, authorization=basic("ana:correct horse"))
    cookie, _, attributes = answered.headers["set-cookie"].partition("; ")
    assert attributes == f"HttpOnly; Max-Age={LASTS}; Path=/; SameSite=strict"
    assert "correct" not in cookie
    for number in range(WRONG + 1):
        answered = site.ask("/", token=None, authorization=basic(f"ana:guess {number}"))
        assert "set-cookie" not in answered.headers
    assert site.ask("/", token=None, authorization=basic("ana:correct horse")).status == 429
    answered = site.ask("/api/sweeps", token=None, authorization=basic("ana:correct horse"), cookie=cookie)
    assert (answered.status, "set-cookie" in answered.headers) == (200, False)

    for others in (Users({"bob": hashed("bob", "correct horse")}), Users({"ana": hashed("ana", "another horse")})):
        after = make_site(token=None, users=others, sessions=sessions)  # the server is started anew
        assert after.ask("/api/sweeps", token=None, cookie=cookie).status == 401
    assert make_site(users=None, sessions=sessions).ask("/api/sweeps", token=None, cookie=cookie).status == 401


def test_nobody_makes_a_session_of_a_name(make_site: Callable) -> None:
    users, sessions = Users({"token": hashed("token", "correct horse")}), Sessions(b"k" * 32)
    site = make_site(token=None, users=users, sessions=sessions)
    for said in ("user:token:None", "user:bob:None", "user::", "user:", ":token:", "user:token:"):
        cookie = f"{site.access.cookie}={sessions.make(said, time.time())}"
        assert site.ask("/api/sweeps", token=None, cookie=cookie).status == 401


def test_a_longer_address_than_any_of_ours_is_refused(site) -> None:
    assert site.ask("/" + "a" * 9000).status == 414


def test_the_token_itself_is_nowhere_in_memory_of_the_access(site) -> None:
    assert site.access.token == hashlib.sha256(TOKEN.encode()).digest()
    assert TOKEN not in repr(site.access)
