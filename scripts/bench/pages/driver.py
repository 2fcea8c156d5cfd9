"""What the page costs a driver of instant trials: with no page, with one reader of its events, with 200."""

import contextlib
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from pages.driven import INSTANT, write_sweep
from pages.served import BIN, page, seeded

READERS = (0, 1, 200)
TRIALS = 3000
"""Long enough for a rate that two runs agree on."""


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
        write_sweep(folder, TRIALS, INSTANT)
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
