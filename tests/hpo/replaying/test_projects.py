"""A trial as a folder that replays it without store and repository, by hpo and by MLflow."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Ask = Callable[..., Result]
Repository = Any
"""As conftest makes it."""

OBJECTIVE = """
import random

def objective(params, trial):
    return params["x"] * random.Random(trial.seed).random()
"""
SWEEP = """
version: 1
name: small
metric: {name: loss}
objective: {python: "MODULE:objective"}
parameters: {x: {type: float, low: 0.0, high: 1.0}}
engine: {sampler: random, seed: 3}
budget: {n_trials: 3}
parallel: {n_jobs: 1, backend: serial}
"""
BIN = Path(sys.executable).parent


@pytest.fixture
def project(repository: Repository, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project of `small#1` alone: store and repository are gone."""
    repository.write(f"{repository.module}.py", OBJECTIVE)
    repository.write("sweep.yaml", SWEEP)
    repository.commit()
    repository.write(f"{repository.module}.py", OBJECTIVE.replace("return", "return 0.5 +"))
    repository.run()
    written = ask("export", "small#1", "--project", tmp_path / "project")
    assert written.exit_code == 0, written.output
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    for name in ("repository", "store"):
        shutil.rmtree(tmp_path / name)
    return tmp_path / "project"


@pytest.mark.slow
def test_a_project_replays_its_trial_in_an_empty_place(project: Path, ask: Ask) -> None:
    names = "MLproject README.md capture.json code data.json python_env.yaml requirements.txt sweep.yaml trial.json"
    assert sorted(path.name for path in project.iterdir()) == names.split()
    result = ask("replay", project)
    assert result.exit_code == 0, result.output
    assert "small#1: identical" in result.stdout
    assert list(Path().iterdir()) == []
    [code] = (project / "code").glob("train_*.py")
    code.write_text(code.read_text().replace("0.5", "0.25"))
    edited = ask("replay", project)
    assert edited.exit_code == 1
    assert f"the first thing that is not as it was: code {code.name}: " in edited.stdout


@pytest.mark.slow
def test_mlflow_runs_a_project(project: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": "sqlite:///m.db",
    }
    environment.pop("PYTHONWARNINGS", None)
    command = [str(BIN / "mlflow"), "run", str(project), "--env-manager", "local", "-P", "env=same"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "small#1: identical" in done.stdout
    [code] = (project / "code").glob("train_*.py")
    code.write_text(code.read_text().replace("0.5", "0.25"))
    assert subprocess.run(command, env=environment, capture_output=True, check=False).returncode != 0


def wheel(folder: Path, name: str, files: dict[str, str]) -> None:
    """A wheel of version 1.0 in a folder."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-1.0.dist-info"
    parts = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    parts[f"{info}/RECORD"] = "".join(f"{part},,\n" for part in [*parts, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for part, text in parts.items():
            archive.writestr(part, text)


@pytest.mark.slow
def test_the_packages_on_record_are_installed_where_other_ones_are_here(
    project: Path, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tiny` 1.0 is on record, of which the value comes; what else trials need comes from where it is installed."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")
    wheel(tmp_path / "wheels", "tiny", {"tiny.py": "version = 0.5\n"})
    paths = [entry for entry in sys.path if entry.endswith("site-packages")]
    wheel(tmp_path / "wheels", "everything", {"everything.pth": "\n".join(paths) + "\n"})
    [code] = (project / "code").glob("train_*.py")
    code.write_text(code.read_text().replace("return 0.5", "import tiny; return tiny.version"))
    facts = json.loads((project / "capture.json").read_text())
    facts["environment"] |= {"packages": {"everything": "1.0", "tiny": "1.0"}, "sources": {}}
    (project / "capture.json").write_text(json.dumps(facts))
    assert ask("replay", project, "--env", "current").exit_code == 1  # there is no tiny here
    result = ask("replay", project, "--env", "locked", "--find-links", tmp_path / "wheels")
    assert result.exit_code == 0, result.output
    facts["environment"]["packages"]["missing"] = "3.0"
    (project / "capture.json").write_text(json.dumps(facts))
    refused = ask("replay", project, "--env", "locked", "--find-links", tmp_path / "wheels")
    assert refused.exit_code == 2
    assert "missing==3.0 cannot be had" in refused.stderr


@pytest.mark.slow
def test_a_project_may_hold_the_data(
    repository: Repository, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(f"{n},{n % 3},{n / 2}\n" for n in range(30))
    (tmp_path / "outside.csv").write_text(f"a,b,y\n{rows}")
    repository.write(".gitignore", "data/\n")
    repository.write("data/test.csv", f"a,b,y\n{rows}")
    data = f"{{path: {tmp_path}/outside.csv, target: y, test: data/test.csv}}"
    sklearn = f"{{data: {data}, cv: {{folds: 3}}, estimator: sklearn.linear_model.Ridge}}"
    file = SWEEP.replace('python: "MODULE:objective"', f"sklearn: {sklearn}").replace("name: loss", "name: rmse")
    repository.write("sweep.yaml", file.replace("x: {type: float, low: 0.0", "alpha: {type: float, low: 0.1"))
    repository.commit()
    repository.run()
    without = ask("export", "small", "--project", tmp_path / "without")
    assert without.exit_code == 0, without.output
    written = ask("export", "small", "--project", tmp_path / "project", "--with-data")
    assert written.exit_code == 0, written.output
    for name in ("repository", "store"):
        shutil.rmtree(tmp_path / name)
    (tmp_path / "outside.csv").unlink()
    monkeypatch.chdir(tmp_path)
    result = ask("replay", "project")
    assert result.exit_code == 0, result.output
    assert "3 of 3 trials are identical" in result.stdout
    refused = ask("replay", "without")
    assert refused.exit_code == 2, refused.output
    assert "which is not here" in refused.stderr


@pytest.mark.parametrize("name", ["./gone", "."])
def test_a_folder_that_is_no_project_is_not_taken_for_a_sweep(repository: Repository, ask: Ask, name: str) -> None:
    result = ask("replay", name)
    assert result.exit_code == 2
    assert f"{name} is no project that hpo export --project wrote" in result.stderr


def test_a_folder_that_is_not_empty_is_no_place_for_a_project(ask: Ask, tmp_path: Path) -> None:
    result = ask("export", "small#1", "--project", tmp_path, "-o", "x.csv")
    assert result.exit_code == 2
    assert "give a file to write, -o FILE, or a folder, --project DIR" in result.stderr
