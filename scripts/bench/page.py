"""The live page: how soon it answers, what it costs a driver, how soon its first screen and what is new are there.

Four parts, each on stores of made-up trials (scripts/seeded_store.py), everything started anew and on this machine:

answers  `hpo ui` asked for all trials of a sweep, first and again; a look when nothing changed.
driver   `hpo run` of 3,000 instant trials with no page, with one and with 200 readers of its events: trials a second.
browser  from the start of the navigation until rows and history are drawn, in a real Chromium, of `hpo ui`, of `mlflow
         server` on a copy of the same database, and of optuna-dashboard on the same trials in a journal file; and from
         the last move of a brush until the count of trials follows. A peer that is not installed is left out, said so.
live     `hpo run` of 40 trials of a quarter of a second, followed in a real Chromium: from the end of a trial, as it
         stands on record, until its row is in the page.

Usage: python scripts/bench/page.py [answers] [driver] [browser] [live] [--trials 1000 10000 100000] [--repeat 3]
"""

import argparse
import contextlib
import gzip
import http.client
import importlib.util
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
BIN = Path(sys.executable).parent
NAME = "bench"
READERS = (0, 1, 200)
TRIALS = 3000
"""Of the sweep that is driven: long enough for a rate that two runs agree on."""
SWEEP = """
version: 1
name: driven
metric: {name: loss, goal: minimize}
objective: {python: "instant:objective"}
parameters: {x: {type: float, low: 0, high: 1}, k: [a, b, c]}
engine: {sampler: random, seed: 1}
budget: {n_trials: 3000}
parallel: {n_jobs: 1, backend: serial}
"""
SLOW = {
    "trials": 40,
    "objective": "import time\n\n\ndef objective(params, trial):\n    time.sleep(0.25)\n    return params['x']\n",
}
OBJECTIVE = "def objective(params, trial):\n    return (params['x'] - 0.3) ** 2\n"


def seeded(folder: Path, trials: int) -> str:
    """A store with one sweep of so many trials; its URI."""
    from seeded_store import open_store, seed_sweep

    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with open_store(uri, artifacts=str(folder / "mlruns")) as store:
        seed_sweep(store, NAME, trials, seed=1)
    return uri


