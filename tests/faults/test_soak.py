"""The soak in small: kills change nothing in the total, memory stays. Speed is for `make soak` to judge."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_three_thousand_trials_keep_memory_and_their_total(sweep_folder) -> None:
    """F31, G3: the driver is killed at each tenth of the trials."""
    soak = [sys.executable, str(sweep_folder.root / "scripts" / "soak.py"), "--trials", "3000", "--any-speed"]
    done = subprocess.run(soak, env=sweep_folder.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3000 of 3000 COMPLETE" in done.stdout
