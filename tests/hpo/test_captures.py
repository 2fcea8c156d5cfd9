"""What a sweep keeps of its code and environment, what it says when that changes, and what never gets there."""

import io
import itertools
import logging
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from hpo.build import parts_of
from hpo.captures import CAPTURE_TAG, COMMAND_TAG, Capture, capture_of, changes, files_of, new_capture
from hpo.capturing import described, masked_command, take_capture
from hpo.config.reading import read_sweep
from hpo.errors import ProvenanceError
from hpo.masking import Secrets
from hpo.provenance.changed import Changed
from hpo.provenance.code import Code
from hpo.provenance.code_tree import rebuilt
from hpo.provenance.environment import Environment
from hpo.search import resume, run
from trackers.artifacts import ArtifactFolder
from trackers.opening import open_store
from trackers.records import Query, Run, RunUpdated

NUMBERS = itertools.count()
SWEEP = """\
name: captured
metric: {{name: loss}}
objective: {{python: "{module}:objective"}}
parameters: {{x: {{type: float, low: 0, high: 1}}}}
engine: {{name: optuna, sampler: random}}
budget: {{n_trials: 2}}
parallel: {{backend: serial}}
"""
OBJECTIVE = "RATE = 1\n\n\ndef objective(params, trial):\n    return params['x']\n"
OFF = "capture: {code: false, diff: false, environment: false}\n"
URI = "sqlite:///mlflow.db"


def git(*arguments: str) -> str:
    author = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", "-c", "init.defaultBranch=main")
    return subprocess.run(["git", *author, *arguments], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of an objective's module in the current folder, with a sweep file for it; Python has not seen it yet."""
    name = f"captured_objective_{next(NUMBERS)}"
    Path(tmp_path, f"{name}.py").write_text(OBJECTIVE)
    Path(tmp_path, "sweep.yaml").write_text(SWEEP.format(module=name))
    Path(tmp_path, ".gitignore").write_text("mlflow.db*\nmlruns/\n__pycache__/\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/hpo", "run", "sweep.yaml"])
    before = list(sys.path)
    yield name
    sys.path[:] = before
    sys.modules.pop(name, None)


@pytest.fixture
def repository(module: str) -> str:
    """The same, committed."""
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message=one")
    return module


def trials_of(run_id: str) -> list[tuple[int, str | None]]:
    """The number of each trial, and the capture that its run names."""
    with open_store(URI, read_only=True) as store:
        runs = store.tracker.find(Query(parent=run_id))
        return [(run.trial.number, run.tags.get(CAPTURE_TAG)) for run in runs if run.trial]


def read_back(run_id: str, number: int | None = None) -> tuple[Run, Capture | None]:
    with open_store(URI, read_only=True) as store:
        parent, runs = store.tracker.get(run_id), store.tracker.find(Query(parent=run_id))
        trial = next((run for run in runs if run.trial and run.trial.number == number), None)
        return parent, capture_of(store.tracker, parent, trial)


def kept_files(folder: Path) -> Mapping[str, bytes]:
    """Every file on record, and what archives hold."""
    found = {}
    for path in folder.rglob("mlruns/**/*"):
        if path.is_file():
            found[path.name] = path.read_bytes()
            if path.suffix == ".zip":
                with zipfile.ZipFile(path) as archive:
                    found |= {f"{path.name}/{name}": archive.read(name) for name in archive.namelist()}
    return found


