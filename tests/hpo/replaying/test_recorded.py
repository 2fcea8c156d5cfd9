"""Sweeps replayed from their record alone: from whatever ran them, and whatever happened to code and store since."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import hpo

Ask = Callable[..., Result]
STORE = "sqlite:///../store/mlflow.db"
Repository = Any
"""As conftest makes it."""

OBJECTIVE = """
import numpy as np

def objective(params, trial):
    generator = np.random.default_rng(trial.seed)
    x = generator.normal(size=(200, 8))
    y = x @ np.arange(8) + generator.normal(size=200)
    inverse = np.linalg.inv(x.T @ x + params["alpha"] * np.eye(8))
    weights = inverse @ x.T @ y
    for step in range(1, 5):
        loss = float(np.mean((x[: 50 * step] @ weights - y[: 50 * step]) ** 2))
        trial.report(step, loss)
        trial.log_metric("norm", float(np.linalg.norm(weights)) / step, step=step)
    return {"loss": loss, "size": float(np.abs(weights).sum())}
"""
SWEEP = """
version: 1
name: ridge
metric: {name: loss}
objective: {python: "MODULE:objective"}
parameters:
  alpha: {type: float, low: 1e-3, high: 10.0, log: true}
engine: {name: ENGINE, sampler: tpe, seed: 3}
pruner: {name: median, options: {n_startup_trials: 2}}
budget: {n_trials: 8}
parallel: {n_jobs: JOBS, backend: BACKEND}
"""
FOREST = """
version: 1
name: forest
metric: {name: accuracy, goal: maximize}
objective:
  sklearn:
    data: {loader: sklearn.datasets.load_iris, test: 0.2}
    estimator: sklearn.ensemble.RandomForestClassifier
    cv: {folds: 3, seed: 0}
    scoring: [accuracy, neg_log_loss, fit_seconds]
parameters:
  n_estimators: 10
  max_depth: {type: int, low: 2, high: 8}
  bootstrap: [true, false]
  max_samples: {type: float, low: 0.5, high: 1.0, when: {bootstrap: true}}
