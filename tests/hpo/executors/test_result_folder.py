"""What of results is written beside the store."""

import resource
from pathlib import Path

from hpo.executors.result_folder import ResultFolder
from hpo.trial import Outcome, State


def test_a_disk_that_fills_up_keeps_no_half_result(tmp_path: Path) -> None:
    results = ResultFolder(tmp_path, worth_saving=0.0)
    outcome = Outcome(1, 1, State.FAILED, error="e" * 100_000, seconds=1.0)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))  # no file grows beyond it, as on a full disk
    try:
        results.save(outcome)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert list(tmp_path.iterdir()) == []
    results.save(outcome)
    assert [path.name for path in tmp_path.iterdir()] == ["1-1.json"]
