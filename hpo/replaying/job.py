"""What is handed to the process that runs trials again, and what it hands back: plain JSON, so that it can be any
Python that has this package and what the trials need.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hpo.executors.result_folder import outcome_from
from hpo.space import Value
from hpo.trial import Outcome
from trackers.records import Dataset, Point


@dataclass(frozen=True)
class Task:
    """A trial to run. `stop_after` is how many reports of the metric it may make before it is told to stop, as it was;
    None lets it go on. Its files go below the job's folder, under `run_id`.
    """

    number: int
    params: Mapping[str, Value]
    seed: int
    run_id: str
    attempt: int = 1
    stop_after: int | None = None


@dataclass(frozen=True)
class Job:
    """Trials of one sweep file. `folders` are where what it names is found, the file's own first; `folder` is for all
    that is needed only meanwhile.

    `original` and `rebuilt` are the top of the code as it lies on record and as it lies here: no module may come from
    the first where the second has it. With `mlflow` the trials log through MLflow, into a store of that folder. Secrets
    do not stand in a job: they are read from the standard input. `moved` says where data files of the sweep file are
    now, by the absolute path that they had. `driver` is the process without which nobody needs the report.
    """

    config: str
    folders: Sequence[str]
    folder: str
    tasks: Sequence[Task]
    slots: int = 1
    original: str = ""
    rebuilt: str = ""
    mlflow: bool = False
    moved: Mapping[str, str] = field(default_factory=dict)
    driver: int = 0


@dataclass(frozen=True)
class Report:
    """What came of a job: the outcomes, in any order, the data that the sweep file reads, or `error` of this `kind`.

    `logged` are the points of each trial's run that it logged through MLflow, where the job asks for them.
    `strays` are modules that were not taken from the rebuilt code.
    """

    outcomes: Sequence[Outcome] = ()
    logged: Mapping[str, Sequence[Point]] = field(default_factory=dict)
    datasets: Sequence[Dataset] = ()
    strays: Mapping[str, str] = field(default_factory=dict)
    kind: str = ""
    error: str = ""


def write(path: Path, item: Job | Report) -> None:
    """Writes either down, whole or not at all, for this user alone."""
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(json.dumps(asdict(item), default=dict), "utf-8", "surrogatepass")
    part.replace(path)


def read_job(path: Path) -> Job:
    """A job as it was written."""
    facts = json.loads(path.read_text("utf-8", "surrogatepass"))
    return Job(**{**facts, "tasks": [Task(**item) for item in facts["tasks"]]})


def read_report(path: Path) -> Report:
    """A report as it was written."""
    facts = json.loads(path.read_text("utf-8", "surrogatepass"))
    made = {
        "logged": {run: [Point(**item) for item in points] for run, points in facts["logged"].items()},
        "outcomes": [outcome_from(item) for item in facts["outcomes"]],
        "datasets": [Dataset(**item) for item in facts["datasets"]],
    }
    return Report(**{**facts, **made})
