"""`hpo doctor`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hpo.cli.main import main

Ask = Callable[..., Result]


def test_doctor_finds_a_healthy_place_healthy(ask: Ask) -> None:
    findings = json.loads(ask("doctor", "-f", "json").stdout)
    states = {finding["check"]: finding["state"] for finding in findings}
    assert {"python", "optuna", "hyperopt", "git", "store", "store schema", "artifacts"} <= set(states)
    assert "fail" not in states.values()
    assert any(line.startswith("ok    store schema: MLflow's revision") for line in ask("doctor").stdout.splitlines())


def test_doctor_fails_with_the_remedy_where_the_store_is_none(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("not a database, but a text long enough to be read as one" * 10)
    result = CliRunner().invoke(main, ["doctor", "--tracker", f"sqlite:///{tmp_path}/x.db"])
    assert result.exit_code == 1
    line = next(line for line in result.stdout.splitlines() if line.startswith("fail"))
    assert "is not a SQLite database" in line
    assert line.endswith("name another one with --tracker, or restore a backup")


def test_doctor_before_the_first_sweep_is_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["doctor", "--tracker", "sqlite:///mlflow.db"])
    assert result.exit_code == 0
    assert "ok    store: none yet at sqlite:///mlflow.db; hpo run makes it" in result.stdout
    assert not list(tmp_path.iterdir())
