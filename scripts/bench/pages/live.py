"""How soon a trial that ended is in the page, followed in a real Chromium."""

import contextlib
import gzip
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from page_browser import browser as chromium
from pages.driven import SLOW, write_sweep
from pages.served import BIN, page, seeded

TRIALS = 40


def live(repeat: int) -> None:
    print(f"live: from the end of a trial on record until its row is in the page, {TRIALS} trials a run")
    with chromium() as started:
        waited = [seconds for _ in range(repeat) for seconds in followed(started)]
    cuts = statistics.quantiles(waited, n=20)
    print(f"  {len(waited)} trials: median {statistics.median(waited):.2f} s, 95 % within {cuts[-1]:.2f} s, ", end="")
    print(f"the slowest {max(waited):.2f} s")


def followed(started) -> list[float]:
    """For each trial that ended while the page was open, the seconds until its row said so."""
    with tempfile.TemporaryDirectory(prefix="hpo-bench-") as scratch:
        folder = Path(scratch)
        write_sweep(folder, TRIALS, SLOW)
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
            looked.wait_for_selector(f'.grid tr[data-number="{TRIALS - 1}"] .state-complete', timeout=60_000)
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
