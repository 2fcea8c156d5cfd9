"""A soak: many trivial trials, undisturbed and with the driver killed again and again.

Undisturbed, three times, it shows the driver's memory and throughput as the sweep grows; with SIGKILL every
--kill-every seconds, and at the latest every tenth of the trials, that the total stays exact and nothing printed is
lost. Prints the curves and ends with 1 where a promise was broken: growth below 50 MB after the first tenth, throughput
at the end at least 80 % of the beginning (the median of the three: other processes on the machine disturb it), every
trial once.

Usage: python scripts/soak.py [--trials 10000] [--kill-every 30] [--n-jobs 1] [--sampler random] [--any-speed]
"""

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trackers.opening import open_store
from trackers.records import Query

OBJECTIVE = """
def objective(params, trial):
    return (params["x"] - 0.3) ** 2 + params["y"]
"""
GROWTH_MB = 50.0
THROUGHPUT_KEPT = 0.8
QUIET_RUNS = 3
POLL = 0.02
COMPLETE = re.compile(rb"^trial (\d+) COMPLETE", re.MULTILINE)


@dataclass(frozen=True)
class Sample:
    """Where a driver stood at a moment: trials printed, seconds and CPU seconds since its start, memory in MB."""

    trials: int
    seconds: float
    cpu: float
    rss_mb: float


