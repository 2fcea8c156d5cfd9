"""Folders that a killed process leaves in the temporary one."""

import os
import signal
import tempfile
import time
from pathlib import Path

import pytest

from hpo.scratch import abandoned
from trackers.artifacts import ArtifactFolder


def test_what_is_left_of_a_save_that_was_killed_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("trackers.artifacts.folder.adopt_folder", lambda *args, **facts: os.kill(os.getpid(), 9))
    child = os.fork()
    if child == 0:
        ArtifactFolder().save_model(f"{tmp_path}/run", tmp_path / "model", name="model", run_id="a" * 32)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL

    left = [path for path in tmp_path.iterdir() if path.name != "run"]

    assert len(left) == 1
    assert abandoned(tmp_path) == []
    assert abandoned(tmp_path, now=time.time() + 7200) == left
