"""A sweep with a mirror and the same one without, in turns: what the mirror costs in time and in CPU.

Time is that of the sweep without the wait for the mirror at its end, which is printed beside it. CPU is that of driver
and workers; what the mirror's process took of what they left is printed too, and so is the server's: it is a real
`mlflow server` on this machine, so its own work competes with the sweep as that of a server elsewhere would not.
--nice-server gives it only what is left over. Each pair gives one ratio of each kind, their median is the result.

Usage: python scripts/bench/mirror.py [--trials 200] [--seconds 0.1] [--jobs 2] [--pairs 3] [--nice-server]
"""

import argparse
import json
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
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NICE = 19
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
sys.path.insert(0, {here!r})
from mirror import cpu_of
from hpo.mirrors import beside
waits, mirrors, reaped = [], [], []
def ended_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
finish, kill = beside.MirrorProcess.finish, beside.MirrorProcess.kill
def timed(self, *arguments):
    began, before = time.monotonic(), ended_children()
    finish(self, *arguments)
    waits.append(time.monotonic() - began)
    reaped.append(ended_children() - before)
def counted(self):
    mirrors.append(cpu_of(self._process.pid) if self._process.returncode is None else sum(reaped))
    kill(self)
beside.MirrorProcess.finish, beside.MirrorProcess.kill = timed, counted
from hpo import run
began = time.monotonic()
run("sweep.yaml", new=True)
seconds = time.monotonic() - began
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
driver, children = (each.ru_utime + each.ru_stime for each in used)
print(json.dumps([seconds - sum(waits), driver, children - sum(mirrors), sum(mirrors), sum(waits)]))
"""


@dataclass(frozen=True)
class Taken:
    """Seconds of a sweep, CPU seconds of its driver, workers and mirror, and seconds of waiting at its end."""

    seconds: float
    driver: float
    workers: float
    mirror: float
    wait: float


def cpu_of(pid: int) -> float:
    """CPU seconds of a process that may have ended but was not waited for, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_of_session(leader: int) -> float:
    """CPU seconds of all processes of a session."""
    total = 0.0
    for place in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if os.getsid(int(place.name)) == leader:
                total += cpu_of(int(place.name))
    return total


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
        )
    uri = f"http://127.0.0.1:{port}"
    for _ in range(1200):
        with suppress(OSError), urllib.request.urlopen(f"{uri}/health", timeout=5):
            if nice:
                os.setpriority(os.PRIO_PGRP, server.pid, NICE)
                Path(f"/proc/{server.pid}/autogroup").write_text(str(NICE))  # see hpo/processes/priority.py
            return server, uri
        time.sleep(0.1)
    raise SystemExit(f"the server does not answer, see {folder}/server.log")


def measure(folder: Path, options: argparse.Namespace, name: str, mirror: str) -> Taken:
    target = f', mirror: "{mirror}"' if mirror else ""
    text = SWEEP.format(name=name, trials=options.trials, jobs=options.jobs, mirror=target)
    (folder / "sweep.yaml").write_text(text)
    (folder / "bench_objective.py").write_text(OBJECTIVE.format(seconds=options.seconds))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    code = RUN.format(here=str(Path(__file__).parent))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return Taken(*json.loads(done.stdout))


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
                taken, served = {}, 0.0
                for mirror in order:
                    before = cpu_of_session(server.pid)
                    taken[mirror] = measure(folder, options, f"p{pair}{bool(mirror)}", mirror)
                    served += cpu_of_session(server.pid) - before
                plain, beside = taken[""], taken[uri]
                ratios.append(
                    (
                        beside.seconds / plain.seconds,
                        beside.driver / plain.driver,
                        (beside.driver + beside.workers) / (plain.driver + plain.workers),
                    )
                )
                print(
                    f"pair {pair}: without {plain.seconds:.2f} s (CPU: driver {plain.driver:.2f} s, workers "
                    f"{plain.workers:.2f} s), with {beside.seconds:.2f} s (driver {beside.driver:.2f} s, workers "
                    f"{beside.workers:.2f} s, mirror {beside.mirror:.2f} s, server {served:.2f} s), then waited "
                    f"{beside.wait:.2f} s",
                    flush=True,
                )
            for index, what in enumerate(("time", "driver's CPU", "driver's and workers' CPU")):
                print(f"{what} with / without: {statistics.median(ratio[index] for ratio in ratios):.3f}")
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


if __name__ == "__main__":
    main()
