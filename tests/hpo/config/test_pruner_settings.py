"""The sweep file's `pruner` and `resource`: what they mean, and what is refused."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from hpo.build import parts_of
from hpo.config.conversion import canonical, config_hash
from hpo.config.expanded import as_yaml
from hpo.config.reading import read_sweep_text
from hpo.errors import ConfigError, EngineError
from hpo.objectives.sklearn_objective import SklearnObjective

PYTHON = """name: a
metric: {name: loss}
objective: {python: "train:objective"}
parameters:
  x: {type: float, low: 0, high: 1}
"""
FOREST = """name: a
metric: {name: accuracy, goal: maximize}
objective:
  sklearn:
    data: {loader: sklearn.datasets.load_breast_cancer}
    estimator: sklearn.ensemble.RandomForestClassifier
    cv: {folds: 3}
parameters:
  max_depth: {type: int, low: 2, high: 9}
"""


def growing(resource: str, text: str = FOREST) -> str:
    return text.replace("    cv:", f"    resource: {{{resource}}}\n    cv:")


def errors_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        read_sweep_text(text, "f")
    return str(raised.value).splitlines()


def test_a_pruner_is_named_by_a_word_or_a_mapping() -> None:
    word = read_sweep_text(PYTHON + "pruner: median\n", "f")
    mapping = read_sweep_text(PYTHON + "pruner: {name: median}\n", "f")
    assert word == mapping
    assert config_hash(word) == config_hash(mapping)
    assert read_sweep_text(PYTHON, "f").pruner is None


def test_the_pruner_decides_the_trials_and_a_sweep_without_one_is_what_it_was() -> None:
    without, median, asha = (read_sweep_text(PYTHON + line, "f") for line in ("", "pruner: median", "pruner: asha"))
    assert len({config_hash(without), config_hash(median), config_hash(asha)}) == 3
    assert '"pruner"' not in canonical(without)
    assert '"resource"' not in canonical(read_sweep_text(FOREST, "f"))
    assert '"resource"' in canonical(
        read_sweep_text(growing("param: n_estimators, min: 2, max: 9") + "pruner: asha", "f")
    )


def test_it_is_written_out_and_read_back() -> None:
    text = growing("rows: true, min: 0.1, factor: 2") + "pruner: {name: patient, options: {patience: 2, of: asha}}\n"
    config = read_sweep_text(text, "f")
    assert canonical(read_sweep_text(as_yaml(config), "f")) == canonical(config)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PYTHON + "pruner: medain", "f:6:9: error: pruner: 'medain' is not one of median, percentile, asha"),
        (PYTHON + "pruner: successive_halving", "did you mean 'asha'?"),
        (PYTHON + "pruner: {name: asha, option: {}}", "pruner.option: unknown key 'option' - did you mean 'options'?"),
        (PYTHON + "early_terminate: {}", "early_terminate: unknown key 'early_terminate' - did you mean 'pruner'?"),
        (
            FOREST.replace("folds: 3", "holdout: 0.2") + "pruner: median",
            "f:10:1: error: pruner: a trial with one held-out part has nothing to report on its way: write cv: "
            "{folds: 5}, or add a resource to objective.sklearn",
        ),
        (
            growing("param: n_estimators, min: 10, max: 400"),
            "f:7:5: error: objective.sklearn.resource: is for trials that can be stopped early, and there is no "
            "pruner: add pruner: asha",
        ),
        (
            growing("param: max_depth, min: 2, max: 9") + "pruner: asha",
            "f:10:3: error: parameters.max_depth: grows within each trial (objective.sklearn.resource.param), so it "
            "cannot be searched: remove it here",
        ),
        (growing("min: 2, max: 9") + "pruner: asha", "give param (a parameter's name) or rows: true"),
        (growing("param: n_estimators, rows: true, min: 2, max: 9"), "give param (a parameter's name) or rows: true"),
        (growing("param: n_estimators, min: 2"), "missing key 'max': how much of the parameter a trial is given last"),
        (growing("param: n_estimators, min: 2.5, max: 9"), "resource.min: must be a whole number for a parameter"),
        (growing("param: n_estimators, min: 9, max: 9"), "resource.min: must be below max = 9, got 9"),
        (growing("rows: true, min: 10"), "min and max must be shares of the rows, from 0.01 to 1"),
        (growing("rows: true, min: 0.001"), "min and max must be shares of the rows, from 0.01 to 1"),
        (growing("param: n_estimators, low: 2, max: 9"), "resource.low: unknown key 'low' - did you mean 'min'?"),
        (growing("param: n_estimators, min: 2, max: 9, factor: 1"), "resource.factor: must be at least 2, got 1"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(text: str, message: str) -> None:
    assert message in "\n".join(errors_of(text))


def test_a_held_out_part_will_do_where_a_resource_grows() -> None:
    text = growing("rows: true, min: 0.1", FOREST.replace("folds: 3", "holdout: 0.2")) + "pruner: median"
    assert read_sweep_text(text, "f").pruner is not None


def options_of(text: str, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, object]:
    """The options that the pruner of a sweep file is made with."""
    made: list[Mapping[str, object]] = []
    monkeypatch.setattr("hpo.build.make_pruner", lambda name, **given: made.append(given["options"]))
    parts_of(read_sweep_text(text, "f"), Path()).pruner()
    return made[0]


def test_halving_decides_at_the_steps_of_the_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    trees = growing("param: n_estimators, min: 10, max: 400, factor: 2")
    rows = growing("rows: true, min: 0.1")
    assert options_of(trees + "pruner: asha", monkeypatch) == {"min_resource": 10, "reduction_factor": 2}
    assert options_of(trees + "pruner: {name: asha, options: {min_resource: 20}}", monkeypatch) == {
        "min_resource": 20, "reduction_factor": 2,
    }  # fmt: skip
    assert options_of(rows + "pruner: hyperband", monkeypatch) == {
        "min_resource": 10, "reduction_factor": 3, "max_resource": 100,
    }  # fmt: skip
    assert options_of(trees + "pruner: median", monkeypatch) == {}


def test_the_objective_reports_what_the_pruner_can_use() -> None:
    def reporting(text: str) -> object:
        objective = parts_of(read_sweep_text(text, "f"), Path()).objective
        assert isinstance(objective, SklearnObjective)
        return objective.reporting

    assert reporting(FOREST) is None
    plain = reporting(FOREST + "pruner: median")
    assert plain is not None
    for pruner in ("wilcoxon", "{name: patient, options: {patience: 1, of: wilcoxon}}"):
        assert reporting(f"{FOREST}pruner: {pruner}") == replace(plain, each_fold=True)  # type: ignore[type-var]


def test_wrong_options_of_a_pruner_are_known_before_anything_runs() -> None:
    parts = parts_of(read_sweep_text(FOREST + "pruner: {name: median, options: {n_warmup: 1}}", "f"), Path())
    with pytest.raises(EngineError, match="unknown option 'n_warmup' - did you mean 'n_warmup_steps'"):
        parts.pruner()


@pytest.mark.parametrize(
    ("more", "learns"),
    [
        ("engine: {name: optuna, sampler: random}", False),
        ("engine: {name: hyperopt, sampler: random}", False),
        ("engine: {name: optuna, sampler: tpe}", True),
        ("engine: {name: optuna, sampler: random}\npruner: median", True),
        ("engine: {name: optuna, sampler: random}\nduplicates: reuse", True),
    ],
)
def test_a_search_without_sampler_or_pruner_that_learns_is_known_for_one(more: str, learns: bool) -> None:
    assert parts_of(read_sweep_text(FOREST + more, "f"), Path()).plan.learns is learns
