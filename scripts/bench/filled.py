"""Databases of many trials, made in bulk: up to 100,000 with 4 params, 2 metrics and 3 tags each, more with 2, 1 and 2.

A twentieth of the trials are in an older sweep, with better values: who looks there names the wrong ones.
"""

import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path

CHUNK = 20_000


def fill_store(path: Path, trials: int) -> str:
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
