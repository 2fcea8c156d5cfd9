"""Records of code that somebody made up: looking at them runs nothing and writes nowhere else."""

import io
import json
import os
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest

from hpo.errors import ProvenanceError
from hpo.provenance import git as asking
from hpo.provenance.code import Code, CodeSettings
from hpo.provenance.code_capture import captured_code
from hpo.provenance.code_changes import code_changes
from hpo.provenance.code_record import code_of, unpacked
from hpo.provenance.code_tree import rebuilt, require_no_programs
from hpo.provenance.data_version import data_version
from hpo.provenance.environment import Environment
from hpo.provenance.git import commit_tags

Git = Callable[..., str]
COMMIT = "1" * 40


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """What a program that must not run would make."""
    return tmp_path / "ran"


@pytest.mark.parametrize(
    "settings",
    [
        {"filter.x.clean": "touch {ran}; cat"},
        {"filter.x.process": "touch {ran}; cat"},
        {"remote.origin.url": "ext::sh -c touch% {ran}", "protocol.ext.allow": "always"},
        {"remote.origin.url": ".", "remote.origin.uploadpack": "touch {ran}; false"},
        {"remote.origin.url": "ssh://host/x", "core.sshCommand": "touch {ran}; false"},
    ],
)
def test_comparing_runs_nothing_that_a_repository_of_the_record_says(
    repository: Path, git: Git, marker: Path, settings: dict[str, str]
) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    for name, value in {**settings, "remote.origin.promisor": "true", "extensions.partialClone": "origin"}.items():
        git(repository, "config", name, value.format(ran=marker))
    git(repository, "config", "core.repositoryFormatVersion", "1")
    before = Code(commit=commit, root=str(repository))
    after = replace(before, files={".gitattributes": b"* filter=x\n", "new.py": b"new = 1\n"})

    assert {change.name for change in code_changes(before, after)} == {".gitattributes", "new.py"}
    assert code_changes(before, replace(after, commit=COMMIT))
    assert not marker.exists()
    with pytest.raises(ProvenanceError, match=f"--repository {repository}"):
        require_no_programs(repository)


def test_a_repository_set_up_as_many_are_is_taken_at_its_word(repository: Path, git: Git) -> None:
    for name, value in {
        "filter.lfs.clean": "git-lfs clean -- %f",
        "filter.lfs.process": "git-lfs filter-process",
        "lfs.repositoryformatversion": "0",
        "remote.origin.url": "https://example.com/x.git",
        "submodule.x.url": "https://example.com/y.git",
    }.items():
        git(repository, "config", name, value)

    require_no_programs(repository)


@pytest.mark.parametrize(
    "facts",
    [
        {"commit": "--index-output=/tmp/x"},
        {"commit": "HEAD"},
        {"commit": 1},
        {"root": "somewhere/else"},
        {"root": "/a\0b"},
        {"folder": "../out"},
        {"started_in": "a/../../out"},
        {"submodules": {"../out": COMMIT}},
        {"submodules": {"--upload-pack=x": COMMIT}},
        {"submodules": {"/out": COMMIT}},
        {"submodules": {"inside": "--branch"}},
        {"submodules": []},
        {"executable": "train.py"},
        {"left_out": {"a": 1}},
        {"branch": None},
    ],
)
def test_facts_that_no_capture_has_are_refused(facts: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"code|commit|submodule"):
        code_of(facts)


@pytest.mark.parametrize(
    "path", ["../x", "/x", "a/../../x", ".git/hooks/post-checkout", "a/.GIT/config", "", ".", "a\0"]
)
def test_files_that_lie_elsewhere_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="does not lie inside"):
        code_of({}, files={path: b""})


def test_a_capture_reads_back_as_it_was(repository: Path) -> None:
    (repository / "sub").mkdir()
    (repository / "sub" / "new.py").write_text("x = 1\n")
    code = captured_code(repository / "sub", repository, [], CodeSettings())

    facts = {**asdict(code), "executable": sorted(code.executable)}
    del facts["patch"], facts["files"]
    again = code_of(json.loads(json.dumps(facts)), patch=code.patch, files=code.files)

    assert again == code


@pytest.mark.parametrize(
    "facts",
    [[], {"python": 3}, {"cores": "many"}, {"packages": {"x": None}}, {"packages": []}, {"gpus": [1]}, {"paths": "/"}],
)
def test_an_environment_that_no_capture_has_is_refused(facts: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="environment"):
        Environment.from_json(facts)


