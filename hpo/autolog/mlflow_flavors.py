"""Switches MLflow's own autologging on for the libraries that a trial uses and we do not log ourselves."""

import importlib
import importlib.metadata
import importlib.util
import inspect
import logging
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

FLAVORS: Mapping[str, tuple[str, ...]] = {
    "xgboost": ("xgboost",),
    "lightgbm": ("lightgbm",),
    "pytorch": ("lightning", "pytorch_lightning"),
    "keras": ("keras",),
    "tensorflow": ("tensorflow",),
}
"""MLflow's flavors, each with the libraries it is for."""

SKLEARN_LIKE = ("xgboost", "lightgbm")
"""Libraries with estimators that are scikit-learn's by their methods, but no types that a skops file may hold."""

log = logging.getLogger(__name__)

_lock = threading.Lock()
_users: dict[str, int] = {}
_said: set[str] = set()


@contextmanager
def mlflow_autologging() -> Iterator[None]:
    """Inside the block MLflow logs the fits of those of the libraries that are imported, onto the trial's run.

    A flavor that the code has switched on itself stays as it is. Models are not logged: every trial's would be.
    """
    switched = [flavor for flavor in _wanted() if _switch_on(flavor)]
    try:
        yield
    finally:
        for flavor in switched:
            _switch_off(flavor)


def saved_by_mlflow(estimator: object, folder: Path, example: object) -> Path:
    """A folder below `folder` with the model as MLflow saves it in the flavor of its library."""
    library, target = library_of(estimator), folder / "autologged-model"
    models = importlib.import_module("mlflow.models")
    given: dict[str, object] = {}
    if example is not None:
        given["signature"] = models.infer_signature(example, estimator.predict(example))  # type: ignore[attr-defined]
    # as they are here: MLflow would load the model in another process to find out
    packages = [f"{name}=={importlib.metadata.version(name)}" for name in ("mlflow", library, "scikit-learn", "numpy")]
    _module(library).save_model(estimator, str(target), pip_requirements=packages, **given)
    return target


def library_of(estimator: object) -> str:
    """The library an estimator comes from, where that has a flavor of its own in the MLflow that is installed."""
    library = type(estimator).__module__.partition(".")[0]
    return library if library in SKLEARN_LIKE and importlib.util.find_spec("mlflow") else ""


@contextmanager
def mlflow_aside() -> Iterator[None]:
    """Inside the block MLflow logs nothing by itself: predictions and scores that we make are no news to a trial."""
    utils = sys.modules.get("mlflow.utils.autologging_utils")
    if utils is None or getattr(utils, "_AUTOLOGGING_GLOBALLY_DISABLED", False):  # which MLflow would switch on again
        yield
        return
    with utils.disable_autologging():
        yield


def _wanted() -> list[str]:
    """The flavors of what is imported; none, and a word about it, where MLflow cannot log onto the run."""
    found = [flavor for flavor, modules in FLAVORS.items() if any(module in sys.modules for module in modules)]
    if "tensorflow" in found and "keras" in found:  # Keras came of age: up to version 2 it was a part of TensorFlow
        found.remove("keras" if _major("keras") < 3 else "tensorflow")
    why_not = _why_not() if found else ""
    if why_not:
        _say(f"trial.autolog: {', '.join(found)}: {why_not}")
        return []
    return found


def _why_not() -> str:
    if importlib.util.find_spec("mlflow") is None:
        return 'logged by MLflow\'s own autologging, which needs: pip install "tracked-hpo[mlflow]"'
    fluent = sys.modules.get("mlflow.tracking.fluent") or importlib.import_module("mlflow.tracking.fluent")
    if not hasattr(fluent.start_run, "of_trials") or not os.environ.get("MLFLOW_TRACKING_URI"):
        return "not logged: MLflow cannot write to this store"  # it would start runs of its own somewhere else
    return ""


def _say(text: str) -> None:
    if text not in _said:  # once a process, and not once a trial
        _said.add(text)
        log.warning(text)


def _major(library: str) -> int:
    return int(str(getattr(sys.modules[library], "__version__", "3")).partition(".")[0])


def _switch_on(flavor: str) -> bool:
    """Whether it was us; autologging is one switch for the process, so trials in threads share it."""
    with _lock:
        try:
            if not _users.get(flavor) and _is_on(flavor):
                return False
            if not _users.get(flavor):
                autolog = _module(flavor).autolog
                # checkpoints are models of every trial, too
                more = {"checkpoint": False} if "checkpoint" in inspect.signature(autolog).parameters else {}
                autolog(log_models=False, log_datasets=False, silent=True, **more)
        except Exception as error:  # a version that MLflow does not know, for one
            _say(f"trial.autolog: MLflow cannot log {flavor}: {type(error).__name__}: {error}")
            return False
        _users[flavor] = _users.get(flavor, 0) + 1
        return True


def _switch_off(flavor: str) -> None:
    with _lock:
        _users[flavor] -= 1
        if _users[flavor]:
            return
        try:
            _module(flavor).autolog(disable=True, silent=True)
        except Exception as error:
            _say(f"trial.autolog: MLflow goes on logging {flavor}: {type(error).__name__}: {error}")


def _is_on(flavor: str) -> bool:
    utils = importlib.import_module("mlflow.utils.autologging_utils")
    return not utils.autologging_is_disabled(flavor)


def _module(flavor: str) -> ModuleType:
    return importlib.import_module(f"mlflow.{flavor}")
