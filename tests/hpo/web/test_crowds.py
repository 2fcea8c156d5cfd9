"""Who asks oddly, all at once, or nothing at all keeps nobody else out."""

import asyncio
import base64
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
import uvicorn

from hpo.web import connection
from hpo.web.connection import Connection
from hpo.web.throttle import WRONG
from hpo.web.users import Users, hashed

TOKEN = "t" * 32


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/login?token=x" + "&a" * 20, {}, 400),
        ("/api/sweeps", {"origin": "http://[::1"}, 403),
        ("/healthz", {"origin": "http://["}, 403),
        ("/api/sweeps?name=%00%ff", {"authorization": f"Bearer {TOKEN}"}, 200),
        ("/api/sweeps", {"authorization": "Basic \xff\xfe"}, 401),
    ],
)
def test_odd_questions_are_answered_as_all_others(site, path: str, headers: dict[str, str], status: int) -> None:
    answered = site.ask(path, token=None, **headers)

    assert answered.status == status
    assert "default-src 'none'" in answered.headers["content-security-policy"]


def test_a_fault_of_the_doorman_itself_is_answered(
    site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("at postgresql://me:hunter2@h/d")

    monkeypatch.setattr(site.app, "_identified", fails)

    answered = site.ask("/api/sweeps")
    assert (answered.status, answered.json["error"]["rule"]) == (500, "fault")
    assert answered.headers["x-frame-options"] == "DENY"
    assert b"hunter2" not in answered.body
    assert "hunter2" not in caplog.text


class Counting(Users):
    """Says how many passwords are looked at at once, and in all."""

    now = most = asked = 0

    def is_right(self, name: str, password: str) -> bool:
        self.now += 1
        self.asked += 1
        self.most = max(self.most, self.now)
        try:
            return super().is_right(name, password)
        finally:
            self.now -= 1


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def test_a_flood_of_guesses_costs_ten_hashes_one_after_the_other(make_site: Callable) -> None:
    users = Counting({"ana": hashed("ana", "correct horse")})
    site = make_site(users=users)

    async def flood() -> list[int]:
        guesses = (site.answer("/api/sweeps", token=None, authorization=basic(f"ana:guess{n}")) for n in range(60))
        return [answered.status for answered in await asyncio.gather(*guesses)]

    statuses = asyncio.run(flood())
    assert (statuses.count(401), statuses.count(429)) == (WRONG, 60 - WRONG)
    assert (users.most, users.asked) == (1, WRONG)


def test_a_page_that_asks_much_at_once_has_its_password_looked_at_once(make_site: Callable) -> None:
    users = Counting({"ana": hashed("ana", "correct horse")})
    site = make_site(users=users)

    async def page() -> list[int]:
        asked = (site.answer("/api/sweeps", token=None, authorization=basic("ana:correct horse")) for _ in range(20))
        return [answered.status for answered in await asyncio.gather(*asked)]

    assert asyncio.run(page()) == [200] * 20
    assert users.asked == 1


@pytest.fixture
def port(site, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Where the site is served, by a server that waits a fifth of a second."""
    monkeypatch.setattr(connection, "PATIENCE", 0.2)
    config = uvicorn.Config(site.app, http=Connection, log_config=None, access_log=False, ws="none", lifespan="off")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([bound])), daemon=True)
        thread.start()
        yield bound.getsockname()[1]
        server.should_exit = True
        thread.join(10)


def closed(asked: socket.socket) -> bytes:
    """All that comes until the server closes."""
    asked.settimeout(10)
    return b"".join(iter(lambda: asked.recv(65536), b""))


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET /healthz HTTP/1.1\r\nHost: localhost:8017\r\nX: "])
def test_who_never_ends_a_question_is_not_waited_for(port: int, said: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as asked:
        asked.sendall(said)
        assert closed(asked) == b""


def test_who_asks_again_too_slowly_is_not_waited_for_either(port: int) -> None:
    question = b"GET /healthz HTTP/1.1\r\nHost: localhost:8017\r\n"
    with socket.create_connection(("127.0.0.1", port), 10) as asked:
        asked.sendall(question + b"\r\n")
        assert asked.recv(65536).startswith(b"HTTP/1.1 200")
        asked.sendall(question)
        assert b"HTTP" not in closed(asked)
