"""What is new of a sweep comes by itself, and costs one look for all who watch."""

import asyncio
import json
import subprocess
import sys
import threading
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from hpo.driver import Driver
from trackers.opening import open_store
from trackers.records import NewVersion, Point, RunEnded, RunStarted, RunUpdated, Status, SweepFacts, TrialFacts

SWEEP = "5" * 32
DRIVER = "from hpo.driver import Driver; print(Driver.here().text, flush=True); input()"


def trial(number: int) -> list[object]:
    facts = TrialFacts(number, {"x": number}, "COMPLETE", value=float(number), seconds=0.1)
    start = RunStarted(
        f"{number:032x}", f"trial-{number}", "Default", 2, SWEEP, trial=TrialFacts(number, {"x": number})
    )
    return [start, RunEnded(f"{number:032x}", Status.FINISHED, 3, [Point("loss", float(number))], trial=facts)]


class Reader:
    """One who watches; events come in as they are sent."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[tuple[str, dict]] = asyncio.Queue()  # type: ignore[type-arg]
        self._rest = b""

    def take(self, data: bytes) -> None:
        self._rest += data
        while b"\n\n" in self._rest:
            part, _, self._rest = self._rest.partition(b"\n\n")
            fields = dict(line.split(": ", 1) for line in part.decode().splitlines() if not line.startswith(":"))
            if "event" in fields:
                self.events.put_nowait((fields["event"], {**json.loads(fields["data"]), "id": fields["id"]}))

    async def next(self, name: str) -> dict:  # type: ignore[type-arg]
        async with asyncio.timeout(20):
            while True:
                found, data = await self.events.get()
                if found == name:
                    return data


@asynccontextmanager
async def reading(site, path: str = f"/api/sweeps/{SWEEP}/events", **headers: str) -> AsyncIterator[Reader]:
    reader = Reader()
    task = asyncio.create_task(site.call(path, "GET", site.unanswered(), reader.take, **headers))
    try:
        yield reader
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def live(tmp_path: Path, make_site):
    with open_store(f"sqlite:///{tmp_path}/mlflow.db") as store:
        facts = SweepFacts('{"budget": {}}', "h", "loss", "minimize", 1, 1, 10)
        store.tracker.record([RunStarted(SWEEP, "s", "Default", 1, sweep=facts), *trial(1)])
        with open_store(store.uri, read_only=True) as read:
            yield store, make_site(store=read)


def test_a_new_trial_comes_by_itself_and_only_that(live) -> None:
    store, site = live

    async def watch() -> None:
        async with reading(site) as reader:
            hello = await reader.next("hello")
            stands = await reader.next("sweep")
            assert (stands["counts"], stands["left"]["trials"]) == ({"COMPLETE": 1}, 9)
            await asyncio.to_thread(store.tracker.record, trial(2))
            new = await reader.next("trials")
            assert (new["number"], new["value"], new["whole"]) == ([2], [2.0], False)
            assert new["revision"] > hello["revision"]
            assert (await reader.next("sweep"))["counts"] == {"COMPLETE": 2}

    asyncio.run(watch())


def test_who_comes_back_gets_what_was_missed(live) -> None:
    store, site = live

    async def watch() -> None:
        async with reading(site) as reader:
            known = (await reader.next("hello"))["revision"]
        await asyncio.to_thread(store.tracker.record, trial(2))
        async with reading(site, last_event_id=str(known)) as reader:
            assert (await reader.next("trials"))["number"] == [2]
        async with reading(site, f"/api/sweeps/{SWEEP}/events?revision=1") as reader:
            everything = await reader.next("trials")
            assert (everything["whole"], everything["number"]) == (True, [1, 2])

    asyncio.run(watch())


def test_a_driver_that_died_is_told_though_it_wrote_nothing(live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpo.web.watched.DRIVER", 0.01)
    store, site = live
    child = subprocess.Popen([sys.executable, "-c", DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    store.ownership.claim(SWEEP, child.stdout.readline(), taking_from=None)

    async def watch() -> None:
        async with reading(site) as reader:
            before = await reader.next("sweep")
            assert before["driver"]["alive"] is True
            child.kill()
            await asyncio.to_thread(child.communicate)
            after = await reader.next("sweep")
            assert (after["driver"]["alive"], after["status"]) == (False, "RUNNING")
            assert after["details"] != before["details"]

    try:
        asyncio.run(watch())
    finally:
        child.kill()
        child.communicate()


def test_a_driver_on_another_host_that_dies_is_told_by_the_clock_of_the_server(
    postgres_uri: str, make_site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpo.web.watched.DRIVER", 0.01)
    elsewhere = json.dumps({"pid": 7, "host": "elsewhere"})

    async def watch(site) -> None:
        async with reading(site) as reader:
            before = await reader.next("sweep")
            assert (before["driver"]["alive"], before["driver"]["text"]) == (None, "pid 7 on host elsewhere")
            monkeypatch.setenv("HPO_LEASE", "0.001")
            after = await reader.next("sweep")
            assert (after["driver"]["alive"], after["status"]) == (False, "RUNNING")
            assert after["details"] != before["details"]

    with open_store(postgres_uri) as store:
        facts = SweepFacts('{"budget": {}}', "h", "loss", "minimize", 1, 1, 10)
        store.tracker.record([RunStarted(SWEEP, "s", "Default", 1, sweep=facts), *trial(1)])
        store.ownership.claim(SWEEP, elsewhere, taking_from=None)
        with open_store(store.uri, read_only=True) as read:
            asyncio.run(watch(make_site(store=read)))


def test_a_driver_on_another_host_is_told_by_its_heartbeat_where_no_server_has_a_clock(
    live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpo.web.watched.DRIVER", 0.01)
    monkeypatch.setenv("HPO_LEASE", "3600")
    store, site = live
    fence = store.ownership.claim(SWEEP, replace(Driver.here(), host="elsewhere", machine="m").text, taking_from=None)

    async def watch() -> None:
        async with reading(site) as reader:
            assert (await reader.next("sweep"))["driver"]["alive"] is None
            await asyncio.to_thread(store.ownership.beat, fence)
            assert (await reader.next("sweep"))["driver"]["alive"] is True
            watched = await site.hub.get(SWEEP)
            watched._drivers._lease._lease = 0.01  # as if the hour was over
            assert (await reader.next("sweep"))["driver"]["alive"] is False
            told = (await site.answer(f"/api/sweeps/{SWEEP}")).json
            assert told["driver"]["alive"] is False
            assert "resume" in {each["name"] for each in told["commands"]}

    asyncio.run(watch())


def test_who_watches_hears_when_the_rest_has_to_be_read_anew(live) -> None:
    store, site = live

    async def watch() -> None:
        async with reading(site) as reader:
            first = (await reader.next("sweep"))["details"]
            await asyncio.to_thread(store.tracker.record, trial(2))
            assert (await reader.next("sweep"))["details"] == first
            ended = RunEnded(SWEEP, Status.FINISHED, 9, tags={"hpo.stopped_by": "n_trials"})
            await asyncio.to_thread(store.tracker.record, [ended])
            second = (await reader.next("sweep"))["details"]
            await asyncio.to_thread(store.tracker.record, [RunUpdated(SWEEP, tags={"mlflow.note.content": "good"})])
            assert len({first, second, (await reader.next("sweep"))["details"]}) == 3

    asyncio.run(watch())


def test_one_look_serves_all_and_nobody_watching_costs_none(live) -> None:
    store, site = live
    looks: list[str] = []
    mark = site.store.watching.mark

    def counted(parent: str) -> str:
        looks.append(parent)
        return mark(parent)

    async def watch() -> int:
        readers = [reading(site) for _ in range(50)]
        async with asyncio.timeout(30):
            entered = [await each.__aenter__() for each in readers]
            await asyncio.gather(*(each.next("sweep") for each in entered))
            site.store.watching.mark = counted
            await asyncio.to_thread(store.tracker.record, trial(2))
            new = await asyncio.gather(*(each.next("trials") for each in entered))
            assert {tuple(each["number"]) for each in new} == {(2,)}
            watched = await site.hub.get(SWEEP)
            assert watched.readers == 50
            for each in readers:
                await each.__aexit__(None, None, None)
            assert watched.readers == 0
            assert watched._poller is None
            return len(looks)

    # one look of the one who polls, and at most one more for each answer that is made for all
    assert asyncio.run(watch()) < 60


def test_pages_that_are_opened_while_many_watch_read_once_for_all(live, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("watched", "hub"):
        monkeypatch.setattr(f"hpo.web.{module}.EVERY", 60.0)
    _, site = live
    reads: list[str] = []
    paths = [f"/api/sweeps/{SWEEP}", "/api/sweeps/s", "/api/sweeps/s/trials", "/api/sweeps/s/importance"]

    async def watch() -> None:
        async with reading(site) as reader:
            await reader.next("sweep")
            watched = await site.hub.get(SWEEP)
            while watched._pause < 60:
                await asyncio.sleep(0.01)
            await asyncio.gather(*(site.answer(path) for path in paths))
            with monkeypatch.context() as patched:
                for name in ("mark", "stands", "heads", "bodies"):
                    patched.setattr(site.store.watching, name, lambda *_, name=name, **__: reads.append(name))
                for name in ("find", "get"):
                    patched.setattr(site.store.tracker, name, lambda *_, name=name, **__: reads.append(name))
                answers = await asyncio.gather(*(site.answer(path) for path in paths * 5))
                async with reading(site) as other:
                    assert (await other.next("sweep"))["counts"] == {"COMPLETE": 1}
            assert {answered.status for answered in answers} == {200}

    asyncio.run(watch())
    assert reads == []


def test_what_takes_long_to_work_out_holds_up_nothing_new(live, monkeypatch: pytest.MonkeyPatch) -> None:
    store, site = live
    may_end = threading.Event()

    def slow(*_: object) -> object:
        assert may_end.wait(20)
        return {"slow": True}

    monkeypatch.setattr("hpo.web.sweep_routes.importance_fields", slow)

    async def watch() -> None:
        async with reading(site) as reader:
            await reader.next("sweep")
            asked = asyncio.create_task(site.answer(f"/api/sweeps/{SWEEP}/importance"))
            await asyncio.to_thread(store.tracker.record, trial(2))
            assert (await reader.next("trials"))["number"] == [2]
            assert not asked.done()
            may_end.set()
            assert (await asked).json == {"slow": True}

    try:
        asyncio.run(watch())
    finally:
        may_end.set()


def test_a_browser_is_told_in_gzip_as_it_comes(live) -> None:
    store, site = live
    unpacking = zlib.decompressobj(16 + zlib.MAX_WBITS)

    async def watch() -> None:
        reader, answered = Reader(), site.unanswered()
        on_body = lambda data: reader.take(unpacking.decompress(data))  # noqa: E731
        path = f"/api/sweeps/{SWEEP}/events"
        task = asyncio.create_task(site.call(path, "GET", answered, on_body, accept_encoding="gzip, br"))
        try:
            await reader.next("sweep")
            await asyncio.to_thread(store.tracker.record, trial(2))
            assert (await reader.next("trials"))["number"] == [2]
            assert answered.headers["content-encoding"] == "gzip"
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(watch())


def test_what_others_register_is_news_of_the_sweep(live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpo.web.watched.REGISTRY", 0.01)
    store, site = live

    async def watch() -> None:
        async with reading(site) as reader:
            first = (await reader.next("sweep"))["details"]
            new = NewVersion("m", "/nowhere", f"{1:032x}", "k", tags={"hpo.sweep_run_id": SWEEP}, who="ana")
            await asyncio.to_thread(store.registry.register, new)
            second = (await reader.next("sweep"))["details"]
            await asyncio.to_thread(store.registry.set_alias, "m", "champion", 1, who="ana")
            third = (await reader.next("sweep"))["details"]
            assert len({first, second, third}) == 3
            assert (await site.answer(f"/api/sweeps/{SWEEP}")).json["winner"]["aliases"] == ["champion"]

    asyncio.run(watch())


def test_the_end_of_the_server_ends_all_streams(live) -> None:
    _, site = live

    async def watch() -> None:
        async with reading(site) as reader:
            await reader.next("hello")
            site.hub.stop()
            async with asyncio.timeout(10):
                while (await site.hub.get(SWEEP)).readers:
                    await asyncio.sleep(0.01)

    asyncio.run(watch())
