"""Real git repositories for the tests of captured code."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """Runs git in a folder of this test, with no configuration but its own."""
    home = tmp_path / "home"
    home.mkdir()
    config = home / ".gitconfig"
    config.write_text(
        "[user]\n name = Somebody\n email = somebody@example.com\n[init]\n defaultBranch = main\n"
        '[protocol "file"]\n allow = always\n'
    )
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")

    def run(folder: Path, *arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    return run


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository that tests get a copy of."""
    root = tmp_path_factory.mktemp("template") / "work"
    root.mkdir()
    (root / "train.py").write_text("import model\n\nRATE = 1\n\n\ndef run(params):\n    return model.loss(params)\n")
    (root / "model.py").write_text("def loss(params):\n    return 1.0\n")
    (root / "old.py").write_text("OLD = 1\n")
    (root / "run.sh").write_text("#!/bin/sh\necho hi\n")
    (root / ".gitignore").write_text("*.log\nignored.py\nmlruns/\n")
    author = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.environ["PATH"]}
    for arguments in (
        ("init", "--quiet", "--template=", "--initial-branch=main"),
        ("add", "--all"),
        ("commit", "--quiet", "--message=one"),
    ):
        subprocess.run(["git", "-C", str(root), *author, *arguments], env=own, check=True)
    return root


@pytest.fixture
def repository(template: Path, tmp_path: Path, git: Git) -> Path:
    """A repository with one commit of a program and what it needs."""
    root = tmp_path / "work"
    shutil.copytree(template, root)
    git(root, "update-index", "--refresh")
    return root
