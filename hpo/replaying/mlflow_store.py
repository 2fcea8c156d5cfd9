"""A store that lasts as long as a replay, for trials that log through MLflow: what they log is compared too."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hpo.build import Parts
from hpo.replaying.job import Job
from trackers.opening import open_store
from trackers.records import Point, RunStarted, TrialFacts
from trackers.tracker import Tracker

_SWEEP = "0" * 32
_EXPERIMENT = "replay"


@dataclass(frozen=True)
class MlflowStore:
    """`parts` are those of the sweep, with trials that log through MLflow onto runs of this store."""

    parts: Parts
    tracker: Tracker

    def logged(self, job: Job) -> Mapping[str, Sequence[Point]]:
        """Every point that was logged so, by the run of its trial."""
        return {task.run_id: self.tracker.history(task.run_id) for task in job.tasks}


@contextmanager
def mlflow_store(parts: Parts, job: Job) -> Iterator[MlflowStore]:
    """A fresh store in the job's folder that knows the runs of its trials."""
    folder = Path(job.folder)
    uri = f"sqlite:///{folder}/mlflow.db"
    with open_store(uri, artifacts=str(folder / "files")) as store:
        store.tracker.experiment(_EXPERIMENT)
        begun = [RunStarted(_SWEEP, "sweep", _EXPERIMENT, 0)]
        for task in job.tasks:
            facts = TrialFacts(task.number, task.params, seed=task.seed)
            begun.append(RunStarted(task.run_id, f"trial-{task.number}", _EXPERIMENT, 0, _SWEEP, trial=facts))
        store.tracker.record(begun)
        yield MlflowStore(parts.beside(uri), store.tracker)
