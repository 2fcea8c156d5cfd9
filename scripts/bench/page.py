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
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=["answers", "driver", "browser", "live", []], default=[])
    parser.add_argument("--trials", nargs="+", type=int, default=[1000, 10_000, 100_000])
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    parts = given.parts or ["answers", "driver", "browser", "live"]
    if "answers" in parts:
        from pages.answers import answers

        answers(given.trials, given.repeat)
    if "driver" in parts:
        from pages.driver import driver

        driver(given.repeat)
    if "browser" in parts:
        from pages.browser import browser

        browser(given.trials, given.repeat)
    if "live" in parts:
        from pages.live import live

        live(given.repeat)


if __name__ == "__main__":
    main()
