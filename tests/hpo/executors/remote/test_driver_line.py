"""Who reaches the driver's port without its key gets nothing and holds nobody up."""

import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace

import pytest

from hpo.errors import ConfigError
from hpo.executors.remote import driver_line, host_end
from hpo.executors.remote.driver_line import DriverLine, Host, Setup
from hpo.executors.remote.frames import HANDSHAKE_LIMIT, LENGTH, BadFrame, Seal, length_of
from hpo.executors.remote.handshake import NONCE, Identity, answer_to, frame_keys, nonce_of
from hpo.executors.remote.host_end import Errand, HostEnd, Unreachable, connect
from hpo.executors.remote.messages import Message, decoded, encoded

KEY = os.urandom(32)
ME = Identity.here()


class Guests:
    """Remembers who came and what was said."""

    def __init__(self) -> None:
        self.hosts: list[Host] = []
        self.heard: list[Message] = []
        self.gone: list[Host] = []
        self.turned: list[str] = []
        self.news = threading.Condition()

    def setup_for(self, identity: Identity, sees: Mapping[str, bool]) -> Setup | str:
        return Setup({"sees": dict(sees)}, b"the work", b"the code")

    def said(self, host: Host, message: Message) -> None:
        with self.news:
            self.hosts.append(host)
            self.heard.append(message)
            self.news.notify_all()
        if message["say"] == "nonsense":
            raise BadFrame("that is nonsense")

    def left(self, host: Host) -> None:
        with self.news:
            self.gone.append(host)
            self.news.notify_all()

    def turned_away(self, text: str) -> None:
        self.turned.append(text)

    def wait(self, condition: object) -> None:
        assert callable(condition)
        with self.news:
            assert self.news.wait_for(condition, 30)


@pytest.fixture
def guests() -> Guests:
    return Guests()


@pytest.fixture
def line(guests: Guests) -> Iterator[DriverLine]:
    with closing(DriverLine(KEY, ("127.0.0.1", 0), guests, {"driver": {"path": "/", "token": "t"}})) as line:
        yield line


def stranger(line: DriverLine) -> socket.socket:
    return socket.create_connection(("127.0.0.1", line.port), timeout=30)


def until_hung_up(connection: socket.socket) -> bytes:
    """All that the driver sends before it hangs up."""
    received = b""
    try:
        while part := connection.recv(4096):
            received += part
    except ConnectionError:
        pass
    return received


def host(line: DriverLine, key: bytes = KEY, me: Identity = ME, patience: float = 0.0) -> HostEnd:
    end, proof = connect(Errand("127.0.0.1", line.port, key, patience), me)
    assert proof["look"] == {"driver": {"path": "/", "token": "t"}}
    end.send("hello", **me.facts, sees={"driver": False})
    return end


def test_a_host_that_knows_the_key_gets_its_setup_and_is_heard(line: DriverLine, guests: Guests) -> None:
    with closing(host(line)) as end:
        assert end.receive() == {"say": "setup", "sees": {"driver": False}}
        assert (end.receive_bytes(), end.receive_bytes()) == (b"the work", b"the code")
        end.send("ready", problem="")
        guests.wait(lambda: guests.heard)
        guests.hosts[0].send("trial", ticket=1)

        assert end.receive() == {"say": "trial", "ticket": 1}
        assert line.has_hosts
    guests.wait(lambda: guests.gone)
    assert not line.has_hosts
    assert (guests.hosts[0].name, guests.gone) == (ME.host, guests.hosts)


def test_what_a_host_sees_is_what_it_says_is_true(line: DriverLine) -> None:
    end, _ = connect(Errand("127.0.0.1", line.port, KEY, 0.0), ME)
    with closing(end):
        end.send("hello", **ME.facts, sees={"driver": "no", "artifacts": True})
        assert end.receive() == {"say": "setup", "sees": {"driver": False, "artifacts": True}}


def test_a_host_with_another_key_gets_nothing(line: DriverLine, guests: Guests) -> None:
    with pytest.raises(Unreachable, match=f"cannot reach the driver at 127.0.0.1:{line.port} .*set parallel.listen"):
        host(line, key=b"another key")

    assert guests.hosts == []


