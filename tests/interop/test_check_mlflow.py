"""`scripts/check_mlflow.py`: an MLflow of any version against our schema and writer, and that the check can fail."""

import importlib.util
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from trackers.opening import open_store

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_mlflow.py"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "path", [*sys.path])
    spec = importlib.util.spec_from_file_location("check_mlflow", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "check_mlflow", module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ("SELECT 1", ""),
        ("ALTER TABLE params ADD COLUMN colour TEXT", ""),
        ("ALTER TABLE model_versions DROP COLUMN storage_location", "model_versions.storage_location is gone"),
        ("ALTER TABLE runs RENAME COLUMN user_id TO owner", "runs.user_id is gone"),
        ("DROP TABLE input_tags; CREATE TABLE input_tags (input_uuid INT, name TEXT, value TEXT)",
         "input_tags.input_uuid is INTEGER, not VARCHAR(36)"),
    ],
)  # fmt: skip
def test_a_difference_that_matters_is_found(script: Any, tmp_path: Path, change: str, wanted: str) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    open_store(uri, artifacts=str(tmp_path)).close()
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        connection.executescript(change)
    found = "; ".join(script.differences(uri)).replace("is INT,", "is INTEGER,")
    assert found == wanted


def test_what_is_not_the_same_fails_the_report(script: Any, capsys: pytest.CaptureFixture[str]) -> None:
    report = script.Report()
    report.same("one", 1, 1)
    assert report.holds
    report.same("two", 2, 1)
    assert not report.holds
    assert capsys.readouterr().out == "ok    one\nFAIL  two: got 2, not 1\n"


@pytest.mark.slow
@pytest.mark.parametrize("version", ["the newest", "3.9.0", "3.1.4", "2.22.1"])
def test_this_version_of_mlflow_works_with_our_databases(version: str) -> None:
    words = [] if version == "the newest" else ["--version", version]
    done = subprocess.run([sys.executable, str(SCRIPT), *words], capture_output=True, text=True, check=False)
    if done.returncode == 3:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout
    assert done.stdout.count("ok  ") > 15