class Page:
    """A running `hpo ui`, asked with its token."""

    def __init__(self, uri: str) -> None:
        command = [str(BIN / "hpo"), "ui", "--port", "0", "-q", "--tracker", uri]
        environment = {key: value for key, value in os.environ.items() if key != "HPO_UI_TOKEN"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        self.login = self.process.stdout.readline().strip()
        self.base, _, self.token = self.login.partition("/login?token=")
        self.host = self.base.removeprefix("http://")

    def ask(self, path: str) -> bytes:
        connection = http.client.HTTPConnection(self.host, timeout=600)
        connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}", "Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body[:300]
        return body

    def cpu(self) -> float:
        import psutil

        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    @contextlib.contextmanager
    def read_by(self, count: int, name: str) -> Iterator[None]:
        """So many readers follow the events of a sweep, once it is there."""
        stop = threading.Event()
        thread = threading.Thread(target=self._read, args=(count, name, stop), daemon=True)
        thread.start()
        yield
        stop.set()
        thread.join(30)

    def _read(self, count: int, name: str, stop: threading.Event) -> None:
        import selectors

        with selectors.DefaultSelector() as waiting:
            for _ in range(count):
                while not stop.is_set():
                    with contextlib.suppress(AssertionError):
                        self.ask(f"/api/sweeps/{name}")
                        break
                    time.sleep(0.1)
                host, port = self.host.split(":")
                stream = socket.create_connection((host, int(port)))
                head = f"GET /api/sweeps/{name}/events HTTP/1.1\r\nHost: {self.host}\r\nAccept-Encoding: gzip"
                stream.sendall(f"{head}\r\nAuthorization: Bearer {self.token}\r\n\r\n".encode())
                stream.setblocking(False)
                waiting.register(stream, selectors.EVENT_READ)
            while not stop.is_set():
                for key, _ in waiting.select(0.2):
                    with contextlib.suppress(BlockingIOError):
                        key.fileobj.recv(1 << 20)  # type: ignore[union-attr]
            for key in list(waiting.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@contextlib.contextmanager
def page(uri: str) -> Iterator[Page]:
    running = Page(uri)
    try:
        yield running
    finally:
        running.close()


def answers(trials: Sequence[int], repeat: int) -> None:
    from trackers.opening import open_store

    print("answers: all trials of a sweep as columns")
    for count in trials:
        with tempfile.TemporaryDirectory(prefix="hpo-bench-") as scratch:
            uri = seeded(Path(scratch), count)
            first, again, size = [], [], 0
            for _ in range(repeat):
                with page(uri) as running:
                    running.ask("/api/sweeps")  # the store is open, its libraries are imported
                    first.append(timed(lambda running=running: running.ask(f"/api/sweeps/{NAME}/trials")))
                    again += [
                        timed(lambda running=running: running.ask(f"/api/sweeps/{NAME}/trials")) for _ in range(5)
                    ]
                    size = len(running.ask(f"/api/sweeps/{NAME}/trials"))
            with open_store(uri, read_only=True) as store:
                store.watching.mark("x")
                look = statistics.median(timed(lambda store=store: store.watching.mark("x")) for _ in range(100))
        times = f"first {statistics.median(first) * 1e3:.0f} ms, again {statistics.median(again) * 1e3:.1f} ms"
        print(f"  {count:>7,} trials: {times}, {size / 1e6:.2f} MB; a look when nothing changed {look * 1e6:.0f} us")


def driver(repeat: int) -> None:
    print(f"driver: {TRIALS:,} instant trials, one after the other")
    rates: dict[int, list[float]] = {readers: [] for readers in READERS}
    costs: dict[int, list[float]] = {readers: [] for readers in READERS}
    for _ in range(repeat):
        for readers in READERS:  # in turns: a machine that slows down slows all of them
            rate, cost = driven(readers)
            rates[readers].append(rate)
            costs[readers].append(cost)
    alone = statistics.median(rates[0])
    for readers in READERS:
        rate = statistics.median(rates[readers])
        share = f", {(rate / alone - 1) * 100:+.1f} %" if readers else ""
        told = f"; the server took {statistics.median(costs[readers]) * 100:.1f} % of a core" if readers else ""
        print(f"  {readers:>3} readers: {rate:.0f} trials/s{share}{told}")


def driven(readers: int) -> tuple[float, float]:
    """Trials a second, and the share of a core that the server took meanwhile."""
    with tempfile.TemporaryDirectory(prefix="hpo-bench-") as scratch:
        folder = Path(scratch)
        (folder / "sweep.yaml").write_text(SWEEP)
        (folder / "instant.py").write_text(OBJECTIVE)
        uri = seeded(folder, 10)
        command = [str(BIN / "hpo"), "run", "sweep.yaml", "-q", "--tracker", uri]
        with contextlib.ExitStack() as stack:
            running = stack.enter_context(page(uri)) if readers else None
            if running:
                stack.enter_context(running.read_by(readers, "driven"))
            before, began = running.cpu() if running else 0.0, time.perf_counter()
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            took = time.perf_counter() - began
            cost = (running.cpu() - before) / took if running else 0.0
        told = subprocess.run(
            [str(BIN / "hpo"), "show", "driven", "-f", "json", "--tracker", uri],
            check=True,
            capture_output=True,
            text=True,
        )
        return TRIALS / json.loads(told.stdout)["seconds"], cost


def browser(trials: Sequence[int], repeat: int) -> None:
    from page_browser import browser as chromium

    print("browser: first screen, and a brush until the count follows")
    with chromium() as started:
        for count in trials:
            with tempfile.TemporaryDirectory(prefix="hpo-bench-") as scratch:
                folder = Path(scratch)
                uri = seeded(folder, count)
                with page(uri) as running:
                    found = [ours(started, running) for _ in range(repeat)]
                screen, brush = (statistics.median(times) for times in zip(*found, strict=True))
                print(f"  {count:>7,} trials, hpo ui: first screen {screen:.0f} ms, brush {brush:.0f} ms")
                for name, peer in (("mlflow server", mlflow_server), ("optuna-dashboard", optuna_dashboard)):
                    try:
                        with peer(folder, count) as (address, drawn):
                            times = [first_screen(started, address, drawn) for _ in range(repeat)]
                        print(f"  {count:>7,} trials, {name}: first screen {statistics.median(times):.0f} ms")
                    except Exception as error:
                        print(
                            f"  {count:>7,} trials, {name}: {type(error).__name__}: {str(error).splitlines()[0][:150]}"
                        )


def ours(started, running: Page) -> tuple[float, float]:
    context = started.new_context(viewport={"width": 1280, "height": 900})
    looked = context.new_page()
    looked.goto(running.login)
    looked.goto(f"{running.base}/sweeps/{NAME}", wait_until="commit")
    looked.wait_for_selector(".grid tbody tr[data-number]", timeout=120_000)
    looked.wait_for_selector(".panel-history canvas", timeout=120_000)
    screen = looked.evaluate("new Promise((done) => requestAnimationFrame(() => done(performance.now())))")
    looked.wait_for_selector(".panel-importance .bar-row", timeout=120_000)  # the last that moves what stands below it
    looked.wait_for_timeout(1500)
    looked.locator(".panel-parallel").scroll_into_view_if_needed()
    head = looked.locator(".axis-head", has_text="dropout").bounding_box()
    host = looked.locator(".parallel").bounding_box()
    x, y = head["x"] + head["width"] / 2, host["y"] + 60
    looked.mouse.move(x, y)
    looked.mouse.down()
    looked.mouse.move(x, y + 40, steps=4)
    looked.wait_for_timeout(500)
    looked.evaluate(_WATCH)
    looked.mouse.move(x, y + 90)
    brush = looked.evaluate("window.brushed")
    looked.mouse.up()
    context.close()
    return screen, brush


_WATCH = """() => {
  const count = document.querySelector(".count");
  let moved = 0;
  document.addEventListener("pointermove", () => { moved ||= performance.now(); }, { capture: true, once: true });
  window.brushed = new Promise((done, fail) => {
    setTimeout(() => fail(new Error("nothing followed the brush for 30 s")), 30000);
    new MutationObserver(() => requestAnimationFrame(() => done(performance.now() - moved)))
      .observe(count, { childList: true, subtree: true, characterData: true });
  });
}"""


def live(repeat: int) -> None:
    from page_browser import browser as chromium

    print(f"live: from the end of a trial on record until its row is in the page, {SLOW['trials']} trials a run")
    with chromium() as started:
        waited = [seconds for _ in range(repeat) for seconds in followed(started)]
    cuts = statistics.quantiles(waited, n=20)
    print(f"  {len(waited)} trials: median {statistics.median(waited):.2f} s, 95 % within {cuts[-1]:.2f} s, ", end="")
    print(f"the slowest {max(waited):.2f} s")


def followed(started) -> list[float]:
    """For each trial that ended while the page was open, the seconds until its row said so."""
    with tempfile.TemporaryDirectory(prefix="hpo-bench-") as scratch:
        folder = Path(scratch)
        (folder / "sweep.yaml").write_text(SWEEP.replace(f"n_trials: {TRIALS}", f"n_trials: {SLOW['trials']}"))
        (folder / "instant.py").write_text(SLOW["objective"])
        uri = seeded(folder, 10)
        command = [str(BIN / "hpo"), "run", "sweep.yaml", "-q", "--tracker", uri]
        with page(uri) as running:
            driver = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
            context = started.new_context(viewport={"width": 1280, "height": 900})
            looked = context.new_page()
            looked.goto(running.login)
            while True:
                with contextlib.suppress(AssertionError):
                    running.ask("/api/sweeps/driven")
                    break
                time.sleep(0.05)
            looked.goto(f"{running.base}/sweeps/driven")
            looked.wait_for_selector(".grid tbody tr[data-number]", timeout=120_000)
            looked.evaluate(_NOTE_ROWS)
            driver.wait()
            looked.wait_for_selector(f'.grid tr[data-number="{SLOW["trials"] - 1}"] .state-complete', timeout=60_000)
            seen = looked.evaluate("window.rows")
            context.close()
            told = json.loads(gzip.decompress(running.ask("/api/sweeps/driven/trials")))
    ended = dict(zip(told["number"], told["ended"], strict=True))
    return [(at - ended[int(number)]) / 1000 for number, at in seen.items()]


_NOTE_ROWS = """() => {
  const ended = () => [...document.querySelectorAll(".grid tr[data-number]:has(.state-complete)")];
  const known = new Set(ended().map((row) => row.dataset.number));
  window.rows = {};
  new MutationObserver(() => {
    for (const { dataset: { number } } of ended()) {
      if (!known.has(number)) { known.add(number); window.rows[number] = Date.now(); }
    }
  }).observe(document.querySelector(".grid tbody"), { childList: true, subtree: true });
}"""


def first_screen(started, address: str, drawn: str) -> float:
    context = started.new_context(viewport={"width": 1280, "height": 900})
    looked = context.new_page()
    looked.goto(address, wait_until="commit")
    looked.wait_for_selector(drawn, timeout=120_000)
    found = looked.evaluate("new Promise((done) => requestAnimationFrame(() => done(performance.now())))")
    context.close()
    return found


@contextlib.contextmanager
def mlflow_server(folder: Path, count: int) -> Iterator[tuple[str, str]]:
    """The runs of the experiment in MLflow's own page, which puts trials behind their sweep's row."""
    copy = folder / "copy.db"
    shutil.copy(folder / "mlflow.db", copy)
    port = free_port()
    command = [
        str(BIN / "mlflow"),
        "server",
        "--backend-store-uri",
        f"sqlite:///{copy}",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    with serving(command, f"http://127.0.0.1:{port}/health", folder):
        from trackers.opening import open_store

        with open_store(f"sqlite:///{copy}", read_only=True) as store:
            experiment = store.tracker.experiment(NAME)
        yield f"http://127.0.0.1:{port}/#/experiments/{experiment}/runs", "text=matching runs"


@contextlib.contextmanager
def optuna_dashboard(folder: Path, count: int) -> Iterator[tuple[str, str]]:
    """The study in optuna-dashboard; drawn once its history is."""
    program = shutil.which("optuna-dashboard") or shutil.which(str(BIN / "optuna-dashboard"))
    if program is None or importlib.util.find_spec("optuna") is None:
        raise LookupError("it is not installed; pip install optuna-dashboard")
    journal = folder / f"journal-{count}.log"
    if not journal.exists():
        write_journal(journal, folder)
    port = free_port()
    with serving([program, str(journal), "--port", str(port)], f"http://127.0.0.1:{port}/dashboard", folder):
        yield f"http://127.0.0.1:{port}/dashboard/studies/0", ".js-plotly-plot .scatterlayer"


def write_journal(path: Path, folder: Path) -> None:
    """The same trials as an optuna study in a file."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    from trackers.opening import open_store
    from trackers.records import Query

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(storage=JournalStorage(JournalFileBackend(str(path))), study_name=NAME)
    with open_store(f"sqlite:///{folder / 'mlflow.db'}", read_only=True) as store:
        (parent,) = store.tracker.find(Query(sweeps=True, name=NAME))
        heads, bodies = store.watching.heads(parent.id), store.watching.bodies(parent.id)
    kinds = optuna.distributions
    rates, others = kinds.FloatDistribution(1e-9, 1e9), kinds.FloatDistribution(-1e9, 1e9)
    for head in heads:
        if head.value is None:
            continue
        params = {k: v for k, v in bodies[head.run_id].params.items() if isinstance(v, int | float)}
        used = {name: rates if value > 0 else others for name, value in params.items()}
        params = {name: float(value) for name, value in params.items()}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=used, value=head.value))


@contextlib.contextmanager
def serving(command: Sequence[str], address: str, folder: Path) -> Iterator[None]:
    """A server that answers, until the end of the block."""
    import urllib.request

    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, start_new_session=True)
        try:
            until = time.monotonic() + 120
            while True:
                try:
                    urllib.request.urlopen(address, timeout=5).close()
                    break
                except OSError:
                    if time.monotonic() > until or process.poll() is not None:
                        raise
                    time.sleep(0.2)
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 15)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=["answers", "driver", "browser", "live", []], default=[])
    parser.add_argument("--trials", nargs="+", type=int, default=[1000, 10_000, 100_000])
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    parts = given.parts or ["answers", "driver", "browser", "live"]
    if "answers" in parts:
        answers(given.trials, given.repeat)
    if "driver" in parts:
        driver(given.repeat)
    if "browser" in parts:
        browser(given.trials, given.repeat)
    if "live" in parts:
        live(given.repeat)


if __name__ == "__main__":
    main()
