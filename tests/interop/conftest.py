"""The real MLflow, imported once, silent and without network."""

import importlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The mlflow package; its default places (`./mlruns`, `./mlflow.db`) lie in a folder of the session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("MLFLOW_ENABLE_ASYNC_LOGGING", "false")
        patch.setenv("GIT_PYTHON_REFRESH", "quiet")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's own imports warn
            found = importlib.import_module("mlflow")
            for part in ("mlflow.sklearn", "mlflow.pyfunc", "mlflow.models"):
                importlib.import_module(part)
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        home: Path = tmp_path_factory.mktemp("mlflow")
        found.set_tracking_uri(f"sqlite:///{home}/default.db")
        yield found
