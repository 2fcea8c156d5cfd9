"""Files that sweeps and trials name as read, at a replay."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

OBJECTIVE = """
def objective(params, trial):
    trial.log_input("data/train.csv", "train")
    with open("data/train.csv") as file:
        return params["x"] + len(file.read())
"""
SWEEP = """
name: reading
metric: {name: loss}
objective: {python: "MODULE:objective"}
parameters: {x: {type: float, low: 0, high: 1}}
engine: {name: optuna, sampler: random}
budget: {n_trials: 1}
parallel: {backend: serial}
capture: {inputs: data}
"""


@pytest.mark.slow
def test_a_row_more_in_a_file_that_was_named_is_named_and_nothing_else(
    repository: Any, ask: Callable[..., Result]
) -> None:
    repository.code.write_text(OBJECTIVE)
    repository.write("sweep.yaml", SWEEP)
    repository.write(".gitignore", "data/\n")
    repository.commit()
    repository.write("data/train.csv", "a,b\n1,2\n")
    repository.run()
    repository.forget()
    assert ask("replay", "reading#0").exit_code == 0

    repository.write("data/train.csv", "a,b\n1,2\n3,4\n")
    repository.forget()
    result = ask("replay", "reading#0", "-f", "json")
    assert result.exit_code == 1
    trial = json.loads(result.stdout)
    assert {(change["what"], change["name"]) for change in trial["changes"]} == {("data", "train"), ("data", "data")}
