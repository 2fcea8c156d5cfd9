"""`hpo data`: what runs read, and in what it differs."""

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from hpo import run
from hpo.cli.main import main
from hpo.provenance.file_digest import digest_of_file

SWEEP = """
name: NAME
metric: {name: r2, goal: maximize}
objective:
  sklearn:
    data: {path: data/houses.csv, target: price, test: 0.25}
    estimator: sklearn.linear_model.Ridge
    cv: {folds: 2}
parameters: {alpha: {type: float, low: 0, high: 1}}
engine: {name: optuna, sampler: random}
budget: {n_trials: 1}
parallel: {backend: serial}
capture: {inputs: images}
tracker: {log_models: none}
"""
READING = """
name: reading
metric: {name: loss}
objective: {python: "reads:objective"}
parameters: {x: {type: float, low: 0, high: 1}}
engine: {name: optuna, sampler: random}
budget: {n_trials: 3}
parallel: {backend: serial}
"""
OBJECTIVE = """
def objective(params, trial):
    trial.log_input("data/houses.csv", "houses")
    if trial.number == 1:
        trial.log_input("images", context="test")
    return params["x"]
"""
HOUSES = pd.DataFrame({"size": range(40), "rooms": [n % 5 for n in range(40)], "price": [2 * n for n in range(40)]})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("HPO_TRACKER", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "data").mkdir()
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.png").write_bytes(b"one")
    HOUSES.to_csv("data/houses.csv", index=False)
    (tmp_path / "reads.py").write_text(OBJECTIVE)
    return tmp_path


def swept(text: str, name: str = "") -> None:
    Path("sweep.yaml").write_text(text.replace("NAME", name))
    run("sweep.yaml")


def hpo(*arguments: str) -> Result:
    result = CliRunner().invoke(main, ["data", *arguments])
    assert result.exit_code == 0, result.output
    return result


def listed(*arguments: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(hpo("ls", *arguments, "-f", "json").stdout)
    return found


def test_data_of_trials_is_listed_with_how_many_runs_read_it(folder: Path) -> None:
    swept(READING)
    houses, images = listed("reading")
    assert (houses["name"], houses["context"], houses["runs"], houses["columns"]) == ("houses", "training", 3, 3)
    assert houses["digest"] == digest_of_file(folder / "data/houses.csv")
    assert houses["source"] == str(folder / "data/houses.csv")
    assert (images["name"], images["context"], images["runs"], images["bytes"]) == ("images", "test", 1, 3)
    assert [data["name"] for data in listed("reading#0")] == ["houses"]
    assert [data["runs"] for data in listed("--all")] == [3, 1]
    assert listed()[0] == houses


def test_data_of_a_sweep_has_rows_profile_and_the_digest_of_its_file(folder: Path) -> None:
    swept(SWEEP, "ridge")
    shown = {(data["name"], data["context"]): data for data in listed("ridge#0")}
    assert {key: data["rows"] for key, data in shown.items()} == {
        ("houses", "test"): 10, ("houses", "training"): 30, ("images", "input"): None,
    }  # fmt: skip
    assert shown["houses", "training"]["source"] == str(folder / "data/houses.csv")
    profile = shown["houses", "training"]["profile"]
    assert isinstance(profile, dict)
    assert profile["file"] == digest_of_file(folder / "data/houses.csv")
    assert [column["name"] for column in profile["columns"]] == ["size", "rooms", "price"]
    lines = hpo("ls", "ridge").stdout.splitlines()
    assert lines[0].split() == ["name", "digest", "rows", "columns", "bytes", "context", "runs", "version", "source"]
    assert len(lines) == 4


def test_a_sweep_that_read_nothing_says_what_to_do(folder: Path) -> None:
    (folder / "nothing.py").write_text("def objective(params, trial):\n    return params['x']\n")
    swept(READING.replace("reads:", "nothing:"))
    result = hpo("ls")
    assert result.stdout == ""
    assert "name files by capture.inputs, or by trial.log_input" in result.stderr


def test_the_data_of_two_sweeps_is_compared_by_name(folder: Path) -> None:
    swept(SWEEP, "before")
    changed = HOUSES.copy()
    changed.loc[:, "rooms"] += 1
    changed.to_csv("data/houses.csv", index=False)
    swept(SWEEP, "after")

    test, training = json.loads(hpo("diff", "before", "after#0", "-f", "json").stdout)
    assert (test["name"], test["detail"]) == ("houses", ["values differ in: rooms"])
    assert training["before"].startswith("30 rows, digest ")
    assert hpo("diff", "before", "before#0").stderr == "the same data\n"


def test_a_file_is_compared_with_the_data_set_that_was_made_of_it(folder: Path) -> None:
    swept(SWEEP, "ridge")
    assert hpo("diff", "ridge", "data/houses.csv").stdout == ""
    assert hpo("diff", "images", "ridge").stdout == ""

    HOUSES.assign(garden=1).astype({"rooms": "float64"}).to_csv("data/houses.csv", index=False)
    forth, back = hpo("diff", "ridge", "data/houses.csv").stdout, hpo("diff", "data/houses.csv", "ridge").stdout
    assert forth.splitlines()[1:] == [
        "  columns added: garden",
        "  type of rooms: int64 -> float64",
        "  size: 322 -> 489 bytes",
    ]
    assert back.splitlines()[1:] == [
        "  columns removed: garden",
        "  type of rooms: float64 -> int64",
        "  size: 489 -> 322 bytes",
    ]


def test_of_two_files_rows_and_columns_are_compared(folder: Path) -> None:
    HOUSES.assign(rooms=0).to_parquet("new.parquet")
    assert hpo("diff", "data/houses.csv", "new.parquet").stdout.splitlines()[1:] == ["  values differ in: rooms"]
    HOUSES[:39].to_csv("new.csv", index=False)
    assert hpo("diff", "data/houses.csv", "new.csv").stdout.splitlines()[1:] == ["  rows: 40 -> 39"]
    assert hpo("diff", "images", "images").stderr == "the same data\n"


def test_what_is_neither_a_file_nor_on_record_is_said(folder: Path) -> None:
    swept(SWEEP, "ridge")
    result = CliRunner().invoke(main, ["data", "diff", "ridge", "rigde"])
    assert (result.exit_code, "no sweep 'rigde'" in result.stderr) == (1, True)
