"""A sweep with a mirror and the same one without, in turns: what the mirror costs in time and in the driver's CPU.

The server is a real `mlflow server` on this machine, so its own work competes with the sweep as that of a server
elsewhere would not; --nice-server gives it only what is left over. Time is that of the sweep without the wait at its
end, which is printed beside it; CPU is that of the driver's process alone. Each pair gives one ratio, their median is
the result.

Usage: python scripts/bench/mirror.py [--trials 200] [--seconds 0.1] [--jobs 2] [--pairs 3] [--nice-server]
"""

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SWEEP = """
name: {name}
metric: {{name: loss}}
objective: {{python: "bench_objective:objective"}}
parameters: {{x: {{type: float, low: 0, high: 1}}, y: {{type: int, low: 1, high: 9}}}}
engine: {{sampler: random}}
budget: {{n_trials: {trials}}}
parallel: {{n_jobs: {jobs}}}
tracker: {{log_models: none{mirror}}}
"""
OBJECTIVE = """
import time

def objective(params, trial):
    end = time.thread_time() + {seconds} / 2
    while time.thread_time() < end:  # half of it computes, half of it waits
        pass
    time.sleep({seconds} / 2)
    return (params["x"] - 0.3) ** 2 + params["y"] / 100
"""
RUN = """
import json, resource, sys, time
from hpo.mirrors import beside
waits = []
finish = beside.MirrorProcess.finish
def timed(self, *arguments):
    began = time.monotonic()
    finish(self, *arguments)
    waits.append(time.monotonic() - began)
beside.MirrorProcess.finish = timed
from hpo import run
began = time.monotonic()
run("sweep.yaml", new=True)
seconds = time.monotonic() - began
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([seconds - sum(waits), used.ru_utime + used.ru_stime, sum(waits)]))
"""


def start_server(folder: Path, nice: bool) -> tuple[subprocess.Popen[bytes], str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = ["--backend-store-uri", f"sqlite:///{folder}/remote.db", "--default-artifact-root", "mlflow-artifacts:/"]
    files = ["--artifacts-destination", str(folder / "files"), "--workers", "1", "--port", str(port)]
    command = [sys.executable, "-m", "mlflow", "server", *place, *files]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            preexec_fn=(lambda: os.nice(19)) if nice else None,
        )
    uri = f"http://127.0.0.1:{port}"
    for _ in range(1200):
        with suppress(OSError), urllib.request.urlopen(f"{uri}/health", timeout=5):
            return server, uri
        time.sleep(0.1)
    raise SystemExit(f"the server does not answer, see {folder}/server.log")


def measure(folder: Path, options: argparse.Namespace, name: str, mirror: str) -> list[float]:
    """Seconds of a sweep, CPU seconds of its driver, and seconds of waiting at its end."""
    import json

    target = f', mirror: "{mirror}"' if mirror else ""
    text = SWEEP.format(name=name, trials=options.trials, jobs=options.jobs, mirror=target)
    (folder / "sweep.yaml").write_text(text)
    (folder / "bench_objective.py").write_text(OBJECTIVE.format(seconds=options.seconds))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", RUN], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    made: list[float] = json.loads(done.stdout)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=0.1, help="of one trial")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--nice-server", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hpo-bench-") as scratch:
        folder = Path(scratch)
        server, uri = start_server(folder, options.nice_server)
        try:
            ratios = []
            for pair in range(options.pairs):
                order = ["", uri] if pair % 2 else [uri, ""]  # whatever is first is at a disadvantage
                taken = {mirror: measure(folder, options, f"p{pair}{bool(mirror)}", mirror) for mirror in order}
                (plain, cpu, _), (beside, cpu_beside, wait) = taken[""], taken[uri]
                ratios.append((beside / plain, cpu_beside / cpu))
                print(
                    f"pair {pair}: without {plain:.2f} s (driver {cpu:.2f} s CPU), with {beside:.2f} s "
                    f"({cpu_beside:.2f} s CPU), then waited {wait:.2f} s"
                )
            print(f"time with / without: {statistics.median(time for time, _ in ratios):.3f}")
            print(f"driver's CPU with / without: {statistics.median(cpu for _, cpu in ratios):.3f}")
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


if __name__ == "__main__":
    main()