@pytest.mark.parametrize(
    ("magic", "key", "problem"),
    [
        ("hpo-slot", b"another key", "a frame is not signed as it must be"),
        ("hpo-slot", KEY, "another driver listens there"),
        ("ssh", KEY, "no driver of ours listens there"),
    ],
    ids=["another key", "another driver", "no driver"],
)
def test_a_host_finds_out_who_is_not_its_driver(magic: str, key: bytes, problem: str) -> None:
    """The second one signs what it says, and proves nothing."""
    nonce = bytes(NONCE)
    with socket.create_server(("127.0.0.1", 0)) as server:
        errand = Errand("127.0.0.1", server.getsockname()[1], KEY, 0.0)

        def pretend() -> None:
            with closing(server.accept()[0]) as connection:
                connection.sendall(Seal().packed(encoded("challenge", magic=magic, nonce=nonce.hex()), 8192))
                if answer := connection.recv(8192):  # at once, as it is short
                    to_host, _ = frame_keys(key, nonce, nonce_of(decoded(answer[LENGTH.size :])))
                    connection.sendall(Seal(to_host).packed(encoded("proof", proof="00" * 32), 8192))

        thread = threading.Thread(target=pretend)
        thread.start()
        with pytest.raises(Unreachable, match=problem):
            connect(errand, ME)
        thread.join()


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\xff" * 5000,
        LENGTH.pack(HANDSHAKE_LIMIT + 1),
        LENGTH.pack(0),
        LENGTH.pack(5) + b"12345",
        Seal().packed(encoded("answer"), 8192),
        Seal().packed(encoded("answer", nonce="zz", answer=1), 8192),
        Seal().packed(encoded("answer", nonce="00" * NONCE, answer="00" * 32), 8192),
        Seal().packed(encoded("answer", nonce="00" * NONCE, answer="é"), 8192),
        Seal().packed(encoded("hello", **ME.facts), 8192),
    ],
)
def test_one_bad_frame_of_a_stranger_ends_the_connection_at_once(
    garbage: bytes, line: DriverLine, guests: Guests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_line, "SECONDS", 3600.0)
    with stranger(line) as connection:
        connection.sendall(garbage)

        assert b"proof" not in until_hung_up(connection)
    assert guests.hosts == []


def test_strangers_that_keep_silent_are_dropped_and_hold_nobody_up(
    line: DriverLine, guests: Guests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_line, "SECONDS", 1.0)
    with ExitStack() as silent:
        connections = [silent.enter_context(stranger(line)) for _ in range(driver_line.STRANGERS)]
        for connection in connections:
            assert connection.recv(1)  # each has its challenge
        with closing(host(line)) as end:  # at the first try, though nobody has left
            assert end.receive()["say"] == "setup"
        assert not any(b"proof" in until_hung_up(connection) for connection in connections)


def test_the_oldest_of_too_many_strangers_makes_room(line: DriverLine) -> None:
    with ExitStack() as silent:
        connections = [silent.enter_context(stranger(line)) for _ in range(driver_line.STRANGERS)]
        for connection in connections:
            assert connection.recv(1)  # each has its challenge
        with stranger(line) as one_too_many:
            assert one_too_many.recv(1)
            until_hung_up(connections[0])
            connections[1].settimeout(0.0)
            assert connections[1].recv(4096)  # the challenge's rest, and no end
            with pytest.raises(BlockingIOError):
                connections[1].recv(1)


def test_a_host_that_says_what_none_may_say_is_given_up_and_named(
    line: DriverLine, guests: Guests, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(host(line)) as end:
        end.send("nonsense")
        guests.wait(lambda: guests.gone)

    assert f"host {ME.host} is given up, it says what no host may say: that is nonsense" in caplog.text


def test_half_a_handshake_holds_nobody_up(line: DriverLine) -> None:
    with stranger(line) as slow:
        slow.sendall(LENGTH.pack(100) + b"{")
        with closing(host(line)) as end:
            assert end.receive()["say"] == "setup"


def test_a_frame_that_is_signed_with_nothing_ends_a_line_that_stood(line: DriverLine, guests: Guests) -> None:
    with stranger(line) as connection:
        head = connection.recv(LENGTH.size)
        challenge = decoded(connection.recv(length_of(head, 8192)))
        nonce = os.urandom(NONCE)
        answer = answer_to(KEY, bytes.fromhex(str(challenge["nonce"])), nonce)
        connection.sendall(Seal().packed(encoded("answer", nonce=nonce.hex(), answer=answer), 8192))
        connection.sendall(Seal().packed(encoded("hello", **ME.facts, sees={}), 8192))

        assert b"setup" not in until_hung_up(connection)
    assert guests.hosts == []


def test_a_host_of_another_version_is_told_which_it_has_to_be(line: DriverLine, guests: Guests) -> None:
    with closing(host(line, me=replace(ME, python="2.7", host="old"))) as end:
        refused = end.receive()

    assert refused["say"] == "refused"
    assert str(refused["text"]).startswith(f"host old has Python 2.7, this driver {ME.python}; both must be the same")
    assert guests.turned == [refused["text"]]


def test_who_comes_when_it_is_over_is_sent_away(line: DriverLine, guests: Guests) -> None:
    line.say_it_is_over()
    with closing(host(line)) as end:
        assert end.receive() == {"say": "refused", "text": "the driver has no more use for it"}
    assert guests.turned == []


def test_a_port_that_nobody_listens_at_is_given_up_before_the_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_end, "REFUSED_FOR", 0.1)
    monkeypatch.setattr(host_end, "PAUSE", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    began = time.monotonic()

    with pytest.raises(Unreachable, match=rf"slot host on \S+ cannot reach the driver at 127.0.0.1:{port}"):
        connect(Errand("127.0.0.1", port, KEY, 60.0), ME)
    assert time.monotonic() - began < 30


def test_an_address_that_is_not_ours_is_refused(guests: Guests) -> None:
    with pytest.raises(ConfigError, match=r"cannot listen at 192\.0\.2\.1:9700 .*no such address; name"):
        DriverLine(KEY, ("192.0.2.1", 9700), guests, {})
