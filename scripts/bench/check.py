"""bench-check: a few ratios, made quickly, held against those on record. Ratios, since machines differ; still noisy.

Each guard says how many times better ours is than something measured in turns with it: a peer, or a loop of plain
Python (for what has no peer). It fails only where the median of its pairs fell by more than its tolerance.
"""

import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from environments import python_of
from items import overhead, starting
from ratios import Guard, judge, verdicts_table
from turns import ask, command

GUARDS = (
    Guard("a trial, serial: Optuna + MLflowCallback", 0.35),
    Guard("a trial, two workers: Optuna + MLflowCallback", 0.35),
    Guard("a trial, in memory: plain Python", 0.35),
    Guard("a TPE trial after 2,000: Optuna, in memory", 0.35),
    Guard("best 10 of 20,000: MlflowClient", 0.4),
    Guard("hpo --help: python -c pass", 0.35),
    Guard("first trial: Optuna + MLflowCallback", 0.35),
    Guard("store of 1,000 trials: MlflowClient", 0.1),
)
LOOP = "import time; t = time.perf_counter(); sum(i * i % 7 for i in range(2_000_000)); print(time.perf_counter() - t)"


def main(record: Path, *, pairs: int, record_them: bool = False) -> int:
    """The exit code: 1 if a guard is worse than on record."""
    measured = measure(pairs)
    kept = json.loads(record.read_text()) if record.exists() else {}
    verdicts = judge(GUARDS, kept.get("check", {}), measured)
    print(verdicts_table(verdicts))
    if record_them:
        kept["check"] = {name: round(statistics.median(values), 3) for name, values in measured.items()}
        record.write_text(json.dumps(kept, indent=1) + "\n")
        return 0
    return 1 if any(verdict.worse for verdict in verdicts) else 0


def measure(pairs: int) -> Mapping[str, list[float]]:
    found: dict[str, list[float]] = {guard.name: [] for guard in GUARDS}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        starting.prepare(folder)
        sweep = str(ask("ours", "ours", "fill", limit=300, folder=folder, trials=20_000).answer["sweep"])
        shutil.copy(folder / "mlflow.db", folder / "copy.db")
        for pair in range(pairs):
            print(f"pair {pair + 1} of {pairs}", file=sys.stderr, flush=True)
            for key, ratio in _pair(folder, sweep).items():
                found[key].append(ratio)
    return found


def _pair(folder: Path, sweep: str) -> dict[str, float]:
    """Every guard once."""
    sides = {side.name: side for side in overhead.SIDES}
    ours, memory, callback = sides["ours"], sides["ours, in memory"], sides["Optuna + MLflowCallback"]
    client = sides["MlflowClient by hand"]

    def rate(side: overhead.Side, jobs: int, trials: int) -> float:
        return float(overhead.run(side, jobs, trials).answer["rate"])

    def size(side: overhead.Side, small: int, large: int) -> float:
        few, many = (int(overhead.run(side, 1, trials).answer["bytes"]) for trials in (small, large))
        return (many - few) / (large - small)

    def late(peer: str, side: str) -> float:
        points = ask(peer, peer, "growth", limit=120, side=side, sampler="tpe", trials=2_000).answer["points"]
        return float(points[-1]["cpu_ms"])

    def best(peer: str, file: str) -> float:
        return float(
            ask(
                peer, file, "ask", limit=60, folder=folder, side="", question="best", repeat=5, sweep=sweep,
                database=str(folder / ("mlflow.db" if peer == "ours" else "copy.db")),
            ).answer["later"]
        )  # fmt: skip

    loop = float(command([python_of("ours"), "-c", LOOP], folder, 60).output)
    nothing = command([python_of("ours"), "-c", "pass"], folder, 60).seconds
    return {
        GUARDS[0].name: rate(ours, 1, 600) / rate(callback, 1, 40),
        GUARDS[1].name: rate(ours, 2, 600) / rate(callback, 2, 40),
        GUARDS[2].name: rate(memory, 1, 1_000) * loop,
        GUARDS[3].name: late("optuna", "memory") / late("ours", "sqlite"),
        GUARDS[4].name: best("hyperopt", "hyperopt") / best("ours", "ours"),
        GUARDS[5].name: nothing / starting.HELP["ours"](folder).seconds,
        GUARDS[6].name: starting.until_first("Optuna + MLflowCallback", folder) / starting.until_first("ours", folder),
        GUARDS[7].name: size(client, 20, 100) / size(ours, 200, 1_000),
    }
