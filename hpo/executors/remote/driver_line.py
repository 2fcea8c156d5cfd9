"""The driver's end of all lines: a server in one thread, which admits who knows the key and fits, and nobody else."""

import asyncio
import hmac
import logging
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from hpo.executors.remote.frames import (
    FROM_DRIVER_LIMIT,
    FROM_HOST_LIMIT,
    HANDSHAKE_LIMIT,
    LENGTH,
    BadFrame,
    Seal,
    length_of,
)
from hpo.executors.remote.handshake import (
    MAGIC,
    NONCE,
    SECONDS,
    Identity,
    answer_to,
    frame_keys,
    nonce_of,
    proof_to,
)
from hpo.executors.remote.messages import Message, decoded, encoded
from hpo.executors.remote.reaching import cannot_listen
from hpo.executors.remote.sockets import attend

log = logging.getLogger(__name__)

STRANGERS = 64
"""How many connections at once may have proved nothing yet; then the oldest makes room, for hosts need no time."""

SETUPS = 8
"""How many hosts at once are sent their setup: each has its own copy of it in memory until it is sent."""


@dataclass(frozen=True)
class Setup:
    """What an admitted host gets: facts, the pickled work, and the bundle of code where it needs one."""

    facts: Mapping[str, object]
    work: bytes
    bundle: bytes = b""


class Host:
    """One slot host, as the driver sees it. `send` may be called from any thread and never waits."""

    def __init__(self, identity: Identity, send: Callable[[bytes], None]) -> None:
        self.identity = identity
        self.name = identity.host
        self._send = send

    def send(self, say: str, **facts: object) -> None:
        """Sends a message; where the line is broken nothing happens, and `Hosts.left` is called."""
        self._send(encoded(say, **facts))


class Hosts(Protocol):
    """Who is told of hosts; all but `setup_for` is called in the thread of the line and must not wait."""

    def setup_for(self, identity: Identity, sees: Mapping[str, bool]) -> Setup | str:
        """What a host gets, or why it cannot work here; called in a thread of its own."""
        ...

    def said(self, host: Host, message: Message) -> None:
        """A message came; BadFrame where it makes no sense, and then the host is dropped."""
        ...

    def left(self, host: Host) -> None:
        """A host that had its setup is gone."""
        ...

    def turned_away(self, text: str) -> None:
        """A host cannot work here."""
        ...


