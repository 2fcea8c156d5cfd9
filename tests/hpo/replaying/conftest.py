"""Repositories with a sweep in them, whose modules no other test has loaded."""

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import hpo
from hpo.cli.main import main

_NUMBERS = itertools.count()
STORE = "sqlite:///../store/mlflow.db"


class Repository:
    """A git repository with a sweep file `sweep.yaml` and a module, which is the current folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.module = f"train_{os.getpid()}_{next(_NUMBERS)}"

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("MODULE", self.module))

    @property
    def code(self) -> Path:
        return self.folder / f"{self.module}.py"

    def git(self, *arguments: str) -> str:
        names = {f"GIT_{who}_{what}": "me@x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        environment = {**os.environ, **names, "GIT_CONFIG_GLOBAL": os.devnull}
        command = ["git", "-C", str(self.folder), *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    def commit(self) -> None:
        if not (self.folder / ".git").exists():
            self.git("init", "-q")
        self.git("add", ".")
        self.git("commit", "-q", "--allow-empty", "-m", "work")

    def run(self) -> None:
        hpo.run(self.folder / "sweep.yaml", tracker=STORE, overrides=["tracker.artifacts=../store/mlruns"])

    def forget(self) -> None:
        """As a new process: what was imported is imported again."""
        sys.modules.pop(self.module, None)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    for name in ("repository", "store", "cache"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "repository")
    monkeypatch.setenv("HPO_TRACKER", f"sqlite:///{tmp_path}/store/mlflow.db")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    found = Repository(tmp_path / "repository")
    yield found
    found.forget()


@pytest.fixture
def ask() -> Callable[..., Result]:
    """Runs `hpo` with these arguments."""
    return lambda *arguments: CliRunner().invoke(main, list(map(str, arguments)))
