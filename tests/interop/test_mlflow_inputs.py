"""What trials read, as MLflow's own client sees it."""

import warnings
from pathlib import Path
from typing import Any

import pytest

from hpo import run
from hpo.provenance.file_digest import digest_of_file

SWEEP = """
name: reading
metric: {name: loss}
objective: {python: "inputs_read:objective"}
parameters: {x: {type: float, low: 0, high: 1}}
engine: {name: optuna, sampler: random}
budget: {n_trials: 1}
parallel: {backend: serial}
capture: {inputs: "*.csv"}
"""
OBJECTIVE = """
def objective(params, trial):
    trial.log_input("houses.csv", "houses", context="validation")
    return params["x"]
"""


@pytest.mark.slow
def test_what_trials_and_sweeps_read_are_inputs_of_their_runs(
    mlflow: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "houses.csv").write_text("size,price\n1,2\n")
    (tmp_path / "inputs_read.py").write_text(OBJECTIVE)
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    result = run("sweep.yaml", tracker=uri)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = mlflow.MlflowClient(uri)
        [trial] = result.trials()
        [read] = client.get_run(trial.id).inputs.dataset_inputs
        [named] = client.get_run(result.run_id).inputs.dataset_inputs
        source = mlflow.data.get_source(read)

    digest = digest_of_file(tmp_path / "houses.csv")
    assert (read.dataset.name, read.dataset.digest, read.tags[0].value) == ("houses", digest, "validation")
    assert (named.dataset.name, named.dataset.digest, named.tags[0].value) == ("houses.csv", digest, "input")
    assert Path(source.load()).read_text() == "size,price\n1,2\n"