class DriverLine:
    """Listens from the moment it is made until it is closed; ConfigError where it cannot."""

    def __init__(self, key: bytes, address: tuple[str, int], hosts: Hosts, look: Mapping[str, object]) -> None:
        self._key = key
        self._hosts = hosts
        self._look = look
        self._me = Identity.here()
        self._strangers: dict[_Wire, None] = {}
        self._setups = asyncio.Semaphore(SETUPS)
        self._is_over = False
        self._present: set[Host] = set()
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = self._listening(address)
        self.port = int(self._server.sockets[0].getsockname()[1])
        self._thread = threading.Thread(target=self._loop.run_forever, name="hpo-line", daemon=True)
        self._thread.start()

    @property
    def has_hosts(self) -> bool:
        """Whether a host is there, or is getting ready; not one that was turned away."""
        return bool(self._present)

    def say_it_is_over(self) -> None:
        """Tells all hosts to end, and those that come later that they are too late."""
        self._loop.call_soon_threadsafe(self._say_it_is_over)

    def close(self) -> None:
        """Hangs up on everybody, once all is sent; safe to call twice."""
        if not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _listening(self, address: tuple[str, int]) -> asyncio.Server:
        try:
            return self._loop.run_until_complete(asyncio.start_server(self._serve, *address, backlog=1024))
        except OSError as error:
            self._loop.close()
            raise cannot_listen(*address, error) from error

    def _say_it_is_over(self) -> None:
        self._is_over = True
        for host in self._present:
            host.send("end")

    async def _end(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("not in a task")
        self._tasks.add(task)
        try:
            await self._talk(_Wire(reader, writer))
        except (OSError, EOFError, BadFrame, ValueError, TimeoutError) as error:
            log.debug("a connection ended: %s", error)
        except asyncio.CancelledError:  # the driver ends: what was written is still sent
            with suppress(OSError, TimeoutError):
                writer.close()
                await asyncio.wait_for(writer.wait_closed(), 1.0)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _talk(self, wire: "_Wire") -> None:
        if len(self._strangers) >= STRANGERS:
            oldest = next(iter(self._strangers))
            del self._strangers[oldest]
            oldest.hang_up()
        self._strangers[wire] = None
        try:
            async with asyncio.timeout(SECONDS):
                identity, sees = await self._admitted(wire)
        finally:
            self._strangers.pop(wire, None)
        setup: Setup | str = identity.misfit(self._me)
        setup = setup or await asyncio.to_thread(self._hosts.setup_for, identity, sees)
        if self._is_over or isinstance(setup, str):
            text = setup if isinstance(setup, str) else "the driver has no more use for it"
            if not self._is_over:
                self._hosts.turned_away(text)
            wire.write(encoded("refused", text=text))
            await wire.drained()
            return
        host = Host(identity, self._sender(wire))
        self._present.add(host)
        try:
            async with self._setups:
                for part in (encoded("setup", **setup.facts), setup.work, setup.bundle):
                    wire.write(part)
                    await wire.drained()
            while True:
                self._hosts.said(host, decoded(await wire.read(FROM_HOST_LIMIT)))
        except BadFrame as error:
            log.warning("host %s is given up, it says what no host may say: %s", host.name, error)
            raise
        finally:
            self._present.discard(host)
            self._hosts.left(host)

    async def _admitted(self, wire: "_Wire") -> tuple[Identity, Mapping[str, bool]]:
        """Who it is, and what it sees of what it was to look for, once it has proved that it knows the key."""
        of_driver = os.urandom(NONCE)
        wire.write(encoded("challenge", magic=MAGIC, nonce=of_driver.hex()))
        answer = decoded(await wire.read(HANDSHAKE_LIMIT), "answer")
        of_host = nonce_of(answer)
        if not _is(answer.get("answer"), answer_to(self._key, of_driver, of_host)):
            raise BadFrame("it does not know the key")
        self._strangers.pop(wire, None)
        wire.sign(*frame_keys(self._key, of_driver, of_host))
        wire.write(encoded("proof", proof=proof_to(self._key, of_driver, of_host), look=self._look, **self._me.facts))
        hello = decoded(await wire.read(HANDSHAKE_LIMIT), "hello")
        sees = hello.get("sees")
        seen = {str(name): value is True for name, value in sees.items()} if isinstance(sees, dict) else {}
        return Identity.of(hello), seen

    def _sender(self, wire: "_Wire") -> Callable[[bytes], None]:
        def send(body: bytes) -> None:
            with suppress(RuntimeError):  # the loop is closed: the driver has ended
                self._loop.call_soon_threadsafe(wire.write, body)

        return send


class _Wire:
    """One connection, before and after its frames are signed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._mine, self._its = Seal(), Seal()
        attend(writer.get_extra_info("socket"))

    def sign(self, mine: bytes, its: bytes) -> None:
        """From now on frames are signed."""
        self._mine, self._its = Seal(mine), Seal(its)

    def write(self, body: bytes) -> None:
        """Sends a frame, some time."""
        if not self._writer.is_closing():
            self._writer.write(self._mine.packed(body, FROM_DRIVER_LIMIT))

    def hang_up(self) -> None:
        """Closes the line once all is sent."""
        self._writer.close()

    async def drained(self) -> None:
        """Waits until not much is left to send."""
        await self._writer.drain()

    async def read(self, limit: int) -> bytes:
        """The body of the next frame."""
        head = await self._reader.readexactly(LENGTH.size)
        return self._its.opened(await self._reader.readexactly(length_of(head, limit)))


def _is(given: object, right: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "replace"), right.encode())
