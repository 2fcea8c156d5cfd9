"""Small months of invented trips, prepared once for all tests of the pipeline."""

import subprocess
import sys
from pathlib import Path

import pytest

from hpo.pipeline import preprocess

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("green")
    script = [sys.executable, ROOT / "scripts" / "make_taxi_data.py", "--dest", folder, "--rows", "600"]
    subprocess.run(script, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def data(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared folder; tests that change it copy it first."""
    return preprocess(raw, tmp_path_factory.mktemp("prepared")).folder
