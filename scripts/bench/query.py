"""The best 10 trials of a sweep, by a metric: our tracker against MlflowClient on the same SQLite file.

The databases are bulk-made: 20,000 trials (4 params, 2 metrics, 3 tags each) and 1,000,000 (2 params, 1 metric, 2
tags), a twentieth of them in an older sweep with better values. Figures are whole calls, statistics and caches warm,
medians of --repeat calls; each client is asked in a process of its own, MLflow on a copy (it upgrades what it opens).

Usage: python scripts/bench/query.py [--trials 20000 1000000] [--repeat 7]
"""

import argparse
import json
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
CHUNK = 20_000


def make(path: Path, trials: int) -> str:
    """Fills a new database and gives the id of the sweep to rank."""
    from trackers.opening import open_store
    from trackers.records import RunStarted, SweepFacts

    facts = SweepFacts("{}", "0" * 64, "loss", "minimize", 1, 1, trials)
    with open_store(f"sqlite:///{path}", artifacts=str(path.parent / "mlruns")) as store:
        store.tracker.experiment("bench")
        for sweep in ("a" * 32, "b" * 32):
            store.tracker.record([RunStarted(sweep, sweep[:1], "bench", 1, sweep=facts)])
    lean = trials > 100_000
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-500000")
        experiment = connection.execute("SELECT experiment_id FROM experiments WHERE name = 'bench'").fetchone()[0]
        rng = random.Random(1)
        for first in range(0, trials, CHUNK):
            connection.execute("BEGIN")
            for table, rows in tables(range(first, min(first + CHUNK, trials)), trials, experiment, rng, lean).items():
                insert(connection, table, rows)
            connection.execute("COMMIT")
        connection.execute("PRAGMA analysis_limit=400")
        connection.execute("ANALYZE")
    return "b" * 32


def tables(
    numbers: range, trials: int, experiment: int, rng: random.Random, lean: bool
) -> dict[str, list[dict[str, object]]]:
    made: dict[str, list[dict[str, object]]] = {
        name: [] for name in ("runs", "params", "metrics", "latest_metrics", "tags", "hpo_trials")
    }
    for number in numbers:
        old = number < trials // 20
        sweep = ("a" if old else "b") * 32
        run = f"{number:08x}" + f"{rng.getrandbits(96):024x}"
        value = rng.random() - (1.0 if old else 0.0)
        params = {"x": rng.random(), "depth": rng.randint(1, 9)}
        metrics = {"loss": value}
        extra_tags = {"mlflow.runName": f"trial-{number}", "mlflow.parentRunId": sweep}
        if not lean:
            params |= {"kind": rng.choice("abc"), "on": True}
            metrics |= {"other": rng.random()}
            extra_tags |= {"mlflow.user": "bench"}
        common = {"run_uuid": run}
        made["runs"].append(
            common
            | {"name": f"trial-{number}", "status": "FINISHED", "source_type": "UNKNOWN", "start_time": number}
            | {
                "end_time": number + 1,
                "lifecycle_stage": "active",
                "experiment_id": experiment,
                "artifact_uri": run,
                "user_id": "me",
            }
        )
        made["params"] += [common | {"key": key, "value": str(item)} for key, item in params.items()]
        points = [
            common | {"key": key, "value": item, "timestamp": 1, "step": 0, "is_nan": 0}
            for key, item in metrics.items()
        ]
        made["metrics"] += points
        made["latest_metrics"] += points
        made["tags"] += [common | {"key": key, "value": item} for key, item in extra_tags.items()]
        made["hpo_trials"].append(
            common
            | {"sweep_uuid": sweep, "number": number, "state": "COMPLETE", "reason": "", "attempt": 1, "seed": 1}
            | {"params": json.dumps(params), "value": value, "seconds": 0.1, "error": "", "traceback": ""}
        )
    return made


def insert(connection: sqlite3.Connection, table: str, rows: list[dict[str, object]]) -> None:
    names = ", ".join(rows[0])
    marks = ", ".join("?" for _ in rows[0])
    connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", (tuple(row.values()) for row in rows))


OURS = """
from hpo import ranking
from hpo.trial import Goal
from trackers.opening import open_store
store = open_store(uri, read_only=True)
def ask():
    return [run.metrics["loss"] for run in ranking.best(store.tracker, sweep, "loss", Goal.MINIMIZE, limit=10)]
"""
MLFLOW = """
import os, warnings, logging
warnings.filterwarnings("ignore")
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
import mlflow
client = mlflow.MlflowClient(tracking_uri=uri)
experiment = client.get_experiment_by_name("bench").experiment_id
def ask():
    found = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{sweep}' and status = 'FINISHED'",
                               order_by=["metrics.loss ASC"], max_results=10)
    return [run.data.metrics["loss"] for run in found]
"""
TIMED = """
import json, sys, time
uri, sweep, repeat = sys.argv[1], sys.argv[2], int(sys.argv[3])
{side}
answer, seconds = ask(), []
for _ in range(repeat):
    began = time.perf_counter()
    answer = ask()
    seconds.append(time.perf_counter() - began)
print(json.dumps([answer, seconds]))
"""


def measured(side: str, path: Path, sweep: str, repeat: int) -> tuple[list[float], list[float]]:
    code = TIMED.format(side=side)
    done = subprocess.run(
        [sys.executable, "-c", code, f"sqlite:///{path}", sweep, str(repeat)],
        stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    answer, seconds = json.loads(done.stdout.splitlines()[-1])
    return answer, seconds


def sides(path: Path, sweep: str, repeat: int) -> Iterator[tuple[str, list[float], list[float]]]:
    yield "ours", *measured(OURS, path, sweep, repeat)
    copy = path.with_name("mlflow-" + path.name)
    shutil.copy(path, copy)
    yield "MlflowClient", *measured(MLFLOW, copy, sweep, min(repeat, 3))
    copy.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[20_000, 1_000_000])
    parser.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    print(f"{'best 10 of':>12} {'asked through':16} {'median ms':>10} {'min':>9} {'max':>9}")
    for trials in options.trials:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "mlflow.db"
            began = time.perf_counter()
            sweep = make(path, trials)
            size = path.stat().st_size / 1e6
            print(f"{trials:12,} (made in {time.perf_counter() - began:.0f} s, {size:,.0f} MB)")
            answers = []
            for name, answer, seconds in sides(path, sweep, options.repeat):
                ms = [second * 1000 for second in seconds]
                print(f"{'':12} {name:16} {statistics.median(ms):10.1f} {min(ms):9.1f} {max(ms):9.1f}")
                answers.append(answer)
            assert answers[0] == answers[1], "both must give the same ten"


if __name__ == "__main__":
    main()
