"""What the tests of the driver share: a bench for sweeps."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the folder is no package: pytest imports its files one by one

from sweep_bench import Bench

sys.path.remove(str(Path(__file__).parent))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A sweep by one metric, `loss`, that has no trials yet."""
    return Bench(tmp_path)
