"""What a running trial has made so far: reports, tags, files, and models that wait for the trial's value."""

import inspect
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hpo.errors import HpoError
from hpo.objective import TrialFiles
from hpo.trial import Report, SavedFile, SavedModel, Trial


class SaveFailed(HpoError):
    """A file or a model of the trial could not be saved; the cause says why."""


@dataclass(frozen=True)
class OfferedModel:
    """A model, or a function that makes it, not yet written."""

    model: object
    input_example: object


class Gathered:
    """The makings of one Outcome."""

    def __init__(self, trial: Trial, files: TrialFiles | None) -> None:
        self._trial = trial
        self._files = files
        self.reports: list[Report] = []
        self.tags: dict[str, str] = {}
        self.offered: dict[str, OfferedModel] = {}
        self.files: dict[str, SavedFile] = {}
        self.models: dict[str, SavedModel] = {}

    def save_file(self, source: Path, name: str) -> None:
        """Saves a file or a folder now; SaveFailed where that cannot be done."""
        files = self._store(name)
        try:
            saved = files.save_file(self._trial.artifact_uri, source, name)
        except Exception as error:
            raise SaveFailed(f"cannot save {name!r}: {type(error).__name__}: {error}") from error
        self._add_files(saved)

    def save_models(self) -> None:
        """Makes and saves the offered models; what a maker raises passes through, SaveFailed where saving fails."""
        for name, offered in self.offered.items():
            files = self._store(name)
            model = made(offered.model)
            try:
                saved_model, saved_files = files.save_model(
                    self._trial.artifact_uri,
                    model,
                    name=name,
                    run_id=self._trial.run_id,
                    input_example=offered.input_example,
                )
            except Exception as error:
                raise SaveFailed(f"cannot save model {name!r}: {type(error).__name__}: {error}") from error
            self.models[name] = saved_model
            self._add_files(saved_files)

    def _store(self, name: str) -> TrialFiles:
        if self._files is None:
            raise SaveFailed(f"cannot save {name!r}: this sweep was started without a place for artifacts")
        return self._files

    def _add_files(self, saved: list[SavedFile]) -> None:
        self.files.update({file.path: file for file in saved})


def made(model: object) -> object:
    """The model itself, or what a plain function returns; a callable object (a torch module) is a model."""
    if not (inspect.isroutine(model) or isinstance(model, partial)):
        return model
    fitted = model()
    if fitted is None:
        raise TypeError("the function given to log_model returned None instead of a fitted model")
    return fitted
