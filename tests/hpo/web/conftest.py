"""The page's server called as a server would call it, without a network: one request, one answer."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

import pytest

from hpo.views.commands import Commands
from hpo.web.application import application
from hpo.web.doorman import Access
from trackers.opening import Store, open_store
from trackers.records import (
    STATUS_OF_STATE,
    Artifact,
    Change,
    LoggedModel,
    NewVersion,
    Point,
    RunEnded,
    RunStarted,
    Status,
    SweepFacts,
    TrialFacts,
)

PORT = 8017
TOKEN = "t" * 32
SWEEP = "5a" * 16
START = 1_760_000_000_000
HOSTILE = "<script>alert(1)</script>\x1b[31m"


def trial_id(number: int) -> str:
    return f"{number:04x}" + "b" * 28


def sweep_started(name: str = "iris", run_id: str = SWEEP, **more: object) -> RunStarted:
    config = json.dumps({"engine": {"name": "optuna", "sampler": "tpe"}, "budget": {"n_trials": 60, "timeout": 100.0}})
    facts = SweepFacts(config, "hash", "auc", "maximize", seed=7, window=4, n_trials=60)
    return RunStarted(run_id, name, "Default", START, sweep=facts, **more)  # type: ignore[arg-type]


def trial(number: int, value: float | None, state: str = "COMPLETE", **facts: object) -> list[Change]:
    """A trial that ended, or with state RUNNING only began."""
    begun = TrialFacts(number, {"lr": 0.1 + number, "kind": HOSTILE if number % 2 else "a"}, seed=number)
    at = START + 1000 * number
    start = RunStarted(trial_id(number), f"trial-{number}", "Default", at, SWEEP, begun.params, trial=begun)
    if state == "RUNNING":
        return [start]
    told = replace(begun, state=state, value=value, seconds=0.5, **facts)  # type: ignore[arg-type]
    points = [] if value is None else [Point("auc", value - 0.1, 0, at), Point("auc", value, 1, at + 400)]
    return [start, RunEnded(trial_id(number), STATUS_OF_STATE[state], at + 500, points, trial=told)]


@dataclass
class Answered:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self):  # type: ignore[no-untyped-def]
        return json.loads(self.body)


class Site:
    """The application over a store."""

    def __init__(self, store: Store, access: Access) -> None:
        self.store = store
        self.access = access
        self.app, self.hub = application(store, Commands(store.uri, {}), access, user="ana")

    def unanswered(self) -> Answered:
        """What is filled in as the answer comes."""
        return Answered()

    def ask(self, path: str, method: str = "GET", *, token: str | None = TOKEN, **headers: str) -> Answered:
        """The whole answer; header names as arguments, `_` for `-`."""
        return asyncio.run(self.answer(path, method, token=token, **headers))

    async def answer(self, path: str, method: str = "GET", *, token: str | None = TOKEN, **headers: str) -> Answered:
        answered = Answered()
        await self.call(path, method, answered, lambda _: None, token=token, **headers)
        return answered

    async def call(
        self,
        path: str,
        method: str,
        answered: Answered,
        on_body: Callable[[bytes], None],
        *,
        token: str | None = TOKEN,
        **headers: str,
    ) -> None:
        raw, _, query = path.partition("?")
        given = {"host": f"127.0.0.1:{PORT}"} | {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            given.setdefault("authorization", f"Bearer {token}")
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": unquote(raw), "raw_path": raw.encode(), "query_string": query.encode(), "root_path": "",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in given.items()],
            "client": ("127.0.0.1", 40000), "server": ("127.0.0.1", PORT),
        }  # fmt: skip
        gone = asyncio.Event()

        async def receive() -> dict[str, object]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict) -> None:  # type: ignore[type-arg]
            if message["type"] == "http.response.start":
                answered.status = message["status"]
                answered.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
            else:
                answered.body += message.get("body", b"")
                on_body(message.get("body", b""))

        await self.app(scope, receive, send)


def access(**changed: object) -> Access:
    return replace(Access(PORT, hashlib.sha256(TOKEN.encode()).digest()), **changed)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpo.web.users._N", 2**4)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A sweep with four trials (one failed with a hostile text, one running), its model, and a run of MLflow's.

    For reading alone: all tests share it.
    """
    with open_store("memory://", artifacts=str(tmp_path_factory.mktemp("files") / "mlruns")) as store:
        failure = {"reason": "exception", "error": HOSTILE, "traceback": f"Traceback\n{HOSTILE}"}
        changes: list[Change] = [sweep_started(), *trial(0, 0.8), *trial(1, 0.9), *trial(2, None, "FAILED", **failure)]
        store.tracker.record([*changes, *trial(3, None, "RUNNING")])
        folder = Path(store.tracker.get(trial_id(1)).artifact_uri)
        for name, text in {"logs/output.log": f"first\n{HOSTILE}\nlast\n", "model/page.html": HOSTILE}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        files = [Artifact("logs/output.log", 42, "0" * 64), Artifact("model/page.html", 30, "0" * 64)]
        model = LoggedModel("m-" + trial_id(1), "model", "model")
        again = RunEnded(trial_id(1), Status.FINISHED, START + 1500, artifacts=files, models=[model])
        store.tracker.record([replace(again, trial=store.tracker.get(trial_id(1)).trial)])
        tags = {"hpo.sweep_run_id": SWEEP}
        version = NewVersion(
            "iris", str(folder / "model"), trial_id(1), "k1", aliases=["champion"], tags=tags, who="ana"
        )
        store.registry.register(version)
        foreign = [RunStarted(f"{n}" * 32, f"c{n}", "Default", START + n, "8" * 32, {"lr": f"0.{n}"}) for n in (6, 7)]
        store.tracker.record([RunStarted("8" * 32, "by-mlflow", "Default", START - 9), *foreign])
        store.tracker.record([RunEnded("6" * 32, Status.FINISHED, START + 99, [Point("loss", 0.25)])])
        yield store


@pytest.fixture
def site(store: Store) -> Site:
    return Site(store, access())


@pytest.fixture
def make_site(store: Store) -> Callable[..., Site]:
    shared = store

    def make(store: Store = shared, **changed: object) -> Site:
        return Site(store, access(**changed))

    return make
