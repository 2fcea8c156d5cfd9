"""A cluster that is made in a process of its own: given up at once where nobody wants it any more."""

import time
from pathlib import Path

import pytest

from hpo.errors import ClusterUnavailable
from hpo.executors.remote.placement_process import PlacementProcess
from hpo.processes.slot_processes import is_alive

MAKING = """
import pathlib, subprocess, time
class NeverMade:
    def __init__(self, pid):
        daemon = subprocess.Popen(["sleep", "600"], start_new_session=True)
        half = pathlib.Path(pid + ".half")
        half.write_text(str(daemon.pid))
        half.rename(pid)
        time.sleep(600)
"""


def test_a_cluster_in_the_making_that_nobody_wants_any_more_is_given_up_with_all_it_has_started(
    tmp_path: Path,
) -> None:
    (tmp_path / "never_made.py").write_text(MAKING)
    pid = tmp_path / "pid"
    began = time.monotonic()
    placement = PlacementProcess(
        "never_made:NeverMade", {"pid": str(pid)}, [str(tmp_path)], seconds=600, is_over=pid.exists
    )

    assert time.monotonic() - began < 300
    assert not is_alive(int(pid.read_text()))
    assert placement.address == "127.0.0.1"
    with pytest.raises(ClusterUnavailable, match="the sweep has ended"):
        placement.place("errand", 1)
    assert placement.ended() == []
    placement.close()


def test_where_somebody_wants_an_end_already_no_cluster_is_begun(tmp_path: Path) -> None:
    placement = PlacementProcess("never_made:NeverMade", {}, [str(tmp_path)], is_over=lambda: True)

    assert placement.ended() == []
    placement.close()
