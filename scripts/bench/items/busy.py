"""Item 2: workers kept busy, measured by the script beside this folder."""

import json
import sys
import tempfile
from pathlib import Path

from environments import ROOT
from items.scale import Scale
from ratios import Comparison, Item
from turns import command

SCRIPT = ROOT / "scripts" / "bench" / "busy.py"
SIDES = (
    "joblib threads (no store)", "ours, random", "ours, random, 4x", "ours, auto", "ours, auto, 16x",
    "optuna random, memory", "optuna random, sqlite", "optuna random, journal", "optuna random, journal + MLflow",
    "optuna tpe, journal", "ray tune random + MLflow",
)  # fmt: skip
LIMITS = ("joblib threads (no store)", "optuna random, memory")
TEXT = (
    "Threads that sleep, log-normal 1 s in the mean; share of the time in which workers had a trial, until the last "
    "one started. Of ours everything is tracked, with the default window (2x the workers) or the one that is named. "
    "hyperopt is left out: it runs one trial at a time; so is W&B, which runs no sweep without a server. "
    "`scripts/bench/busy.py` tells more."
)


def measure(scale: Scale) -> Item:
    workers = [8] if scale.quick else [8, 64, 512] if scale.full else [64]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "busy.json"
        words = ["--workers", *map(str, workers), "--each", str(scale.pick(3, 10, 20)), "--json", str(file)]
        words += ["--mean", "0.2"] if scale.quick else ["--repeat", str(scale.repeat)]
        command([sys.executable, SCRIPT, *words, "--only", *SIDES], Path(folder), limit=14_400)
        found = json.loads(file.read_text())
    return Item("busy", "Keeping workers busy", TEXT, [_compare(found, many) for many in workers], wide=True)


def _compare(found: list[dict[str, object]], workers: int) -> Comparison:
    runs = {str(each["side"]): each["runs"] for each in found if each["workers"] == workers and each["side"] in SIDES}
    values = {side: [100 * run["busy"] for run in each if isinstance(run, dict)] for side, each in runs.items()}
    missing = {side: str(each[0]) for side, each in runs.items() if not values[side]}
    return Comparison(
        f"{workers} workers", "% busy", higher_is_better=True, values=values, base="ours, random", limits=LIMITS,
        missing=missing,
    )  # fmt: skip
