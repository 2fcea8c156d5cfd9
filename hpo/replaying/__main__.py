"""`python -m hpo.replaying JOB`: runs the trials of a job and writes `report.json` beside it; secrets come by stdin."""

import json
import sys
from pathlib import Path

from hpo.replaying.job import read_job, write
from hpo.replaying.work import run_job, with_search_path

REPORT = "report.json"


def main(argument: str) -> None:
    """Runs the job in this file."""
    path = Path(argument).absolute()
    secrets = json.loads(sys.stdin.read() or "{}")
    write(path.with_name(REPORT), run_job(with_search_path(read_job(path)), secrets))


if __name__ == "__main__":
    main(sys.argv[1])
