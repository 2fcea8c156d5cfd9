"""bench-check: a few ratios, made quickly, held against those on record. Ratios, since machines differ; still noisy.

Each guard says how many times better ours is than something measured in turns with it: a peer, or a loop of plain
Python (for what has no peer). It fails only where the median of its pairs fell by more than its tolerance.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from environments import python_of
from items import overhead, starting
from kept import Record
from ratios import Guard, judge, verdicts_table
from turns import Run, ask, command

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
FILLED = 20_000


class Failed(Exception):
    """A side gave no answer: whose, and why."""

    def __init__(self, side: str, why: str) -> None:
        super().__init__(f"{side}: {why}")
        self.side = side


@dataclass
class Measured:
    """The ratios of each guard, pair by pair, and the peers that gave none."""

    ratios: dict[str, list[float]] = field(default_factory=lambda: {guard.name: [] for guard in GUARDS})
    excuses: dict[str, str] = field(default_factory=dict)


def main(record: Record, *, pairs: int, record_them: bool = False) -> int:
    """The exit code: 1 if a guard is worse than on record. Recording, each ratio is kept when it is there."""
    before = record.ratios()
    measured = Measured()
    try:
        for _ in measure(pairs, measured):
            if record_them:
                record.keep_ratios(measured.ratios)
    except KeyboardInterrupt:
        measured.excuses |= {name: "cut off" for name, ratios in measured.ratios.items() if not ratios}
    verdicts = judge(GUARDS, before, measured.ratios, measured.excuses)
    print(verdicts_table(verdicts))
    worse = [verdict.guard.name for verdict in verdicts if verdict.worse]
    gaps = [verdict.guard.name for verdict in verdicts if verdict.measured is None and not verdict.worse]
    words = [f"WORSE: {'; '.join(worse)}"] if worse else []
    words += [f"not measured: {'; '.join(gaps)}"] if gaps else []
    print(f"\n{'recorded. ' if record_them else ''}{'. '.join(words) or 'OK'}")
    if worse and not record_them:
        return 1
    return 130 if len(gaps) == len(GUARDS) else 0


def measure(pairs: int, found: Measured) -> Iterator[None]:
    """Adds ratio by ratio to what was found, and stops for a moment after each."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        starting.prepare(folder)
        filled = ask("ours", "ours", "fill", limit=300, folder=folder, trials=FILLED)
        if filled.failure:
            raise SystemExit(f"filling the database that is asked: {filled.failure}")
        sweep = str(filled.answer["sweep"])
        shutil.copy(folder / "mlflow.db", folder / "copy.db")
        for pair in range(pairs):
            for key, ratio in _pair(folder, sweep).items():
                try:
                    found.ratios[key].append(ratio())
                    said = f"{found.ratios[key][-1]:.3g}"
                except Failed as failed:
                    said = str(failed)
                    if not failed.side.startswith("ours"):
                        found.excuses[key] = said
                print(f"pair {pair + 1} of {pairs}: {key}: {said}", file=sys.stderr, flush=True)
                yield


def _pair(folder: Path, sweep: str) -> Mapping[str, Callable[[], float]]:
    """Every guard once, to be called; ours goes second, so that a peer that fails is named and costs no more."""
    sides = {side.name: side for side in overhead.SIDES}
    ours, memory, callback = sides["ours"], sides["ours, in memory"], sides["Optuna + MLflowCallback"]

    def best(peer: str) -> float:
        database = folder / ("mlflow.db" if peer == "ours" else "copy.db")
        run = ask(
            peer, peer, "ask", limit=60, folder=folder, side="", question="best", repeat=5, sweep=sweep,
            database=str(database),
        )  # fmt: skip
        return _figure("ours" if peer == "ours" else "MlflowClient", run, "later")

    def loop() -> float:
        return float(command([python_of("ours"), "-c", LOOP], folder, 60).output)

    def nothing() -> float:
        return command([python_of("ours"), "-c", "pass"], folder, 60).seconds

    makers: tuple[Callable[[], float], ...] = (
        lambda: 1 / _rate(callback, 1, 40) * _rate(ours, 1, 600),
        lambda: 1 / _rate(callback, 2, 40) * _rate(ours, 2, 600),
        lambda: loop() * _rate(memory, 1, 1_000),
        lambda: _late("optuna", "memory") / _late("ours", "sqlite"),
        lambda: best("hyperopt") / best("ours"),
        lambda: nothing() / _seconds(starting.HELP["ours"](folder)),
        lambda: _first("Optuna + MLflowCallback", folder) / _first("ours", folder),
        lambda: _size(sides["MlflowClient by hand"], 20, 100) / _size(ours, 200, 1_000),
    )
    return {guard.name: maker for guard, maker in zip(GUARDS, makers, strict=True)}


def _figure(side: str, run: Run, key: str) -> float:
    if run.failure or key not in run.answer:
        raise Failed(side, run.failure or f"no {key} in its answer")
    return float(str(run.answer[key]))


def _rate(side: overhead.Side, jobs: int, trials: int) -> float:
    return _figure(side.name, overhead.run(side, jobs, trials), "rate")


def _size(side: overhead.Side, small: int, large: int) -> float:
    few, many = (_figure(side.name, overhead.run(side, 1, trials), "bytes") for trials in (small, large))
    return (many - few) / (large - small)


def _late(peer: str, side: str) -> float:
    """CPU milliseconds of a TPE trial after 2,000."""
    run = ask(peer, peer, "growth", limit=120, side=side, sampler="tpe", trials=2_000)
    points = run.answer.get("points") or [{}]
    if run.failure or points[-1].get("trials") != 2_000:
        raise Failed(peer, run.failure or f"it came to {run.answer.get('count')} trials")
    return float(points[-1]["cpu_ms"])


def _seconds(run: Run) -> float:
    if run.failure:
        raise Failed("ours", run.failure)
    return run.seconds


def _first(side: str, folder: Path) -> float:
    seconds, why = starting.until_first(side, folder)
    if why:
        raise Failed(side, why)
    return seconds