def test_a_sweep_keeps_what_it_ran_with(repository: str, tmp_path: Path) -> None:
    Path(f"{repository}.py").write_text(OBJECTIVE.replace("RATE = 1", "RATE = 2"))
    Path("extra.py").write_text("x = 1\n")
    Path("extra.sh").write_text("#!/bin/sh\n")
    Path("extra.sh").chmod(0o755)
    result = run("sweep.yaml", overrides=["budget.n_trials=1"])
    parent, capture = read_back(result.run_id)
    assert capture is not None
    assert parent.tags[CAPTURE_TAG] == capture.key
    assert parent.tags[COMMAND_TAG] == "hpo run sweep.yaml"
    assert parent.tags["mlflow.source.git.commit"] == capture.code.commit == git("rev-parse", "HEAD")
    assert parent.tags["hpo.git.dirty"] == "true"
    assert capture.environment.packages["numpy"]
    assert trials_of(result.run_id) == [(0, None)]
    with rebuilt(capture.code, tmp_path / "again") as folder:
        assert (folder / f"{repository}.py").read_text() == Path(f"{repository}.py").read_text()
        assert (folder / "extra.py").read_text() == "x = 1\n"
        assert (folder / "extra.sh").stat().st_mode & 0o111
    files = kept_files(tmp_path)
    assert "n_trials: 1" in files["expanded.yaml"].decode()
    assert "n_trials: 2" in files["sweep.yaml"].decode()
    assert b"numpy==" in files["requirements.txt"]


def test_going_on_with_other_code_is_said_and_marked(repository: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "hpo")
    first = run("sweep.yaml")
    run("sweep.yaml", overrides=["budget.n_trials=3"])
    assert "this sweep began" not in caplog.text
    Path(f"{repository}.py").write_text(OBJECTIVE.replace("RATE = 1", "RATE = 2\nMORE = 1"))
    run("sweep.yaml", overrides=["budget.n_trials=4"])
    parent, capture = read_back(first.run_id, 3)
    assert capture is not None
    expected = f"code: {repository}.py (+2 -1); trials from 3 on carry capture {capture.key}"
    assert f"not as when this sweep began: {expected}" in caplog.text
    assert b"+MORE = 1" in capture.code.patch
    caplog.clear()
    Path(f"{repository}.py").write_text(OBJECTIVE)
    run("sweep.yaml", overrides=["budget.n_trials=5"])  # as it began
    assert "this sweep began" not in caplog.text
    original = parent.tags[CAPTURE_TAG]
    assert trials_of(first.run_id) == [(0, None), (1, None), (2, None), (3, capture.key), (4, original)]
    assert read_back(first.run_id, 0)[1] == read_back(first.run_id, 4)[1]


def test_committing_what_was_edited_is_no_change(repository: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "hpo")
    Path(f"{repository}.py").write_text(OBJECTIVE.replace("RATE = 1", "RATE = 2"))
    result = run("sweep.yaml")
    git("commit", "--quiet", "--all", "--message=two")
    resume(more=1)
    assert "this sweep began" not in caplog.text
    assert trials_of(result.run_id) == [(0, None), (1, None), (2, None)]


def test_nothing_is_captured_where_the_file_asks_for_nothing(repository: str, tmp_path: Path) -> None:
    Path("sweep.yaml").write_text(SWEEP.format(module=repository) + OFF)
    result = run("sweep.yaml")
    parent, capture = read_back(result.run_id)
    assert capture is None
    assert CAPTURE_TAG not in parent.tags
    assert parent.tags["mlflow.source.git.commit"] == git("rev-parse", "HEAD")
    assert sorted(kept_files(tmp_path)) == ["expanded.yaml", "sweep.yaml"]


def test_trials_that_go_on_without_capture_do_not_pass_for_the_first_ones(repository: str) -> None:
    result = run("sweep.yaml")
    Path("sweep.yaml").write_text(SWEEP.format(module=repository) + OFF)
    run("sweep.yaml", overrides=["budget.n_trials=3"])
    assert trials_of(result.run_id) == [(0, None), (1, None), (2, "none")]
    assert read_back(result.run_id, 1)[1] is not None
    assert read_back(result.run_id, 2)[1] is None


