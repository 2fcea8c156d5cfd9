"""How soon `hpo ui` answers with all trials of a sweep, and what a look costs when nothing changed."""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pages.served import NAME, page, seeded

from trackers.opening import open_store


def answers(trials: Sequence[int], repeat: int) -> None:
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


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
