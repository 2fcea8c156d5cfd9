"""A sweep on a dask cluster of several hosts: two workers that see neither the driver's files nor each other's.

Hosts and their network are Linux namespaces: names, boot ids and cables are real to the processes there. The folder of
the sweep is hidden from the workers, so code reaches them over the line alone, and files lie in S3.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from trackers.opening import open_store
from trackers.records import Query

pytestmark = pytest.mark.slow
Wait = Callable[..., None]
SERVER = "10.77.0.1"
COUNT = 12
S3 = {
    "AWS_ACCESS_KEY_ID": "AKIANOBODY",
    "AWS_SECRET_ACCESS_KEY": "S3CRETkeyofnobody",
    "AWS_REGION": "us-east-1",
    "AWS_ENDPOINT_URL_S3": f"http://{SERVER}:5000",
}
HIDDEN = 'mount -t tmpfs none "$1"; shift; exec "$@"'

OBJECTIVE = """
from beside import ledger

def reporting(params, trial):
    ledger.ledger("start", trial, params)
    ledger.hold(trial)
    note = trial.dir / "note.txt"
    note.write_text(f"trial {trial.number}")
    trial.log_artifact(note)
    value = (params["x"] - 0.3) ** 2 + params["y"] / 100
    for step in range(1, 5):
        trial.report(step, value + 1 / step)
    ledger.ledger("finish", trial, params)
    return {"loss": value}
