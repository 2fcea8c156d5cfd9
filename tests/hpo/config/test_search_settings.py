"""What a sweep file may say of known points, earlier sweeps, duplicates and replicates."""

import json
from pathlib import Path

import jsonschema
import pytest

from hpo.config.conversion import canonical, config_hash, start_of
from hpo.config.expanded import as_yaml
from hpo.config.problems import Place
from hpo.config.reading import SweepFileError, read_sweep_text
from hpo.config.source import parse, plain

FILE = """name: a
metric: {name: loss}
objective: {python: "a:b"}
parameters:
  x: {type: float, low: 0, high: 1, step: 0.25}
  kind: [a, b]
  depth: {type: int, low: 1, high: 3, when: {kind: a}}
  fixed: 7
  password: hunter2
"""
SETTINGS = """start: [{x: 1, kind: a, depth: 2.0}, {kind: b, fixed: 7}]
warm_start: {from: before, top: 20}
duplicates: resample
replicates: {seeds: 3, aggregate: lcb, standard_errors: 2}
"""


def test_they_read_back_as_written_and_decide_which_sweep_it_is() -> None:
    config = read_sweep_text(FILE + SETTINGS)
    assert config_hash(read_sweep_text(as_yaml(config))) == config_hash(config)
    assert start_of(config) == [{"x": 1.0, "kind": "a", "depth": 2}, {"kind": "b"}]
    assert type(start_of(config)[0]["x"]) is float
    assert config.warm_start
    assert config.warm_start.sources == ["before"]
    schema = json.loads(Path("hpo/schema/sweep-v1.json").read_text())
    root, _ = parse(FILE + SETTINGS, lambda line, column: Place(0, line, column, ""))
    assert root is not None
    jsonschema.validate(plain(root), schema)
    hashes = {config_hash(read_sweep_text(FILE + line)) for line in ["", *SETTINGS.splitlines()]}
    assert len(hashes) == 5


def test_a_file_without_them_is_the_sweep_it_was() -> None:
    assert (
        not {"start", "warm_start", "duplicates", "replicates"}
        & json.loads(canonical(read_sweep_text(f"{FILE}duplicates: replicate\nstart: []\n"))).keys()
    )


def test_a_secret_constant_is_not_recorded_with_a_point() -> None:
    config = read_sweep_text(f"{FILE}start: [{{x: 0.5, password: hunter2}}]\n")
    assert "hunter2" not in as_yaml(config)
    assert "hunter2" not in canonical(config)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("start: [{x: 0.3}]", "10:13: error: start[0].x: x is never 0.3; it goes from 0.0 to 1.0 in steps of 0.25"),
        ("start: [{x: 2}]", "start[0].x: x is never 2"),
        ("start: [{}]", "start[0]: must not be empty"),
        ("start: {x: 1}", "start: must be a list"),
        ("start: [{x: 1}, {kin: a}]", "10:18: error: start[1].kin: no parameter 'kin' - did you mean 'kind'?"),
        ("start: [{kind: c}]", "start[0].kind: kind is never 'c'; it is one of 'a', 'b'"),
        ("start: [{fixed: 8}]", "start[0].fixed: fixed is never 8; it is always 7"),
        ("start: [{depth: 2}]", "start[0].depth: is searched only where kind is 'a': give kind here too"),
        ("start: [{kind: b, depth: 2}]", "is searched only where kind is 'a', and here it is 'b': remove it"),
        ("warm_start: {top: 3}", "warm_start: missing key 'from'"),
        ("warm_start: {from: [a, a]}", "warm_start.from[1]: each sweep may be named once, got 'a' twice"),
        ("warm_start: {from: a, top: 0}", "warm_start.top: must be at least 1, got 0"),
        ("duplicates: reuses", "'reuses' is not one of replicate, reuse, resample - did you mean 'reuse'?"),
        ("replicates: {seeds: 1}", "replicates.seeds: must be at least 2, got 1"),
        ("replicates: {seeds: 3, standard_errors: 1}", "replicates.standard_errors: is for aggregate: lcb"),
        ("replicates: {seeds: 3, aggregate: max}", "'max' is not one of mean, median, lcb"),
    ],
)
def test_what_cannot_be_is_said_with_its_place(line: str, problem: str) -> None:
    with pytest.raises(SweepFileError) as caught:
        read_sweep_text(f"{FILE}{line}\n")
    assert problem in str(caught.value)
    assert str(caught.value).endswith("1 error in <text>; nothing was run")


def test_a_growing_resource_and_replicates_exclude_each_other() -> None:
    text = """name: a
metric: {name: accuracy, goal: maximize}
objective:
  sklearn:
    data: {loader: sklearn.datasets.load_iris}
    estimator: sklearn.tree.DecisionTreeClassifier
    resource: {rows: true, min: 0.1}
parameters: {max_depth: [1, 2], random_state: 0}
pruner: asha
replicates: {seeds: 3}
"""
    with pytest.raises(SweepFileError) as caught:
        read_sweep_text(text)
    assert "objective.sklearn.resource: trials report after each replicate" in str(caught.value)
    assert "replicates: parameters.random_state decides every draw" in str(caught.value)
