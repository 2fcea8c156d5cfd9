"""A real browser, one for all tests, and the page's server over a store that is made up."""

import asyncio
import hashlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
TOKEN = "a-token-of-the-tests-only"
SECONDS = 30
"""Until a page shows what is expected; its own 5 s are too few on a machine where tests run side by side."""


def _script(name: str) -> ModuleType:
    """A module of scripts/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def page_browser() -> ModuleType:
    return _script("page_browser")


@pytest.fixture(scope="session")
def seeding() -> ModuleType:
    return _script("seeded_store")


@pytest.fixture(scope="module")  # while it is there a loop runs in this thread, beside which no other test can run one
def chromium(page_browser: ModuleType) -> Iterator[object]:
    from playwright.sync_api import expect

    expect.set_options(timeout=SECONDS * 1000)
    try:
        with page_browser.browser() as browser:
            yield browser
    except page_browser.NoBrowser as error:
        pytest.skip(f"the page is not looked at: {error}")


@pytest.fixture
def visit(chromium) -> Iterator[Callable[..., object]]:
    """Opens a page at an address; at the end nothing may have gone wrong on it, and nothing been asked of others."""
    contexts = []

    def open_page(address: str, path: str = "/", *, faults: bool = False, **options: object):
        options.setdefault("viewport", {"width": 1280, "height": 900})
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        if not faults:
            page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
            page.on("console", lambda told: wrong.append(told.text) if told.type in ("error", "warning") else None)
        page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
        page.on("request", lambda asked: None if asked.url.startswith((address, "data:")) else wrong.append(asked.url))
        page.goto(f"{address}/login?token={TOKEN}")
        page.goto(f"{address}{path}")
        page.wait_for_selector("main:not([aria-busy])")
        return page

    wrong: list[str] = []
    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture(scope="session")
def seeded(seeding: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URI of a store with two sweeps by one metric, one by two, and one whose every text is hostile."""
    folder = tmp_path_factory.mktemp("store")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with seeding.open_store(uri, artifacts=str(folder / "mlruns")) as store:
        seeding.seed_sweep(store, "digits", 120, seed=3, curves=True)
        seeding.seed_sweep(store, "digits-random", 60, seed=4, sampler="random")
        seeding.seed_sweep(store, "trade-off", 60, seed=5, several=True)
        seeding.seed_sweep(store, seeding.HOSTILE, 40, seed=2, hostile=True, curves=True)
    return uri


@pytest.fixture(scope="session")
def seeded_page(seeded: str) -> Iterator[str]:
    """The address of the page over that store."""
    with serving(seeded) as address:
        yield address


class serving:  # noqa: N801  # used as a function
    """The page's server over a store, in a thread of this process; its address inside the block."""

    def __init__(self, uri: str, port: int = 0, token: str = TOKEN) -> None:
        self._uri, self._port, self._token = uri, port, token

    def __enter__(self) -> str:
        import socket

        import uvicorn

        from hpo.views.commands import Commands
        from hpo.web.application import application
        from hpo.web.doorman import Access
        from hpo.web.sessions import Sessions
        from trackers.opening import open_store

        self._socket = socket.create_server(("127.0.0.1", self._port))
        port = self._socket.getsockname()[1]
        self._store = open_store(self._uri, read_only=True)
        key = hashlib.sha256(self._token.encode()).digest()
        app, self._hub = application(
            self._store, Commands(self._uri, {}), Access(port, key, None, frozenset(), Sessions(key))
        )
        config = uvicorn.Config(
            app, log_config=None, access_log=False, ws="none", lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        self._started.wait()
        return f"http://127.0.0.1:{port}"

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._started.set()
        await self._server.serve(sockets=[self._socket])

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._hub.stop)
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()
        self._store.close()


@pytest.fixture
def serve() -> Iterator[Callable[[str], str]]:
    """Serves a store until the test ends; its address."""
    running: list[serving] = []

    def start(uri: str) -> str:
        running.append(serving(uri))
        return running[-1].__enter__()

    yield start
    for each in running:
        each.__exit__()


@pytest.fixture
def serving_by_hand() -> type[serving]:
    """For a test that ends the server itself."""
    return serving