@pytest.mark.parametrize("name", ["x" * 300, "train.py/x"])
def test_names_that_cannot_be_written_are_said(repository: Path, git: Git, tmp_path: Path, name: str) -> None:
    code = Code(commit=git(repository, "rev-parse", "HEAD"), root=str(repository), files={name: b""})

    with pytest.raises(ProvenanceError, match="cannot be written"), rebuilt(code, tmp_path / "tree"):
        pass


def test_a_command_to_copy_is_quoted(tmp_path: Path) -> None:
    code = Code(commit=COMMIT, root=str(tmp_path / "gone"), remote="https://x/y.git; rm -rf ~")

    with (
        pytest.raises(ProvenanceError, match=r"git clone 'https://x/y\.git; rm -rf ~'"),
        rebuilt(code, tmp_path / "tree"),
    ):
        pass


def test_the_sweeps_folder_does_not_lead_out_by_a_link(repository: Path, git: Git, tmp_path: Path) -> None:
    (repository / "link").symlink_to(tmp_path)
    git(repository, "add", "link")
    git(repository, "commit", "-qm", "link")
    code = Code(commit=git(repository, "rev-parse", "HEAD"), root=str(repository), folder="link/made")

    with pytest.raises(ProvenanceError, match="leads out"), rebuilt(code, tmp_path / "tree"):
        pass
    assert not (tmp_path / "made").exists()


def test_pipes_among_the_files_are_not_waited_for(repository: Path) -> None:
    (repository / "new").mkdir()
    for name in ("new/pipe.py", "new/program"):
        os.mkfifo(repository / name)
        (repository / name).chmod(0o755)
    (repository / "train.py").unlink()
    os.mkfifo(repository / "train.py")
    (repository / "new" / "a.py").write_text("a = 1\n")
    found: list[Code] = []

    thread = threading.Thread(
        target=lambda: found.append(captured_code(repository, repository, [], CodeSettings())), daemon=True
    )
    thread.start()
    thread.join(30)

    assert found, "it waits for a pipe"
    assert list(found[0].files) == ["new/a.py"]
    assert found[0].left_out["new/pipe.py"] == "it is no file"


def test_what_git_started_ends_with_it(repository: Path, git: Git) -> None:
    git(repository, "config", "filter.slow.clean", "sleep 1000.25")
    (repository / ".gitattributes").write_text("* filter=slow\n")
    (repository / "train.py").write_text("RATE = 22\n")

    with pytest.raises(asking.GitFailed, match="took more than"):
        asking.run_git(repository, "diff", "HEAD", seconds=0.5)
    deadline = time.monotonic() + 10
    while (left := _sleeping()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left


def _sleeping() -> list[psutil.Process]:
    return [each for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"] == ["sleep", "1000.25"]]


def test_a_file_whose_name_is_a_secret_is_left_out(repository: Path) -> None:
    (repository / "AKIAABCDEFGHIJKLMNOP.py").write_text("x = 1\n")

    assert not captured_code(repository, repository, [], CodeSettings()).files


def bomb() -> bytes:
    """100 MB in 100 kB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.py", bytes(100 << 20))
    return buffer.getvalue()


def test_an_archive_that_is_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(ValueError, match="holds more than"):
        unpacked(bomb())


def test_a_branch_and_a_remote_with_a_key_in_them_are_tags_without_it() -> None:
    tags = commit_tags(COMMIT, "try-AKIAABCDEFGHIJKLMNOP", "https://x/r.git?token=abc&b=1", dirty=False)

    assert tags["mlflow.source.git.branch"] == "try-***"
    assert tags["mlflow.source.git.repoURL"] == "https://x/r.git?token=***&b=1"
    assert tags["mlflow.source.git.commit"] == COMMIT


def test_data_that_look_like_a_repository_run_nothing(repository: Path, git: Git, marker: Path) -> None:
    data = repository / "data"
    git(repository, "clone", "--quiet", "--bare", str(repository), str(data))
    (data / "train.py").write_text("RATE = 2\n\n")
    (data / "info" / "attributes").write_text("* filter=x\n")
    for name, value in {
        "core.bare": "false",
        "core.worktree": str(data),
        "filter.x.clean": f"touch {marker}; cat",
    }.items():
        git(repository, "config", "--file", str(data / "config"), name, value)
    git(data, "--git-dir", str(data), "read-tree", "HEAD")

    assert data_version(data / "train.py") == ""
    assert not marker.exists()
