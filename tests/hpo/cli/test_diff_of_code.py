"""`hpo diff` of sweeps that ran code of a git repository, with edits between them."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hpo.cli.main import main

Ask = Callable[..., Result]
SWEEP = """version: 1
name: one
metric: {name: loss}
objective: {command: [sh, train.sh], metrics: {stdout: json}}
parameters: {x: [1]}
engine: {name: optuna, sampler: grid}
budget: {n_trials: 1}
parallel: {n_jobs: 1, backend: serial}
tracker: {uri: "sqlite:///mlflow.db"}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which sweep `one` ran as committed, and `two` after an edit that nobody committed."""
    folder = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("GIT_CONFIG_GLOBAL", os.devnull), ("GIT_CONFIG_NOSYSTEM", "1")):
            patch.setenv(name, value)
        patch.chdir(folder)
        Path("train.sh").write_text("# trains\necho '{\"loss\": 1}'\n")
        Path("sweep.yaml").write_text(SWEEP)
        Path(".gitignore").write_text("mlflow.db*\nmlruns/\n")
        who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
        for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=one"]):
            subprocess.run(["git", *who, *arguments], check=True)
        assert CliRunner().invoke(main, ["run", "sweep.yaml"]).exit_code == 0
        Path("train.sh").write_text("# trains\necho '{\"loss\": 2}'\n")
        done = CliRunner().invoke(main, ["run", "sweep.yaml", "-S", "name=two"])
        assert done.exit_code == 0, done.stderr
        Path("train.sh").unlink()
    return folder


@pytest.fixture
def ask_there(place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ask:
    """Runs `hpo` elsewhere, on that store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HPO_TRACKER", f"sqlite:///{place}/mlflow.db")
    return lambda *args: CliRunner().invoke(main, list(args))


def test_an_uncommitted_edit_is_shown_line_by_line(ask_there: Ask) -> None:
    done = ask_there("diff", "one#0", "two#0")
    assert done.exit_code == 0, done.stderr
    assert "code: differs\n  train.sh  +1 -1\n" in done.stdout
    assert "\n-echo '{\"loss\": 1}'\n+echo '{\"loss\": 2}'\n" in done.stdout
    assert "environment: the same (Python " in done.stdout
    found = json.loads(ask_there("diff", "one#0", "two#0", "-f", "json").stdout)
    assert [change["name"] for change in found["code"]["changes"]] == ["train.sh"]
    assert "+echo '{\"loss\": 2}'" in found["code"]["diff"]


def test_with_stat_only_the_files_are_named(ask_there: Ask) -> None:
    text = ask_there("diff", "one", "two", "--stat").stdout
    assert "train.sh  +1 -1" in text
    assert "echo" not in text


def test_compare_says_that_the_code_is_not_the_same(ask_there: Ask) -> None:
    done = ask_there("compare", "one", "two", "-f", "json")
    found = json.loads(done.stdout)
    assert found["same_code"] is False
    first, second = (sweep["code"] for sweep in found["sweeps"])
    assert second.startswith(f"{first}+")
    assert "different code" in done.stderr


def test_without_the_repository_edits_are_compared_and_a_clone_shows_the_lines(
    place: Path, ask_there: Ask, tmp_path: Path
) -> None:
    kept = tmp_path / "elsewhere" / ".git"
    kept.parent.mkdir()
    (place / ".git").rename(kept)
    try:
        alone = ask_there("diff", "one#0", "two#0").stdout
        with_clone = ask_there("diff", "one#0", "two#0", "--repository", str(kept.parent)).stdout
    finally:
        kept.rename(place / ".git")
    assert "code: differs\n  train.sh" in alone
    assert "\n-echo '{\"loss\": 1}'" not in alone  # the lines as committed are not here
    assert "\n-echo '{\"loss\": 1}'\n+echo '{\"loss\": 2}'\n" in with_clone