def test_no_planted_secret_is_on_record(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hpo")
    monkeypatch.setenv("TEAM_API_TOKEN", "gibberish-of-the-team")
    monkeypatch.setenv("NAMED", "gibberish-that-is-named")
    monkeypatch.setattr(
        sys, "argv", ["hpo", "run", "sweep.yaml", "-S", "tags.api_key=gibberish-in-argv", "gibberish-that-is-named"]
    )
    sweep = SWEEP.format(module=module).replace("objective: {", "objective: {secret_env: [NAMED], ")
    Path("sweep.yaml").write_text(sweep)
    planted = {
        "helper_a.py": "a = 'gibberish-of-the-team'\n",
        "helper_b.py": "b = 'gibberish-that-is-named'\n",
        "helper_c.py": "API_KEY = 'gibberish-assigned'\n",
        ".env": "HARMLESS=gibberish-in-env\n",
    }
    Path(f"{module}.py").write_text("import helper_a, helper_b, helper_c\n" + OBJECTIVE)
    for name, text in planted.items():
        Path(name).write_text(text)
    without_git = run("sweep.yaml").run_id
    Path("mlflow.db").rename("first.db")
    git("init", "--quiet")
    git("remote", "add", "origin", "https://me:gibberish-in-the-remote@example.com/x.git")
    git("add", f"{module}.py", "helper_c.py")
    git("commit", "--quiet", "--message=one")
    Path("helper_c.py").write_text("API_KEY = 'gibberish-assigned-too'\n")
    with_git = run("sweep.yaml").run_id
    assert without_git != with_git
    kept = kept_files(tmp_path)
    assert {"files.zip", f"files.zip/{module}.py", "capture.json"} <= set(kept)
    for place, content in {
        **kept,
        "first": Path("first.db").read_bytes(),
        "db": Path("mlflow.db").read_bytes(),
    }.items():
        assert b"gibberish" not in content, place
    for name in ("helper_a.py", "helper_b.py", "helper_c.py", ".env"):
        assert f"{name} (it " in caplog.text
    assert "gibberish" not in caplog.text
    for name in ("helper_a", "helper_b", "helper_c"):
        sys.modules.pop(name, None)


def test_a_capture_that_was_altered_or_lost_is_refused(module: str, tmp_path: Path) -> None:
    result = run("sweep.yaml")
    parent, capture = read_back(result.run_id)
    assert capture is not None
    lock = next(tmp_path.rglob("mlruns/**/requirements.txt"))
    lock.write_text(lock.read_text() + "evil==6.6.6\n")
    with pytest.raises(ProvenanceError, match=r"requirements\.txt of 'captured' was altered"):
        read_back(result.run_id)
    ArtifactFolder().delete(parent.artifact_uri, [f"capture/{capture.key}/requirements.txt"])
    with pytest.raises(ProvenanceError, match="on record, but not there"):
        read_back(result.run_id)


def test_a_capture_that_a_kill_kept_from_being_written_is_written_when_the_sweep_goes_on(module: str) -> None:
    first = run("sweep.yaml")
    with open_store(URI) as store:
        store.tracker.record([RunUpdated(first.run_id, removed_artifacts=["capture/"])])
    with pytest.raises(ProvenanceError, match="named on record, but its files are not there"):
        read_back(first.run_id)
    resume(more=1)
    assert read_back(first.run_id)[1] is not None
    assert trials_of(first.run_id) == [(0, None), (1, None), (2, None)]


def test_a_repository_that_git_refuses_is_said(module: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "hpo")
    git("init", "--quiet")
    Path(".git/config").write_text("[core]\n repositoryformatversion = 99\n")
    result = run("sweep.yaml", overrides=["budget.n_trials=1"])
    assert "the code is kept as the files that were loaded, without git: " in caplog.text
    capture = read_back(result.run_id)[1]
    assert capture is not None
    assert list(capture.code.files) == [f"{module}.py"]


def test_programs_and_modules_that_the_sweep_file_names_are_captured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("package/__init__.py", "package/train.py", "package/model.py", "judge_of_models.py", "go.py"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("def test(model):\n    return 1.0\n")
    Path("package/train.py").write_text("from package import model\n")
    Path("run").write_text("#!/bin/sh\n")
    Path("run").chmod(0o755)
    Path("data.csv").write_text("1\n")
    for command, found in {
        "[python, -m, package.train, data.csv]": {"package/__init__.py", "package/model.py", "package/train.py"},
        "['./run', '{sweep_dir}/go.py', '--x={x}']": {"run", "go.py"},
    }.items():
        Path("sweep.yaml").write_text(
            SWEEP.replace('{{python: "{module}:objective"}}', f"{{command: {command}, model: model}}")
            .replace("{{", "{")
            .replace("}}", "}")
            + "register: {name: m, test: 'judge_of_models:test'}\n"
        )
        monkeypatch.setattr(sys, "path", list(sys.path))
        capture = take_capture(parts_of(read_sweep(Path("sweep.yaml")), tmp_path), tmp_path, ["hpo"], {})
        assert capture is not None
        assert set(capture.code.files) == found | {"judge_of_models.py"}
    sys.modules.pop("judge_of_models", None)


def test_captures_are_the_same_files_for_the_same_content() -> None:
    code = Code(commit="a" * 40, patch=b"x", files={"b.py": b"1", "a.py": b"2"}, root="/one", branch="main")
    environment = Environment(python="3.11.7", packages={"numpy": "2.0"}, memory=1)
    first = new_capture(code, environment, ["hpo"])
    again = new_capture(replace(code, files={"a.py": b"2", "b.py": b"1"}), environment, ["hpo"])
    assert files_of(first, Secrets()) == files_of(again, Secrets())
    elsewhere = new_capture(replace(code, root="/two", branch="x"), replace(environment, memory=2), ["other"])
    assert elsewhere.key == first.key
    for other in (replace(code, patch=b"y"), replace(code, files={}), replace(code, commit="b" * 40)):
        assert new_capture(other, environment, ["hpo"]).key != first.key
    assert new_capture(code, replace(environment, packages={"numpy": "2.1"}), ["hpo"]).key != first.key
    with zipfile.ZipFile(io.BytesIO(files_of(first, Secrets())["files.zip"])) as archive:
        assert archive.namelist() == ["a.py", "b.py"]


def test_changes_name_code_before_packages_before_hardware() -> None:
    before = Environment(python="3.11.7", packages={"numpy": "2.0"}, cpu="one")
    after = Environment(python="3.11.7", packages={"numpy": "2.1"}, cpu="two")
    first = new_capture(Code(files={"a.py": b"x = 1\n"}), before, [])
    second = new_capture(Code(files={"a.py": b"x = 2\n"}), after, [])
    assert [(c.what, c.name) for c in changes(first, second)] == [
        ("code", "a.py"), ("package", "numpy"), ("hardware", "cpu"),
    ]  # fmt: skip
    off = new_capture(Code(without="capture: {code: false}"), Environment(), [])
    assert not changes(first, off)


def test_what_changed_is_said_on_one_line() -> None:
    files = [Changed("code", f"f{number}.py", "", "", "--- a\n+++ b\n@@ -1 +1 @@\n-a\n+b\n") for number in range(7)]
    packages = [Changed("package", "numpy", "1.26", "2.0"), Changed("package", "old", "1.0", "")]
    assert described([*files, *packages]) == (
        "code: f0.py (+1 -1), f1.py (+1 -1), f2.py (+1 -1), f3.py (+1 -1), f4.py (+1 -1) and 2 more; "
        "package numpy: 1.26 -> 2.0; package old: 1.0 -> nothing"
    )
    assert described([Changed("code", "commit", "aaa", "bbb")]) == "code: commit (aaa -> bbb)"


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["/x/bin/hpo", "run", "a.yaml"], ["hpo", "run", "a.yaml"]),
        (["/x/hpo/__main__.py", "ls"], ["python", "-m", "hpo", "ls"]),
        (["search.py", "-S", "tags.db_password=hunter2"], ["search.py", "-S", "tags.db_password=***"]),
        (["hpo", "--tracker", "postgresql://me:pw@h/d"], ["hpo", "--tracker", "postgresql://me:***@h/d"]),
        (["hpo", "known"], ["hpo", "***"]),
        (["train.py", "--api-key", "hunter2", "--seed", "3"], ["train.py", "--api-key", "***", "--seed", "3"]),
        (["train.py", "--use-token", "--password", "--x"], ["train.py", "--use-token", "--password", "--x"]),
        ([], []),
    ],
)  # fmt: skip
def test_command_lines_are_kept_without_secrets_and_folders(argv: list[str], shown: list[str]) -> None:
    assert masked_command(argv, Secrets(values=frozenset({"known"}))) == shown
