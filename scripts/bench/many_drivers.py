"""Several drivers write into one PostgreSQL at once: trials a second, connections, and what they wait for.

Each driver is a process of its own with a sweep of trials that compute nothing, one after the other, every one durable
(fsync is on). While they run the server is asked again and again what each connection does: the share of looks at
which it waited for a lock of another driver, for the disk, or for its client. All share this machine's processors, so
the sum over drivers says what the server carries at least.

Usage: python scripts/bench/many_drivers.py [--drivers 1 2 6] [--trials 400]
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LOOK = 0.02
HPO = (sys.executable, "-c", "from hpo.cli.main import main; main()")
SWEEP = """
name: {name}
metric: {{name: loss}}
objective: {{python: "drivers_objective:objective"}}
parameters:
  x: {{type: float, low: 0, high: 1}}
  y: {{type: int, low: 1, high: 9}}
engine: {{name: optuna, sampler: random, seed: 1}}
budget: {{n_trials: {trials}}}
parallel: {{n_jobs: 1, backend: serial}}
tracker: {{artifacts: "{folder}/mlruns", log_models: none}}
"""
OBJECTIVE = """
import pathlib
import time

HERE = pathlib.Path(__file__).parent


def objective(params, trial):
    if trial.number == 0:  # all begin when the last one is ready
        (HERE / "ready").touch()
        while len(list(HERE.parent.glob("{drivers}-*/ready"))) < {drivers}:
            time.sleep(0.01)
    return params["x"] + params["y"]
"""


@dataclass
class Measured:
    """What several drivers did together; `waits` are shares of the looks at connections that were in a transaction."""

    drivers: int
    per_second: float
    connections: int
    waits: dict[str, float]
    deadlocks: int


def servers() -> Any:
    """The module with the tests' server."""
    path = ROOT / "tests/postgres_server.py"
    spec = importlib.util.spec_from_file_location("postgres_server", path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{path} cannot be loaded")
    module = sys.modules["postgres_server"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measure(server: Any, drivers: int, trials: int, folder: Path) -> Measured:
    """Runs so many drivers at once in an empty database."""
    database = server.create()
    started = []
    for number in range(drivers):
        place = folder / f"{drivers}-{number}"
        place.mkdir()
        (place / "drivers_objective.py").write_text(OBJECTIVE.format(drivers=drivers))
        (place / "sweep.yaml").write_text(SWEEP.format(name=f"sweep-{number}", trials=trials, folder=place))
        uri = f"{server.uri(database)}&application_name=driver-{number}"
        with (place / "log.txt").open("wb") as log:
            command = [*HPO, "run", "sweep.yaml"]
            more = {"HPO_TRACKER": uri, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
            started.append(subprocess.Popen(command, cwd=place, env=os.environ | more, stdout=log, stderr=log))
    seen: Counter[str] = Counter()
    most = watched(server, database, started, seen)
    for number, process in enumerate(started):
        if process.returncode:
            raise RuntimeError((folder / f"{drivers}-{number}" / "log.txt").read_text())
    with server.connect(database) as connection:
        times = (
            "SELECT max(end_time) FILTER (WHERE number = 0), max(end_time) FROM runs JOIN hpo_trials USING (run_uuid)"
        )
        first, last = connection.execute(times).fetchone()
        deadlocks = connection.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()[0]
    server.drop(database)
    looks = sum(seen.values()) or 1
    waits = {name: count / looks for name, count in seen.most_common()}
    return Measured(drivers, drivers * (trials - 1) / (last - first) * 1000, most, waits, deadlocks)


def watched(server: Any, database: str, processes: list[Any], seen: Counter[str]) -> int:
    """Counts what busy connections wait for until all have ended; the most connections that one driver held."""
    asked = (
        "SELECT application_name, coalesce(wait_event_type || ' ' || wait_event, 'computes'), state "
        "FROM pg_stat_activity WHERE datname = %s AND application_name LIKE 'driver-%%'"
    )
    most = 0
    with server.connect() as connection:
        while any(process.poll() is None for process in processes):
            rows = connection.execute(asked, [database]).fetchall()
            most = max([most, *Counter(name for name, _, _ in rows).values()])
            seen.update(wait for _, wait, state in rows if state != "idle")
            time.sleep(LOOK)
    return most


def main() -> None:
    """Prints a line for each number of drivers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drivers", type=int, nargs="+", default=[1, 2, 6])
    parser.add_argument("--trials", type=int, default=400)
    options = parser.parse_args()
    module = servers()
    with (
        tempfile.TemporaryDirectory(prefix="many-drivers-") as folder,
        module.running_server(settings=module.ASLEEP) as server,
    ):
        for drivers in options.drivers:
            done = measure(server, drivers, options.trials, Path(folder))
            waits = ", ".join(f"{name} {share:.0%}" for name, share in done.waits.items())
            print(
                f"{done.drivers} drivers: {done.per_second:.0f} trials/s together, "
                f"{done.per_second / done.drivers:.0f} each, at most {done.connections} connections each, "
                f"{done.deadlocks} deadlocks; in a transaction: {waits}",
                flush=True,
            )


if __name__ == "__main__":
    main()
