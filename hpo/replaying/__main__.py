"""`python -m hpo.replaying JOB`: runs the trials of a job and writes `report.json` beside it; secrets come by stdin."""

import json
import signal
import sys
from pathlib import Path

from hpo.executors.lifeline import Lifeline
from hpo.replaying.job import read_job, write
from hpo.replaying.work import run_job, with_search_path

REPORT = "report.json"


def main(argument: str) -> None:
    """Runs the job in this file."""
    path = Path(argument).absolute()
    job = read_job(path)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # which ends workers and programs too
    if job.driver and sys.platform == "linux":
        Lifeline(job.driver, None).hold()
    secrets = json.loads(sys.stdin.read() or "{}")
    write(path.with_name(REPORT), run_job(with_search_path(job), secrets))


if __name__ == "__main__":
    main(sys.argv[1])
