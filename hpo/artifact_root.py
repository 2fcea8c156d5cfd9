"""Where the files of a sweep's runs lie: `<the experiment's place>/<run id>/artifacts`, and nowhere else."""

import logging
import re
from dataclasses import dataclass

from hpo.trial import Trial
from trackers.artifacts import ArtifactFolder
from trackers.errors import InvalidRecord, StoreUnavailable
from trackers.opening import Store
from trackers.records import Query, Run

log = logging.getLogger(__name__)
_ATTEMPT = re.compile(r"artifacts(-[0-9]+)?")


def root_of(run: Run) -> str:
    """The place of the run's experiment, as far as the run's own files lie where we put them."""
    return run.artifact_uri.removesuffix(f"/{run.id}/artifacts")


def check_artifacts(store: Store, experiment: str) -> None:
    """Writes and deletes a small object where a new sweep of this experiment will keep files in an object store.

    NotPermitted for a wrong bucket, or without credentials: to be known before anything is on record, for an experiment
    stays where it is made.
    """
    known = store.tracker.find(Query(experiment=experiment, limit=1))
    ArtifactFolder().check_writable(root_of(known[0]) if known else store.artifacts)


@dataclass(frozen=True)
class DroppedModels:
    """Removes models that are not among the best any more, below one experiment's place alone.

    What the database says of a trial's files is not trusted: whoever can write to it must not be able to name any
    folder. Files that cannot be removed now are left to `hpo gc`; a search is worth more than tidiness.
    """

    root: str

    def __call__(self, trial: Trial, path: str) -> None:
        """Deletes a model folder of that trial."""
        attempt = trial.artifact_uri.removeprefix(f"{self.root}/{trial.run_id}/")
        if not trial.run_id or not _ATTEMPT.fullmatch(attempt):
            log.warning(
                "left alone: model %r of trial %d, whose files do not lie below %s", path, trial.number, self.root
            )
            return
        folder = ArtifactFolder()
        try:
            names = folder.names(trial.artifact_uri)
            folder.delete(trial.artifact_uri, [name for name in names if name.startswith(f"{path}/")])
        except (StoreUnavailable, InvalidRecord) as error:
            log.warning("model %r of trial %d is left to hpo gc: %s", path, trial.number, error)
