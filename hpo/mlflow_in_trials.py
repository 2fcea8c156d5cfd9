"""MLflow inside trials: what an objective logs by `mlflow.autolog()`, or any fluent call, goes onto its trial's run.

An objective that never imports MLflow pays nothing for it: a hook waits for that import. Then, and as long as a trial
runs, `mlflow.start_run()` without a run of its own resumes the trial's run, as MLflow does for MLFLOW_RUN_ID; unlike
that variable, which MLflow takes away with the first run, it does so however often runs are started, and in threads.
Code that names another tracking server or experiment is left alone.
"""

import hashlib
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.errors import ObjectiveError
from hpo.mlflow_hook import Resumable, await_mlflow, is_imported, is_installed, make_ready_if_imported, of_trial
from hpo.objective import Surroundings
from hpo.trial import Outcome, Report, SavedFile, State, Trial
from trackers.artifacts import ArtifactFolder
from trackers.errors import TrackerError
from trackers.garbage import local_path

if TYPE_CHECKING:  # for the type only: it is imported by the objective, or not at all
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

_LOST_TAG = "hpo.mlflow_lost"
_STATUS = {State.COMPLETE: "FINISHED", State.PRUNED: "KILLED", State.FAILED: "FAILED"}


@dataclass(frozen=True)
class MlflowInTrials:
    """Surroundings of the trials of a sweep in the database at `uri`."""

    uri: str

    def prepare(self, load: Callable[[], None]) -> None:
        """Waits for MLflow to be imported; where the objective's module does so, the database is made ready for it.

        MLflow that was there before says nothing: many programs import it. Then the first trial that uses it does so.
        """
        if _is_out_of_sight(self.uri):
            _load_without_mlflow(self.uri, load)
            return
        await_mlflow()
        was_imported = is_imported()
        load()
        if was_imported:
            return
        try:
            make_ready_if_imported(self.uri)
        except TrackerError as error:
            raise ObjectiveError(f"the objective imports mlflow, which needs a newer database: {error}") from error

    def around(self, trial: Trial, run: Callable[[], Outcome]) -> Outcome:
        """Runs the trial, and then closes what it left open; what MLflow logged comes into the outcome."""
        if _is_out_of_sight(self.uri):
            outcome = run()
            lost = {_LOST_TAG: f"this host does not see {self.uri}"} if is_imported() else {}
            return replace(outcome, tags={**outcome.tags, **lost}) if lost else outcome
        mine = Resumable(trial.run_id, self.uri)
        with of_trial(mine) as leave:
            outcome = run()
            problem = leave(_STATUS.get(outcome.state, "FAILED"))
        if not mine.was_resumed:
            return outcome
        try:
            outcome = _completed(outcome, trial, self.uri)
        except Exception as error:  # a finished result is worth more than what MLflow noted beside it
            problem = problem or f"{type(error).__name__}: {error}"
        if problem:
            log.warning("trial %d: what MLflow logged is not complete: %s", trial.number, problem)
            outcome = replace(outcome, tags={**outcome.tags, _LOST_TAG: problem[:5000]})
        return outcome


def mlflow_in_trials(uri: str) -> Surroundings | None:
    """For the trials of a sweep in the database at a URI; None where there is no MLflow, or it cannot open that."""
    if not is_installed():
        return None
    scheme, _, rest = uri.partition(":")
    if scheme.startswith("sqlite"):  # from wherever a trial changes to
        return MlflowInTrials(f"sqlite:///{Path(rest.removeprefix('///')).expanduser().absolute()}")
    if scheme.startswith("postgres"):
        return MlflowInTrials(f"postgresql+psycopg:{rest}")
    return None


def _is_out_of_sight(uri: str) -> bool:
    """Whether the database is a file that is not here: on the host of a cluster, for one."""
    return uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists()


def _load_without_mlflow(uri: str, load: Callable[[], None]) -> None:
    was_imported = is_imported()
    load()
    if is_imported() and not was_imported:
        raise ObjectiveError(
            f"the objective imports mlflow, but its host does not see {uri}: keep the sweep in a PostgreSQL database, "
            "or run its trials on the driver's machine (parallel.backend: loky)"
        )


def _completed(outcome: Outcome, trial: Trial, uri: str) -> Outcome:
    client = sys.modules["mlflow"].MlflowClient(uri)
    return replace(
        outcome,
        reports=(*outcome.reports, *_later_points(client, trial.run_id, outcome)),
        files=(*outcome.files, *_files(trial.artifact_uri, {file.path for file in outcome.files})),
    )


def _later_points(client: "MlflowClient", run_id: str, outcome: Outcome) -> list[Report]:
    """The newest point that MLflow logged of each metric of the result, which the result's own value then follows."""
    found = []
    for name in outcome.metrics:
        history = client.get_metric_history(run_id, name)
        if history:
            newest = max(history, key=lambda point: (point.step, point.timestamp))
            found.append(Report(name, newest.value, newest.step, newest.timestamp))
    return found


def _files(artifact_uri: str, known: set[str]) -> list[SavedFile]:
    """What lies in the trial's folder and is in no manifest yet; only local folders are looked at."""
    if local_path(artifact_uri) is None:
        return []
    folder = ArtifactFolder()
    found = []
    for name in folder.names(artifact_uri):
        if name in known:
            continue
        with folder.open(artifact_uri, name) as file:
            digest = hashlib.sha256()
            size = 0
            while chunk := file.read(1 << 20):
                size += len(chunk)
                digest.update(chunk)
        found.append(SavedFile(name, size, digest.hexdigest()))
    return found


_: type[Surroundings] = MlflowInTrials