engine: {name: ENGINE, sampler: tpe, seed: 3}
budget: {n_trials: 4}
parallel: {n_jobs: JOBS, backend: BACKEND}
register: {name: flowers, alias: champion}
"""


def sweep(text: str, *, engine: str = "optuna", jobs: int = 1, backend: str = "serial") -> str:
    return text.replace("ENGINE", engine).replace("JOBS", str(jobs)).replace("BACKEND", backend)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["optuna", "hyperopt"])
@pytest.mark.parametrize(("backend", "jobs"), [("serial", 1), ("loky", 1), ("loky", 2), ("threading", 2)])
def test_every_trial_is_identical_after_the_code_was_edited_and_the_repository_moved_on(
    repository: Repository, ask: Ask, engine: str, backend: str, jobs: int
) -> None:
    repository.write(f"{repository.module}.py", OBJECTIVE.replace("range(8)", "range(8, 16)"))
    repository.write("sweep.yaml", sweep(SWEEP, engine=engine, jobs=jobs, backend=backend))
    repository.commit()
    repository.write(f"{repository.module}.py", OBJECTIVE)  # in no commit
    repository.run()
    repository.git("checkout", "-q", ".")
    repository.git("rm", "-q", f"{repository.module}.py")
    repository.commit()
    result = ask("replay", "ridge", "-j", 2 if backend != "serial" else 1)
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("8 of 8 trials are identical\n")
    assert repository.git("worktree", "list").count("\n") == 1
    assert repository.git("status", "--porcelain") == ""


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "backend", "jobs"), [("optuna", "loky", 2), ("hyperopt", "loky", 1)])
def test_trials_of_scikit_learn_are_identical_but_for_times_which_are_not_compared(
    repository: Repository, ask: Ask, engine: str, backend: str, jobs: int
) -> None:
    repository.write("sweep.yaml", sweep(FOREST, engine=engine, jobs=jobs, backend=backend))
    repository.commit()
    repository.run()
    result = ask("replay", "forest", "-f", "json")
    assert result.exit_code == 0, result.output
    verdicts = json.loads(result.stdout)
    assert len(verdicts) == 4
    for verdict in verdicts:
        assert {"accuracy", "accuracy_std", "neg_log_loss", "fold_accuracy"} <= {m["name"] for m in verdict["metrics"]}
        assert verdict["not_compared"]["fit_seconds"] == "a time"
    champion = ask("replay", "flowers@champion", "-f", "json")
    assert champion.exit_code == 0, champion.output
    assert "test_accuracy" in json.loads(champion.stdout)["not_compared"]


@pytest.mark.slow
def test_code_without_git_is_on_record_too(repository: Repository, ask: Ask) -> None:
    repository.write(f"{repository.module}.py", OBJECTIVE)
    repository.write("sweep.yaml", sweep(SWEEP))
    repository.run()
    repository.code.unlink()
    result = ask("replay", "ridge")
    assert result.exit_code == 0, result.output


@pytest.mark.slow
def test_a_clone_serves_on_another_machine(repository: Repository, ask: Ask, tmp_path: Path) -> None:
    repository.write(f"{repository.module}.py", OBJECTIVE)
    repository.write("sweep.yaml", sweep(SWEEP))
    repository.commit()
    repository.run()
    repository.git("clone", "-q", str(repository.folder), str(tmp_path / "clone"))
    for path in [*repository.folder.iterdir()]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    refused = ask("replay", "ridge#1")
    assert refused.exit_code == 2
    assert "--repository DIR" in refused.stderr
    result = ask("replay", "ridge#1", "--repository", tmp_path / "clone")
    assert result.exit_code == 0, result.output


@pytest.mark.slow
@pytest.mark.parametrize("option", [[], ["--artifacts", "away"]])
def test_a_store_that_was_copied_serves_on_another_machine(
    repository: Repository, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: list[str]
) -> None:
    """Database and files are all there is, beside a clone, which has not seen the edit, and the data."""
    repository.write(".gitignore", "data/\n")
    repository.write("data/train.csv", rows())
    repository.write(f"{repository.module}.py", OBJECTIVE.replace("range(8)", "range(8, 16)"))
    repository.write("table.yaml", TABLE + "register: {name: houses, alias: champion}\n")
    repository.write("sweep.yaml", sweep(SWEEP))
    repository.commit()
    repository.write(f"{repository.module}.py", OBJECTIVE)
    repository.run()
    hpo.run("table.yaml", tracker=STORE, overrides=["tracker.artifacts=../store/mlruns"])
    there = tmp_path / "there"
    repository.git("clone", "-q", str(repository.folder), str(there / "clone"))
    shutil.copytree(tmp_path / "store", there / "store")
    if option:
        shutil.move(there / "store" / "mlruns", there / "away")
    (there / "data").mkdir()
    shutil.copy(repository.folder / "data" / "train.csv", there / "data" / "x.csv")
    for name in ("repository", "store"):
        (tmp_path / name).rename(tmp_path / f"gone-{name}")
    monkeypatch.chdir(there)
    monkeypatch.setenv("HPO_TRACKER", "sqlite:///store/mlflow.db")
    for what in ("ridge#1", "houses@champion"):
        result = ask("replay", what, "--repository", "clone", "--data", "data", *option)
        assert result.exit_code == 0, result.output
    exported = ask("export", "ridge#1", "--project", "project", "--repository", "clone", *option)
    assert exported.exit_code == 0, exported.output
    assert not (tmp_path / "store").exists()  # the replay is on record here


@pytest.mark.slow
def test_one_line_of_code_that_changed_is_named(repository: Repository, ask: Ask) -> None:
    repository.write(f"{repository.module}.py", OBJECTIVE)
    repository.write("sweep.yaml", sweep(SWEEP))
    repository.commit()
    repository.run()
    repository.write(f"{repository.module}.py", OBJECTIVE.replace("np.arange(8)", "np.arange(1, 9)"))
    assert ask("replay", "ridge#1").exit_code == 0
    result = ask("replay", "ridge#1", "--code", "current", "-f", "json")
    assert result.exit_code == 1, result.output
    first = json.loads(result.stdout)["first_difference"]
    assert (first["what"], first["name"]) == ("code", f"{repository.module}.py")
    assert "np.arange(1, 9)" in first["detail"]


@pytest.mark.slow
def test_another_seed_is_named(repository: Repository, ask: Ask) -> None:
    repository.write(f"{repository.module}.py", OBJECTIVE)
    repository.write("sweep.yaml", sweep(SWEEP))
    repository.commit()
    repository.run()
    result = ask("replay", "ridge#1", "--seed", 5, "-f", "json")
    assert result.exit_code == 1, result.output
    verdict = json.loads(result.stdout)
    assert verdict["first_difference"]["what"] == "seed"
    assert verdict["first_difference"]["after"] == "5"
    assert len(verdict["changes"]) == 1


TABLE = """
version: 1
name: table
metric: {name: rmse}
objective:
  sklearn: {data: {path: data/train.csv, target: y}, estimator: sklearn.linear_model.Ridge, cv: {folds: 3}}
