"""Small months of invented trips, prepared once for all tests of the pipeline, and the scripts as modules."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from hpo.pipeline.preprocessing import preprocess

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"


@pytest.fixture(scope="session")
def script() -> Callable[[str], ModuleType]:
    """Imports a script by its name."""
    return load


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("green")
    make = load("make_taxi_data")
    for month in make.MONTHS:
        make.write_month(folder / f"green_tripdata_{month}.parquet", month, rows=600, seed=0)
    return folder


@pytest.fixture(scope="session")
def data(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared folder; tests that change it copy it first."""
    return preprocess(raw, tmp_path_factory.mktemp("prepared")).folder


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"taxi_script_{name}", SCRIPTS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
