"""The trial as its objective sees it while it runs."""

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Self

from hpo.errors import HpoError, TrialPruned
from hpo.gathered import Gathered, OfferedModel
from hpo.objective import TrialContext
from hpo.plain import plain_name, plain_number, plain_path, plain_step, plain_text
from hpo.trial import Report, Trial

Ask = Callable[[Sequence[Report]], bool]
"""Sends the new reports of the sweep's metric to whoever judges the trial; whether it is to stop."""


class LiveTrial:
    """A TrialContext that adds to what the trial has gathered; see `TrialContext` for what each method promises.

    `is_stopped` says whether the trial was told to stop. The objective runs inside a `with` of it.
    """

    def __init__(self, trial: Trial, gathered: Gathered, *, metric: str, ask: Ask | None = None) -> None:
        self._trial = trial
        self._gathered = gathered
        self._metric = metric
        self._ask = ask
        self._asking = threading.Lock()  # an objective may report from threads of its own
        self._asked = 0
        self._reported: dict[int, int] = {}
        self._directory: Path | None = None
        self._autolog: ExitStack | None = None
        self.is_stopped = False

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
        """Records an intermediate value of the sweep's metric; raises TrialPruned where the trial is to stop."""
        self._record(self._metric, value, step)
        if self._ask is not None:
            with self._asking:
                self._ask_whether_to_go_on(self._ask)

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

    def log_input(self, path: str | Path, name: str | None = None, context: str = "training") -> None:
        """Takes the digest of a file or folder that the trial reads, and records it when the trial ends."""
        source = Path(path).absolute()
        if not source.exists():
            raise FileNotFoundError(f"log_input: there is no file or folder {source}")
        own = source.resolve().name if name is None else name
        self._gathered.note_input(source, plain_name(own, "data set"), plain_name(context, "context"))

    def set_tag(self, name: str, value: object) -> None:
        """Sets a tag on the trial's run, as text."""
        self._gathered.tags[plain_name(name, "tag")] = plain_text(str(value))

    def autolog(self) -> None:
        """Logs fits of this thread from now on until the objective returns; again it does nothing."""
        if self._autolog is not None:
            return
        from hpo.autolog.mlflow_flavors import mlflow_autologging
        from hpo.autolog.trial_fits import logged_fits  # imports scikit-learn, for those who ask for it

        self._autolog = ExitStack()
        self._autolog.enter_context(mlflow_autologging())
        self._autolog.enter_context(logged_fits(self._gathered, self._metric, lambda: self.dir))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends what runs beside the objective."""
        if self._autolog is not None:
            self._autolog.close()

    def _record(self, metric: str, value: object, step: object) -> None:
        try:
            number = plain_number(value)
        except (TypeError, OverflowError) as error:
            raise type(error)(f"metric {metric!r} {error}") from None
        report = Report(metric, number, plain_step(step), int(time.time() * 1000))
        self._gathered.reports.append(self._in_order(report) if metric == self._metric else report)

    def _in_order(self, report: Report) -> Report:
        """The report, later than any earlier one of its step: the first of a step counts, also when read back."""
        before = self._reported.get(report.step)
        if before is not None and before >= report.timestamp:
            report = replace(report, timestamp=before + 1)
        self._reported[report.step] = report.timestamp
        return report

    def _ask_whether_to_go_on(self, ask: Ask) -> None:
        reports = self._gathered.reports
        new, self._asked = reports[self._asked :], len(reports)
        self.is_stopped = self.is_stopped or ask([report for report in new if report.metric == self._metric])
        if self.is_stopped:
            raise TrialPruned(f"trial {self.number} is stopped by the pruner at step {reports[-1].step}")


def _empty_folder(directory: str) -> Path:
    if not directory:
        raise HpoError("trial.dir: this trial was started without a scratch folder")
    folder = Path(directory)
    if folder.exists():  # left behind by a driver that was killed
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


_: type[TrialContext] = LiveTrial
