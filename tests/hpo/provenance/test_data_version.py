"""The version of data as DVC and git have it."""

import subprocess
from pathlib import Path

import pytest

from hpo.provenance.data_version import data_version

MD5 = "a304afb96060aad90176268345e10355"


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"]
    done = subprocess.run(["git", "-C", folder, *who, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "data").mkdir(parents=True)
    git(folder, "init", "-q")
    (folder / "data" / "a*.csv").write_text("x\n1\n")
    (folder / ".gitignore").write_text("*.tmp\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "data")
    return folder


def test_what_git_has_unchanged_is_named_by_commit_and_path(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert data_version(repository / "data" / "a*.csv") == f"git:{commit}:data/a*.csv"
    assert data_version(repository / "data") == f"git:{commit}:data"
    assert git(repository, "show", f"{commit}:data/a*.csv") == "x\n1"


def test_what_differs_from_the_commit_or_is_not_in_it_has_no_version(repository: Path) -> None:
    (repository / "data" / "new.csv").write_text("x\n")
    (repository / "data" / "b.tmp").write_text("x\n")
    assert [data_version(repository / "data" / name) for name in ("new.csv", "b.tmp", "")] == ["", "", ""]
    (repository / "data" / "new.csv").unlink()
    assert data_version(repository / "data") == ""  # an ignored file lies in it

    (repository / "data" / "a*.csv").write_text("x\n2\n")
    assert data_version(repository / "data" / "a*.csv") == ""


def test_what_nobody_versions_has_no_version(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("x\n")
    assert data_version(tmp_path / "train.csv") == ""


def test_a_dvc_file_beside_it_says_the_version(repository: Path) -> None:
    data = repository / "data" / "train.csv"
    data.write_text("x\n")
    Path(f"{data}.dvc").write_text(f"outs:\n- md5: {MD5}\n  size: 2\n  hash: md5\n  path: train.csv\n")
    assert data_version(data) == f"dvc:{MD5}"


def test_a_dvc_lock_says_the_version_of_a_folder_and_of_what_lies_in_it(repository: Path) -> None:
    (repository / "data" / "prepared").mkdir()
    (repository / "data" / "prepared" / "train.csv").write_text("x\n")
    lock = (
        f"schema: '2.0'\nstages:\n  prepare:\n    cmd: x\n    outs:\n    - path: data/prepared\n      md5: {MD5}.dir\n"
    )
    (repository / "dvc.lock").write_text(lock)
    assert data_version(repository / "data" / "prepared") == f"dvc:{MD5}.dir"
    assert data_version(repository / "data" / "prepared" / "train.csv") == f"dvc:{MD5}.dir/train.csv"


@pytest.mark.parametrize("text", ["", "outs: [", "outs: 7", "- 1", "outs:\n- path: other.csv\n  md5: aa\n", "\udc80"])
def test_a_dvc_file_that_says_nothing_of_it_is_no_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "train.csv").write_text("x\n")
    (tmp_path / "train.csv.dvc").write_text(text, errors="surrogateescape")
    assert data_version(tmp_path / "train.csv") == ""