"""


@dataclass
class Site:
    """Servers, a host for the driver, and the folder of its sweep; `ledger` is the folder that all hosts share."""

    network: Any
    folder: Any
    ledger: Path
    hosts: dict[str, Any] = field(default_factory=dict)
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def host(self, name: str) -> Any:
        if name not in self.hosts:
            self.hosts[name] = self.network.host(name)
        return self.hosts[name]

    def run(self) -> Any:
        """The driver, on a host of its own."""
        there = self.host("driver")
        return self.folder.start("run", "sweep.yaml", environment={**S3, **there.environment}, inside=there.inside)

    def start_worker(self, name: str) -> None:
        """A worker of one thread, which does not see the sweep's folder."""
        there = self.host(name)
        hide = ["sh", "-ec", HIDDEN, "sh", str(self.folder.path)]
        words = ["worker", f"tcp://{SERVER}:8786", "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        self.dask([*there.inside, *hide], name, *words, "--memory-limit", "0", environment={**S3, **there.environment})

    def dask(self, inside: list[str], name: str, *words: str, environment: Mapping[str, str]) -> None:
        folder = self.ledger / f"{name}-dask"
        folder.mkdir()
        with (self.ledger / f"{name}.log").open("wb") as log:
            command = [*inside, sys.executable, "-m", "dask", *words, "--dashboard-address", ":0"]
            self.start(command, log, {"DASK_TEMPORARY_DIRECTORY": str(folder), **environment})

    def start(self, command: list[str], log: Any, environment: Mapping[str, str]) -> None:
        every = {**os.environ, **environment}
        self.processes.append(
            subprocess.Popen(command, stdout=log, stderr=log, env=every, cwd=self.ledger, start_new_session=True)
        )

    def close(self) -> None:
        self.folder.end_all()
        for process in reversed(self.processes):
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def trials(self) -> list[Any]:
        with open_store(self.folder.uri, read_only=True) as store:
            runs = store.tracker.find(Query(parent=self.folder.sweep().id))
            return sorted(runs, key=lambda run: run.trial.number if run.trial else -1)

    def executions(self, word: str) -> dict[int, int]:
        lines = (self.ledger / "ledger.txt").read_text().splitlines()
        numbers = [int(line.split("\t")[1]) for line in lines if line.startswith(f"{word}\t")]
        return {number: numbers.count(number) for number in numbers}


@pytest.fixture
def site(network: Any, new_folder: Callable[..., Any], tmp_path: Path) -> Iterator[Site]:
    pytest.importorskip("distributed")
    site = Site(network, new_folder("sweep"), tmp_path / "ledger")
    site.ledger.mkdir()
    beside = site.folder.path / "beside"
    beside.mkdir()
    standard = site.folder.path / "fault_objective.py"
    (beside / "ledger.py").write_text(
        standard.read_text().replace("pathlib.Path(__file__).parent", f"pathlib.Path({str(site.ledger)!r})")
    )
    standard.write_text(OBJECTIVE)
    site.folder.write(
        objective={"python": "fault_objective:reporting"},
        pruner={"name": "median", "options": {"n_startup_trials": 2}},
        budget={"n_trials": COUNT},
        parallel={"n_jobs": 2, "backend": "dask", "address": f"tcp://{SERVER}:8786"},
        tracker={"artifacts": "s3://artifacts/cluster"},
    )
    try:
        with network.among_servers(), (site.ledger / "servers.log").open("wb") as log:
            site.start([sys.executable, "-m", "moto.server", "-H", SERVER, "-p", "5000"], log, {})
            site.dask(
                [], "scheduler", "scheduler", "--host", SERVER, "--port", "8786", "--no-dashboard", environment={}
            )
            make_bucket()
        yield site
    finally:
        site.close()


def make_bucket() -> None:
    for _ in range(600):
        with contextlib.suppress(OSError):
            request = urllib.request.Request(f"http://{SERVER}:5000/artifacts", method="PUT")
            urllib.request.urlopen(request, timeout=30).close()
            return
        time.sleep(0.1)


def assert_whole(site: Site) -> None:
    """Every trial ended once, with its file and the name of its host; pruned are those that one process prunes too."""
    trials = site.trials()
    assert [run.trial.number for run in trials] == list(range(COUNT))
    assert {run.tags["hpo.host"] for run in trials} <= {"cara", "dora"}
    with open_store(site.folder.uri, read_only=True) as store:
        for run in trials:
            assert run.artifact_uri.startswith("s3://artifacts/cluster/")
            assert "note.txt" in [artifact.path for artifact in store.tracker.artifacts(run.id)]
    alone = site.folder.path.with_name("alone")
    alone.mkdir()
    for file in ("fault_objective.py", "beside/ledger.py"):
        (alone / file).parent.mkdir(exist_ok=True)
        (alone / file).write_text((site.folder.path / file).read_text())
    twin = type(site.folder)(alone)
    (alone / "sweep.yaml").write_text(site.folder.file.read_text())
    settings = ("parallel={n_jobs: 1, backend: serial, window: 4}", "tracker={artifacts: mlruns}")
    driver = twin.hpo("run", "sweep.yaml", *(word for each in settings for word in ("--set", each)))
    assert driver.process.returncode == 0, driver.stderr
    assert [(trial.state, trial.value) for trial in twin.trials()] == [
        (run.trial.state, run.trial.value) for run in trials
    ]
    assert {str(trial.state) for trial in twin.trials()} == {"COMPLETE", "PRUNED"}


def test_code_reports_and_files_travel_between_hosts(site: Site) -> None:
    for name in ("cara", "dora"):
        site.start_worker(name)
    driver = site.run()

    assert driver.wait(240) == 0, driver.stderr
    assert "trials travel over 10.77.0.4 signed, but not encrypted" in driver.stderr
    assert site.executions("start") == dict.fromkeys(range(COUNT), 1)
    assert {run.tags["hpo.host"] for run in site.trials()} == {"cara", "dora"}
    assert_whole(site)


def test_a_cable_that_is_pulled_costs_the_trial_an_attempt_and_no_more(site: Site, wait_for: Wait) -> None:
    for name in ("cara", "dora"):
        site.start_worker(name)
    for number in (4, 5):
        (site.ledger / f"hold-{number}").touch()
    driver = site.run()
    wait_for(lambda: all((site.ledger / f"held-{number}").exists() for number in (4, 5)), 120)
    site.hosts["cara"].cut()
    wait_for(lambda: "its worker on host cara was lost" in driver.stderr, 120)
    for number in (4, 5):
        (site.ledger / f"hold-{number}").unlink()

    assert driver.wait(240) == 0, driver.stderr
    attempts = {run.trial.number: run.trial.attempt for run in site.trials()}
    assert sorted(attempts.values()) == [1] * (COUNT - 1) + [2]
    assert site.executions("start") == attempts
    assert_whole(site)
