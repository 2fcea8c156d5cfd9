"""The Objective protocol: evaluates one trial; and what an objective may use while it does."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from hpo.space import Params
from hpo.trial import InputFile, Metrics, Outcome, SavedFile, SavedModel, Trial


class TrialContext(Protocol):
    """What an objective sees of its trial, and how it keeps what it made."""

    @property
    def number(self) -> int:
        """The trial's number in its sweep, from 0."""
        ...

    @property
    def seed(self) -> int:
        """A seed from 0 to 2**32 - 1 of this trial alone, derived from the sweep's seed and the number."""
        ...

    @property
    def dir(self) -> Path:
        """An empty folder of this attempt alone; what is left in it is not kept."""
        ...

    def report(self, step: int, value: float) -> None:
        """Records an intermediate value of the sweep's metric, and asks the sweep's pruner whether to go on.

        Raises `hpo.TrialPruned` where the trial is to stop, from then on at every report; the trial is PRUNED whatever
        comes after. A value that is reported again for a step is recorded, and the pruner goes by the first.
        """
        ...

    def log_metric(self, name: str, value: float, step: int = 0) -> None:
        """Records a value of any metric at a step."""
        ...

    def log_artifact(self, path: str | Path, name: str | None = None) -> None:
        """Keeps a file, or a folder with all it holds, under `name` (else its own name)."""
        ...

    def log_model(self, model: object, name: str = "model", input_example: object = None) -> None:
        """Keeps a fitted scikit-learn compatible model, if the trial turns out good enough (`tracker.log_models`).

        Instead of a model, a plain function, lambda, method or `functools.partial` that takes nothing and returns one
        may be given: it is called after the trial's value is known, and only if the model is kept. So an expensive
        refit costs the good trials only: `trial.log_model(lambda: clone(estimator).fit(x, y))`. A callable object of
        another kind (a torch module) is itself a model. A `pathlib.Path` names an MLflow model folder, of any flavor,
        which is kept as it is. The function may also return a `hpo.autolog.described_model.DescribedModel`.
        """
        ...

    def log_input(self, path: str | Path, name: str | None = None, context: str = "training") -> None:
        """Records that the trial reads this file, or folder with all it holds, as a data set of its run.

        It goes by a digest of its content, under `name` (else its own name), for what `context` says. Nothing of it is
        copied. A file that was read before and looks the same is not read again.
        """
        ...

    def set_tag(self, name: str, value: object) -> None:
        """Sets a tag on the trial's run."""
        ...

    def autolog(self) -> None:
        """Logs each fit of a scikit-learn compatible estimator in this thread, from now on until the objective returns.

        Of the outermost fits: estimator and all its parameters, training scores, confusion matrix or residuals and
        feature importances, below `autolog/<n>/` and as metrics `training_*` at step n; the model of the last one is
        offered as by `log_model`, unless the objective offers one itself. XGBoost, LightGBM, Lightning and Keras, where
        they are imported, log onto the trial's run by MLflow's own autologging, if MLflow is installed. Nothing that
        goes wrong with it fails the trial.
        """
        ...


class Objective(Protocol):
    """Evaluates one point.

    It is pickled once to each worker process, so it holds names and settings, not live things.
    It may have a method `prepare()` that imports and loads what every trial needs: each worker calls it once before
    its first trial, and an error there ends the sweep before trial 1 instead of failing every trial.
    """

    def __call__(self, params: Params, trial: TrialContext) -> float | Metrics:
        """The value of the sweep's metric, or several metrics by name with the sweep's among them."""
        ...


class ModelJudge(Protocol):
    """Scores fitted models on test data which no trial sees."""

    def score_model(self, model: object) -> Metrics:
        """The scores of a model as it is; metrics are named `test_<name>`."""
        ...


class ModelSource(Protocol):
    """Where a kept model can be had; picklable, so it can be sent to worker processes."""

    def load(self) -> object:
        """The model, its files verified; an error where they are not what was kept, or not safe to load."""
        ...


class HeldOut(ModelJudge, Protocol):
    """An objective that also knows test data which no trial sees."""

    def score_test(self, params: Params, seed: int) -> Metrics:
        """Fits on all data but the test part, as the trial of this seed did, and scores once on the test part.

        Metrics are named `test_<name>`.
        """
        ...


class Surroundings(Protocol):
    """What is done in the process of a trial before and after it; picklable, so it can be sent to worker processes."""

    def prepare(self, load: Callable[[], None]) -> None:
        """Called once in each process; `load` gets the objective ready. ObjectiveError where trials could not run."""
        ...

    def around(self, trial: Trial, run: Callable[[], Outcome]) -> Outcome:
        """Runs the trial by `run` and gives its outcome, perhaps with more in it; raises what `run` raises."""
        ...


class TrialFiles(Protocol):
    """Where a worker puts the files a trial keeps, and who knows the files that it reads.

    Picklable, so it can be sent to worker processes.
    """

    def save_file(self, artifact_uri: str, source: Path, name: str) -> list[SavedFile]:
        """Copies a file or a folder below the run's artifacts, each file whole or not at all."""
        ...

    def save_model(
        self, artifact_uri: str, model: object, *, name: str, run_id: str, input_example: object
    ) -> tuple[SavedModel, list[SavedFile]]:
        """Writes a model folder below the run's artifacts."""
        ...

    def input_file(self, path: Path, name: str, context: str) -> InputFile:
        """What a file or folder that the trial reads holds; OSError where it cannot be read."""
        ...