class Driver:
    """One `hpo run` of the soak's sweep, watched from outside."""

    def __init__(self, folder: Path, number: int) -> None:
        self._lines = folder / f"stderr-{number}.txt"
        self.began = time.monotonic()
        with self._lines.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-c", "from hpo.cli.main import main; main()", "run", "sweep.yaml", "--no-color"],
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
        self._read = 0
        self.printed: list[int] = []

    def look(self) -> Sample:
        """Takes in what was printed since."""
        with self._lines.open("rb") as lines:
            lines.seek(self._read)
            text = lines.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        self.printed += [int(number) for number in COMPLETE.findall(whole)]
        return Sample(len(self.printed), time.monotonic() - self.began, self._cpu(), self._rss_mb())

    @property
    def is_over(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    @property
    def exit_code(self) -> int:
        """How it ended; waits for that."""
        return self._process.wait()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def _cpu(self) -> float:
        try:
            user, system = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        except (OSError, ValueError):
            return 0.0
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def _rss_mb(self) -> float:
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:
            return 0.0
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return int(found[1]) / 1024 if found else 0.0


def write_sweep(folder: Path, options: argparse.Namespace) -> None:
    """The sweep file and its objective."""
    backend = "serial" if options.n_jobs == 1 else "loky"
    sweep = {
        "name": "soak",
        "metric": {"name": "loss"},
        "objective": {"python": "soak_objective:objective"},
        "parameters": {"x": {"type": "float", "low": 0, "high": 1}, "y": {"type": "int", "low": 1, "high": 9}},
        "engine": {"name": "optuna", "sampler": options.sampler, "seed": 1},
        "budget": {"n_trials": options.trials},
        "parallel": {"n_jobs": options.n_jobs, "backend": backend},
        "tracker": {"uri": "sqlite:///mlflow.db", "artifacts": "mlruns", "log_models": "none"},
    }
    (folder / "sweep.yaml").write_text(json.dumps(sweep))
    (folder / "soak_objective.py").write_text(OBJECTIVE)


def undisturbed(folder: Path, trials: int) -> list[Sample]:
    """A sample at each hundredth of the trials of one driver that nobody kills."""
    driver, samples, last = Driver(folder, 0), [Sample(0, 0.0, 0.0, 0.0)], Sample(0, 0.0, 0.0, 0.0)
    while not driver.is_over:
        time.sleep(POLL)
        seen = driver.look()
        if seen.rss_mb:
            last = seen
        if seen.rss_mb and seen.trials >= samples[-1].trials + trials // 100:
            samples.append(seen)
    if driver.exit_code:
        raise SystemExit(f"the undisturbed sweep ended with {driver.exit_code}; see {folder}")
    return [*samples[1:], last]


def killed(folder: Path, trials: int, every: float) -> tuple[int, list[str]]:
    """How often the sweep was killed until it was done, and what was found wrong on the way."""
    kills, wrong, started = 0, [], 0
    while True:
        driver = Driver(folder, started)
        started += 1
        while not driver.is_over:
            time.sleep(POLL)
            seen = driver.look()
            if seen.seconds > every or seen.trials > trials // 10:
                driver.kill()
                driver.look()
                kills += 1
                wrong += lost(folder, driver.printed)
                break
        else:
            if driver.exit_code:
                raise SystemExit(f"the resumed sweep ended with {driver.exit_code}; see {folder}")
            return kills, wrong


def lost(folder: Path, printed: Sequence[int]) -> list[str]:
    """The trials that were printed as COMPLETE and are not so on record."""
    states = on_record(folder)
    return [f"trial {number} was printed and is {states.get(number)}" for number in printed
            if states.get(number) != "COMPLETE"]  # fmt: skip


def on_record(folder: Path) -> Mapping[int, str]:
    """Every trial's state."""
    with open_store(f"sqlite:///{folder}/mlflow.db", read_only=True) as store:
        [sweep] = store.tracker.find(Query(sweeps=True, roots=True, name="soak"))
        runs = store.tracker.find(Query(parent=sweep.id))
    numbers = [run.trial.number for run in runs if run.trial]
    if len(numbers) != len(set(numbers)):
        raise SystemExit(f"a trial number stands twice in {folder}")
    return {run.trial.number: str(run.trial.state) for run in runs if run.trial}


def rate(samples: Sequence[Sample], start: float, end: float) -> float:
    """Trials per CPU second between two parts of the whole: what other processes do does not change that."""
    total = samples[-1].trials
    part = [sample for sample in samples if start * total <= sample.trials <= end * total]
    return (part[-1].trials - part[0].trials) / (part[-1].cpu - part[0].cpu)


def report(samples: Sequence[Sample]) -> tuple[float, float]:
    """Prints the curve; how many MB the memory grew, and the share of the throughput that was kept."""
    total = samples[-1].trials
    print(f"{'trials':>8} {'seconds':>9} {'CPU s':>8} {'RSS MB':>8}")
    for part in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        sample = next(sample for sample in samples if sample.trials >= part * total)
        print(f"{sample.trials:8} {sample.seconds:9.1f} {sample.cpu:8.1f} {sample.rss_mb:8.1f}")
    warm = next(sample for sample in samples if sample.trials >= 0.1 * total)
    # the highest, not the last: that one is taken when the store is closed and its memory given back
    growth = max(sample.rss_mb for sample in samples) - warm.rss_mb
    first, last = rate(samples, 0.1, 0.3), rate(samples, 0.75, 0.95)  # the last sample holds the store's closing, too
    print(f"memory grew by {growth:.1f} MB from trial {warm.trials} on (limit {GROWTH_MB:.0f})")
    print(
        f"trials per CPU second: {first:.0f} at the beginning, {last:.0f} at the end: {last / first:.0%} (limit 80 %)"
    )
    return growth, last / first


def quiet_runs(options: argparse.Namespace) -> list[str]:
    """Runs it undisturbed, several times where speed counts; what of the promises is broken."""
    found = []
    for _ in range(1 if options.any_speed else QUIET_RUNS):
        with tempfile.TemporaryDirectory(prefix="hpo-soak-") as name:
            write_sweep(Path(name), options)
            found.append(report(undisturbed(Path(name), options.trials)))
    growth, kept = max(growth for growth, _ in found), statistics.median(kept for _, kept in found)
    broken = [] if growth < GROWTH_MB else [f"memory grew by {growth:.1f} MB"]
    is_slower = kept < THROUGHPUT_KEPT and not options.any_speed
    return [*broken, f"throughput fell to {kept:.0%}"] if is_slower else broken


def main() -> None:
    """Runs both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--kill-every", type=float, default=30.0, metavar="SECONDS")
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--sampler", default="random")
    parser.add_argument("--any-speed", action="store_true", help="do not judge the throughput")
    options = parser.parse_args()
    for name in ("HPO_TRACKER", "MLFLOW_TRACKING_URI"):
        os.environ.pop(name, None)
    broken = quiet_runs(options)
    with tempfile.TemporaryDirectory(prefix="hpo-soak-") as name:
        write_sweep(Path(name), options)
        began = time.monotonic()
        kills, wrong = killed(Path(name), options.trials, options.kill_every)
        states = list(on_record(Path(name)).values())
        seconds = time.monotonic() - began
        print(f"killed {kills} times in {seconds:.0f} s: {states.count('COMPLETE')} of {options.trials} COMPLETE,"
              f" {len(states)} on record, {len(wrong)} printed ones lost")  # fmt: skip
        broken += wrong if states == ["COMPLETE"] * options.trials else [*wrong, "the total is not exact"]
    for fault in broken:
        print(f"BROKEN: {fault}")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