parameters: {alpha: {type: float, low: 0.1, high: 1.0}}
engine: {sampler: random}
budget: {n_trials: 2}
parallel: {n_jobs: 1, backend: serial}
"""


def rows(changed: int | None = None) -> str:
    made = [(n, n % 3 + (n == changed), n / 2) for n in range(30)]
    return "\n".join(["a,b,y", *(f"{a},{b},{y}" for a, b, y in made)]) + "\n"


@pytest.mark.slow
def test_one_row_of_data_that_changed_is_named(repository: Repository, ask: Ask) -> None:
    repository.write(".gitignore", "data/\n")
    repository.write("data/train.csv", rows())
    repository.write("sweep.yaml", TABLE)
    repository.commit()
    repository.run()
    assert ask("replay", "table").exit_code == 0
    repository.write("data/train.csv", rows(changed=7))
    result = ask("replay", "table#1", "-f", "json")
    assert result.exit_code == 1, result.output
    first = json.loads(result.stdout)["first_difference"]
    assert (first["what"], first["name"]) == ("data", "train")
    assert "values differ in: b" in first["detail"]


@pytest.mark.slow
def test_data_are_found_by_their_content_under_another_name(repository: Repository, ask: Ask, tmp_path: Path) -> None:
    repository.write(".gitignore", "data/\n")
    repository.write("data/train.csv", rows())
    repository.write("sweep.yaml", TABLE)
    repository.commit()
    repository.run()
    shutil.move(repository.folder / "data" / "train.csv", tmp_path / "elsewhere.csv")
    refused = ask("replay", "table#1")
    assert refused.exit_code == 2
    assert "--data DIR" in refused.stderr
    (tmp_path / "given").mkdir()
    shutil.move(tmp_path / "elsewhere.csv", tmp_path / "given" / "x.csv")
    result = ask("replay", "table#1", "--data", tmp_path / "given")
    assert result.exit_code == 0, result.output


@pytest.mark.slow
@pytest.mark.parametrize("path", ["../train.csv", "../../away/train.csv"])
def test_data_beside_the_repository_are_found_from_the_rebuilt_code(
    repository: Repository, ask: Ask, path: str
) -> None:
    place = repository.folder / path
    place.parent.resolve().mkdir(exist_ok=True)
    Path(os.path.normpath(place)).write_text(rows())
    repository.write("sweep.yaml", TABLE.replace("data/train.csv", path))
    repository.commit()
    repository.run()
    result = ask("replay", "table")
    assert result.exit_code == 0, result.output


def installed(folder: Path, version: str) -> None:
    """A distribution `tiny` of this version in a folder of the search path."""
    for old in folder.glob("tiny*"):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    metadata = folder / f"tiny-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n")
    (metadata / "RECORD").write_text("tiny.py,,\n")
    (folder / "tiny.py").write_text(f"version = {version}\n")


USES_TINY = """
def objective(params, trial):
    import tiny
    return params["alpha"] * tiny.version
"""


@pytest.mark.slow
def test_another_version_of_a_package_is_refused_or_named(
    repository: Repository, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site-packages"))
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
    installed(tmp_path / "site-packages", "1.5")
    repository.write(f"{repository.module}.py", USES_TINY)
    repository.write("sweep.yaml", sweep(SWEEP, backend="loky").replace("pruner:", "# pruner:"))
    repository.commit()
    repository.run()
    assert ask("replay", "ridge#1").exit_code == 0
    installed(tmp_path / "site-packages", "2.5")
    refused = ask("replay", "ridge#1")
    assert refused.exit_code == 2, refused.output
    assert "package tiny: 1.5 -> 2.5" in refused.stderr
    assert "--env locked" in refused.stderr
    result = ask("replay", "ridge#1", "--env", "current", "-f", "json")
    assert result.exit_code == 1, result.output
    assert json.loads(result.stdout)["first_difference"] == {
        "what": "package", "name": "tiny", "before": "1.5", "after": "2.5", "detail": "",
    }  # fmt: skip
