"""A proxy between a client and an HTTP server that does what networks and servers do on bad days."""

import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

QUOTING = (
    b"<?xml version='1.0'?><Error><Code>%s</Code><Message>m</Message><AWSAccessKeyId>AKIANOBODY</AWSAccessKeyId>"
    b"<StringToSign>S3CRETkeyofnobody</StringToSign></Error>"
)
"""What S3 answers quotes what the request was signed with."""


@dataclass
class FaultyProxy:
    """`fault(method, path)` says for each request what happens: "" it passes, else

    `500`, `503`, `403`, `404`: that status instead; `hang`: no answer while the proxy lives; `cut`: the connection is
    reset in the middle of the body; `lose`: the request arrives, its answer does not; `spoil`: a byte is changed.
    """

    upstream: int
    fault: Callable[[str, str], str] = lambda method, path: ""
    port: int = 0
    requests: list[tuple[str, str]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def first(self, count: int, fault: str, method: str = "PUT") -> None:
        """The first so many requests of a method meet a fault."""
        left = [count]

        def decide(asked: str, _: str) -> str:
            if asked != method or left[0] <= 0:
                return ""
            left[0] -= 1
            return fault

        self.fault = decide

    def count(self, method: str) -> int:
        """How many requests of that method came."""
        return sum(asked == method for asked, _ in self.requests)


@contextmanager
def running_proxy(upstream: int) -> Iterator[FaultyProxy]:
    """A proxy on loopback in front of that port."""
    proxy = FaultyProxy(upstream)

    class Handler(_Handler):
        owner = proxy

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that goes away is what the tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    proxy.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    owner: FaultyProxy
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        with suppress(ConnectionError, socket.timeout):
            super().handle_one_request()
            return
        self.close_connection = True

    def _handle(self) -> None:
        self.owner.requests.append((self.command, self.path))
        fault = self.owner.fault(self.command, self.path)
        size = int(self.headers.get("Content-Length") or 0)
        if fault == "cut":
            self.rfile.read(size // 2)
            self._reset()
            return
        body = self.rfile.read(size)
        if fault == "hang":
            self.owner.ended.wait(30)
            self._reset()
        elif fault.isdecimal():
            code = {"403": b"AccessDenied", "404": b"NoSuchBucket"}.get(fault, b"InternalError")
            self._answer(int(fault), [("Content-Type", "application/xml")], QUOTING % code)
        else:
            if fault == "spoil" and body:
                body = bytes([body[0] ^ 1]) + body[1:]
            status, headers, content = self._ask(body)
            if fault == "lose":
                self._reset()
            else:
                self._answer(status, headers, content)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _handle  # noqa: N815  # as the base class wants them

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.owner.upstream, timeout=30)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("connection", "expect"):
                    connection.putheader(name, value)
            connection.endheaders(body or None)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response_only(status)
        is_head = self.command == "HEAD"
        for name, value in headers:
            lower = name.lower()
            if lower not in ("connection", "transfer-encoding") and (is_head or lower != "content-length"):
                self.send_header(name, value)
        if not is_head:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if not is_head:
            self.wfile.write(content)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        with suppress(OSError):
            self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""
