"""Runs the trials of a job in slots of the sweep's own kind, so that they run just as they did in the sweep."""

import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hpo.build import Parts, parts_of
from hpo.config.objective_fields import Objective
from hpo.config.reading import read_sweep_text
from hpo.config.schema import SweepConfig
from hpo.errors import HpoError
from hpo.executor import Executor
from hpo.replaying.job import Job, Report, Task
from hpo.replaying.mlflow_store import mlflow_store
from hpo.slots_here import as_far_as_it_fits
from hpo.trial import Outcome, Question, Trial
from hpo.trial_files import StoredFiles
from trackers.artifacts import ArtifactFolder
from trackers.records import Dataset, Point
from trackers.rows import artifact_uri


def run_job(job: Job, secrets: Mapping[str, str]) -> Report:
    """What came of all trials; an error of ours stands in the report."""
    try:
        parts = parts_of(_config(job, secrets), *map(Path, job.folders))
        outcomes, logged = _run(job, parts)
    except HpoError as error:
        return Report(kind=type(error).__name__, error=str(error))
    return Report(outcomes, logged, _datasets(parts), dict(_strays(job)))


def carry_out(executor: Executor, tasks: Sequence[Task], place: Path) -> list[Outcome]:
    """Runs them all in the executor's slots; their files go below `place`."""
    waiting, running = list(tasks), dict[int, Task]()
    questions = _Answers(tasks)
    outcomes: list[Outcome] = []
    while waiting or running:
        while waiting and len(running) < executor.slots:
            task = waiting.pop(0)
            running[task.number] = task
            executor.submit(_trial(task, place))
        for outcome in executor.wait(None, questions.stops):
            del running[outcome.number]
            outcomes.append(outcome)
    return outcomes


def _datasets(parts: Parts) -> Sequence[Dataset]:
    """The data of the sweep as it is here, with the files that its own file names as far as they are here."""
    try:
        return parts.reading_inputs().datasets
    except HpoError:  # one is missing: it is named as a difference
        return parts.datasets


class _Answers:
    """Says to each trial what was said to it then: to stop after its last report on record, or to go on."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._left = {task.number: task.stop_after for task in tasks}

    def stops(self, question: Question) -> bool:
        left = self._left[question.number]
        if left is None:
            return False
        self._left[question.number] = left = left - len(question.reports)
        return left <= 0


def _run(job: Job, parts: Parts) -> tuple[list[Outcome], Mapping[str, Sequence[Point]]]:
    if not job.mlflow:
        return _outcomes(job, parts), {}
    with mlflow_store(parts, job) as store:
        return _outcomes(job, store.parts), store.logged(job)


def _outcomes(job: Job, parts: Parts) -> list[Outcome]:
    folder = Path(job.folder)
    executor = parts.executor(StoredFiles(ArtifactFolder()), folder / "scratch")
    try:
        return carry_out(executor, job.tasks, folder / "files")
    finally:
        executor.close()


def _trial(task: Task, place: Path) -> Trial:
    return Trial(
        task.number,
        task.params,
        task.seed,
        run_id=task.run_id,
        attempt=task.attempt,
        artifact_uri=artifact_uri(str(place), task.run_id),
        bar=math.nan,  # no model is kept, so none is fitted again only to be kept
    )


def _config(job: Job, secrets: Mapping[str, str]) -> SweepConfig:
    """The sweep file, in this many slots, with the secrets in their places, and without what follows a search."""
    config = read_sweep_text(job.config, "the sweep file on record")
    slots = min(job.slots, len(job.tasks)) if config.parallel.backend != "serial" else 1
    here = {"backend": "loky"} if config.parallel.is_cluster else {}
    changes = {
        "parallel": as_far_as_it_fits(config.parallel.model_copy(update={"n_jobs": max(slots, 1), **here})),
        "parameters": {**config.parameters, **secrets},
        "registration": None,
        "objective": _with_data(config.objective, job.moved),
    }
    return config.model_copy(update=changes)


def _with_data(objective: Objective, moved: Mapping[str, str]) -> Objective:
    """The objective with data files where they are now."""
    if objective.sklearn is None or not moved:
        return objective
    data = objective.sklearn.data
    there = {
        name: moved.get(os.path.normpath(str(getattr(data, name))), getattr(data, name)) for name in ("path", "test")
    }
    sklearn = objective.sklearn.model_copy(update={"data": data.model_copy(update=there)})
    return objective.model_copy(update={"sklearn": sklearn})


def _strays(job: Job) -> Iterator[tuple[str, str]]:
    """Modules that come from where the code lay, though the rebuilt code has them: they may have been edited since."""
    if not job.original or job.original == job.rebuilt:
        return
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        inside = file.removeprefix(f"{job.original}/")
        is_ours = name.partition(".")[0] in ("hpo", "trackers")
        if inside != file and not is_ours and Path(job.rebuilt, inside).is_file():
            yield name, file


def with_search_path(job: Job) -> Job:
    """The job with what Python looks for modules in, as far as that lay in the code, looked for in the rebuilt one."""
    if not job.original:
        return job
    below = [entry.removeprefix(f"{job.original}/") for entry in sys.path if entry.startswith(f"{job.original}/")]
    inside = [str(Path(job.rebuilt, name)) for name in dict.fromkeys([*below, "src"])]
    found = [name for name in inside if Path(name).is_dir()]
    return replace(job, folders=list(dict.fromkeys([*job.folders, *found])))
