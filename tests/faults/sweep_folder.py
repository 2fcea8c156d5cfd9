"""A folder in which a sweep is run by real drivers, and what its store and its ledger say."""

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from driver_process import HPO, ROOT, SECONDS, Driver, environment_with, on_host
from ledger_objective import OBJECTIVE, SWEEP, Entry, ledger_of

from trackers.opening import open_store
from trackers.records import Query, Run, TrialFacts


@dataclass
class SweepFolder:
    """A folder with a sweep file, its objective, its store and the ledger; `server` is the store's URI if no file."""

    path: Path
    drivers: list[Driver] = field(default_factory=list)
    server: str = ""

    @property
    def file(self) -> Path:
        return self.path / "sweep.yaml"

    @property
    def database(self) -> Path:
        return self.path / "mlflow.db"

    @property
    def uri(self) -> str:
        return self.server or f"sqlite:///{self.database}"

    @property
    def has_store(self) -> bool:
        """Whether there is a store to look into."""
        return bool(self.server) or self.database.exists()

    @property
    def root(self) -> Path:
        """Where the packages under test lie."""
        return ROOT

    @property
    def environment(self) -> dict[str, str]:
        """What its processes get."""
        return environment_with(self.tracker)

    @property
    def tracker(self) -> Mapping[str, str]:
        """What names a server to its processes: a URI with a password is nothing for a file."""
        return {"HPO_TRACKER": self.server} if self.server else {}

    def command(self, *arguments: str) -> list[str]:
        """`hpo ARGUMENTS` for this interpreter."""
        return [*HPO, *arguments]

    def latest_name(self) -> str:
        """The name of the sweep that was started last."""
        with open_store(self.uri, read_only=True) as store:
            return store.tracker.find(Query(sweeps=True, roots=True))[-1].name

    def write(self, text: str = "", **sections: object) -> None:
        """The sweep file: `SWEEP` with these sections changed (a mapping is merged, None leaves the section out)."""
        wanted = dict(SWEEP)
        if self.server:
            wanted["tracker"] = {"artifacts": "mlruns", "log_models": "none"}
        for name, value in sections.items():
            base = wanted.get(name)
            wanted[name] = {**base, **value} if isinstance(base, dict) and isinstance(value, dict) else value
        kept = {name: value for name, value in wanted.items() if value is not None}
        self.file.write_text(text or json.dumps(kept, indent=1))  # JSON is YAML

    def hold(self, *numbers: int) -> None:
        """These trials, or all, will wait at the barrier."""
        for name in [f"hold-{number}" for number in numbers] or ["hold"]:
            (self.path / name).touch()

    def release(self, *numbers: int) -> None:
        """Lets them go on."""
        for name in [f"hold-{number}" for number in numbers] or ["hold"]:
            (self.path / name).unlink(missing_ok=True)

    def held(self, number: int) -> bool:
        """Whether that trial waits, or waited, at the barrier."""
        return (self.path / f"held-{number}").exists()

    def start(
        self,
        verb: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        host: str = "",
        inside: Sequence[str] = (),
    ) -> Driver:
        """`hpo VERB ARGUMENTS` as a process in a session of its own, started in the folder, on a host of that name.

        `inside` is a command that takes the whole as its arguments and turns into it.
        """
        number = len(self.drivers)
        stdout, stderr = self.path / f"stdout-{number}.txt", self.path / f"stderr-{number}.txt"
        with stdout.open("wb") as out, stderr.open("wb") as err:
            process = subprocess.Popen(
                [*inside, *(on_host(host) if host else HPO), verb, *arguments],
                cwd=self.path,
                env=environment_with({**self.tracker, **(environment or {})}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        driver = Driver(process, stdout, stderr)
        self.drivers.append(driver)
        return driver

    def hpo(self, verb: str, *arguments: str, environment: Mapping[str, str] | None = None, host: str = "") -> Driver:
        """The same, run to its end."""
        driver = self.start(verb, *arguments, environment=environment, host=host)
        driver.wait()
        return driver

    def ledger(self) -> list[Entry]:
        """What the objective wrote, whole lines only."""
        return ledger_of(self.path)

    def executions(self, word: str = "finish") -> dict[int, int]:
        """How often each trial was run to its end (`start`: begun)."""
        counted: dict[int, int] = {}
        for entry in self.ledger():
            if entry.word == word:
                counted[entry.number] = counted.get(entry.number, 0) + 1
        return counted

    def sweep(self, name: str = "faults") -> Run:
        """The parent run on record."""
        with open_store(self.uri, read_only=True) as store:
            [*_, parent] = store.tracker.find(Query(sweeps=True, roots=True, name=name))
        return parent

    def trials(self, name: str = "faults") -> list[TrialFacts]:
        """What the store says of the sweep's trials, by number."""
        with open_store(self.uri, read_only=True) as store:
            parents = store.tracker.find(Query(sweeps=True, roots=True, name=name))
            runs = store.tracker.find(Query(parent=parents[-1].id)) if parents else ()
        return sorted((run.trial for run in runs if run.trial is not None), key=lambda trial: trial.number)

    def states(self, name: str = "faults") -> list[str]:
        """The trials' states, by number."""
        return [str(trial.state) for trial in self.trials(name)]

    def integrity(self) -> str:
        """SQLite's own word on the file: "ok"."""
        if self.server:
            return "ok"  # the server sees to that
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        try:
            return "\n".join(row[0] for row in connection.execute("PRAGMA integrity_check"))
        finally:
            connection.close()

    def end_all(self) -> None:
        """Ends the drivers that a test left behind, with what they started."""
        for driver in self.drivers:
            if driver.process.poll() is None:
                os.killpg(driver.pid, signal.SIGKILL)
                driver.process.wait(SECONDS)


def standard_folder(path: Path, server: str = "") -> SweepFolder:
    """The folder with the standard sweep and its objective."""
    folder = SweepFolder(path, server=server)
    (path / "fault_objective.py").write_text(OBJECTIVE)
    folder.write()
    return folder
