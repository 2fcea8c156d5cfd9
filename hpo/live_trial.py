"""The trial as its objective sees it while it runs."""

import shutil
import time
from pathlib import Path

from hpo.errors import HpoError
from hpo.gathered import Gathered, OfferedModel
from hpo.objective import TrialContext
from hpo.plain import plain_name, plain_number, plain_path, plain_step, plain_text
from hpo.trial import Report, Trial


class LiveTrial:
    """A TrialContext that adds to what the trial has gathered; see `TrialContext` for what each method promises."""

    def __init__(self, trial: Trial, gathered: Gathered, *, metric: str) -> None:
        self._trial = trial
        self._gathered = gathered
        self._metric = metric
        self._directory: Path | None = None

    @property
    def number(self) -> int:
        """The trial's number in its sweep, from 0."""
        return self._trial.number

    @property
    def seed(self) -> int:
        """A seed of this trial alone."""
        return self._trial.seed

    @property
    def dir(self) -> Path:
        """An empty folder of this attempt alone, made when it is first asked for."""
        if self._directory is None:
            self._directory = _empty_folder(self._trial.directory)
        return self._directory

    def report(self, step: int, value: float) -> None:
        """Records an intermediate value of the sweep's metric."""
        self._record(self._metric, value, step)

    def log_metric(self, name: str, value: float, step: int = 0) -> None:
        """Records a value of any metric at a step."""
        self._record(plain_name(name, "metric"), value, step)

    def log_artifact(self, path: str | Path, name: str | None = None) -> None:
        """Saves a file or a folder at once; a later one of the same name takes its place."""
        source = Path(path).absolute()
        if not source.exists():
            raise FileNotFoundError(f"log_artifact: there is no file or folder {source}")
        self._gathered.save_file(source, plain_path(source.resolve().name if name is None else name))

    def log_model(self, model: object, name: str = "model", input_example: object = None) -> None:
        """Remembers the model; it is written once the trial's value is known to be good enough."""
        if model is None:
            raise TypeError("log_model needs a fitted model, or a function that returns one, got None")
        self._gathered.offered[plain_path(name)] = OfferedModel(model, input_example)

    def set_tag(self, name: str, value: object) -> None:
        """Sets a tag on the trial's run, as text."""
        self._gathered.tags[plain_name(name, "tag")] = plain_text(str(value))

    def _record(self, metric: str, value: object, step: object) -> None:
        try:
            number = plain_number(value)
        except (TypeError, OverflowError) as error:
            raise type(error)(f"metric {metric!r} {error}") from None
        self._gathered.reports.append(Report(metric, number, plain_step(step), int(time.time() * 1000)))


def _empty_folder(directory: str) -> Path:
    if not directory:
        raise HpoError("trial.dir: this trial was started without a scratch folder")
    folder = Path(directory)
    if folder.exists():  # left behind by a driver that was killed
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


_: type[TrialContext] = LiveTrial
