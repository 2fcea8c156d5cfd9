"""Runs a job in a process of its own, by a given Python."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hpo import errors
from hpo.errors import HpoError, ProvenanceError
from hpo.replaying.__main__ import REPORT
from hpo.replaying.job import Job, Report, read_report, write

NOT_HANDED_ON = ("MLFLOW_RUN_ID", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME")
"""Variables by which what a trial logs would go onto runs that are none of its own."""
OUTPUT = "output.log"
_SHOWN = 2000
_GRACE = 10.0


def run_in_process(
    python: str, job: Job, *, started_in: Path, variables: Mapping[str, str], secrets: Mapping[str, str]
) -> Report:
    """The report; `variables` is the whole environment. What the process prints goes to `output.log` in its folder.

    The errors that the process reports are raised, ProvenanceError where it died.
    """
    folder = Path(job.folder)
    path = folder / "job.json"
    write(path, replace(job, driver=os.getpid()))
    environment = {name: value for name, value in variables.items() if name not in NOT_HANDED_ON}
    environment["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/stray.db"  # made only by a trial that logs by itself
    with (folder / OUTPUT).open("wb") as output:
        # -P: a module of the current folder must not stand in for one of Python's own, or of ours
        process = subprocess.Popen(
            [python, "-P", "-m", "hpo.replaying", str(path)],
            cwd=started_in,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            process.communicate(json.dumps(dict(secrets)).encode())
        finally:
            _end(process)
    return _report(folder, process.returncode)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ends it, which ends its workers and programs, where whoever waits for it does not any more."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _report(folder: Path, code: int) -> Report:
    if code or not (folder / REPORT).exists():
        printed = (folder / OUTPUT).read_text("utf-8", "replace")[-_SHOWN:].strip()
        raise ProvenanceError(f"the process that ran the trials again ended with {code}:\n{printed}")
    report = read_report(folder / REPORT)
    if report.kind:
        kind = getattr(errors, report.kind, HpoError)
        raise (kind if isinstance(kind, type) and issubclass(kind, HpoError) else HpoError)(report.error)
    return report
