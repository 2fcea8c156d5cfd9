"""W&B sweep files as people write them, converted; the result is one of ours, and what has no equal is named."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from hpo.cli.main import main
from hpo.config.conversion import space_of
from hpo.config.reading import read_sweep_text
from hpo.config.schema import SweepConfig
from hpo.config.wandb_sweep import convert_wandb
from hpo.errors import ConfigError
from hpo.space import Choice, Constant, FloatRange, IntRange

DOCS = """
program: train.py
name: sweepdemo
method: bayes
metric:
  goal: minimize
  name: validation_loss
  target: 0.01
parameters:
  learning_rate:
    min: 0.0001
    max: 0.1
  batch_size:
    values: [16, 32, 64]
  epochs:
    value: 5
  optimizer:
    values: ["adam", "sgd"]
early_terminate:
  type: hyperband
  min_iter: 3
  eta: 2
run_cap: 40
"""
YOLO = """
# set -/ to run sweep
program: utils/sweep.py
method: random
metric: {name: metrics/mAP_0.5, goal: maximize}
project: vision team
entity: me
early_terminate: {type: hyperband, max_iter: 27, s: 2}
parameters:
  # hyperparameters: set either min, max range or values list
  data: {value: "data/coco128.yaml"}
  lr0: {distribution: uniform, min: 1e-5, max: 1e-1}
  weight_decay: {distribution: log_uniform_values, min: 1e-6, max: 1e-2}
  dropout: {distribution: q_uniform, min: 0, max: 0.5, q: 0.1}
  layers: {min: 1, max: 8}
  units: {distribution: q_log_uniform_values, min: 16, max: 512, q: 1}
"""
HYDRA = """
method: grid
command: ["${env}", "${interpreter}", "-m", "src.train", "+trainer=${envvar:GPU}", "${args_no_hyphens}", "hydra={x: 1}"]
parameters:
  optimizer:
    parameters:
      name: {values: [adam, sgd]}
      lr: {values: [0.1, 0.01, 0.001]}
  flag: {values: [true, false]}
"""


def converted(tmp_path: Path, text: str) -> tuple[SweepConfig, list[str]]:
    file = tmp_path / "wandb.yaml"
    file.write_text(text)
    made = convert_wandb(file, "mine")
    notes = [note.removeprefix(f"{file}:") for note in made.notes]
    assert all(f"#   {note}" in made.text for note in made.notes)
    return read_sweep_text(made.text), notes


def test_the_file_of_wandbs_own_docs_has_an_equal_in_all(tmp_path: Path) -> None:
    config, notes = converted(tmp_path, DOCS)
    assert notes == []
    assert config.objective.command == ["python", "train.py", "{args}"]
    assert (config.name, config.metric.name, config.metric.target) == ("sweepdemo", "validation_loss", 0.01)
    assert {parameter.name: parameter.domain for parameter in space_of(config).parameters} == {
        "learning_rate": FloatRange(0.0001, 0.1),
        "batch_size": Choice((16, 32, 64)),
        "epochs": Constant(5),
        "optimizer": Choice(("adam", "sgd")),
    }
    assert config.pruner is not None
    assert (config.pruner.name, config.pruner.options) == ("asha", {"min_resource": 3, "reduction_factor": 2})
    assert (config.engine.sampler, config.budget.n_trials) == ("tpe", 40)


def test_a_file_with_distributions(tmp_path: Path) -> None:
    config, notes = converted(tmp_path, YOLO)
    assert notes == ["7:9: entity: has no equal: left out"]
    assert (config.metric.goal, config.experiment) == ("maximize", "vision team")
    assert {parameter.name: parameter.domain for parameter in space_of(config).parameters} == {
        "data": Constant("data/coco128.yaml"),
        "lr0": FloatRange(1e-5, 1e-1),
        "weight_decay": FloatRange(1e-6, 1e-2, log=True),
        "dropout": FloatRange(0, 0.5, step=0.1),
        "layers": IntRange(1, 8),
        "units": IntRange(16, 512, log=True),
    }
    assert config.pruner is not None
    assert config.pruner.options == {"min_resource": 3, "reduction_factor": 3}


def test_a_file_with_a_command_of_its_own_and_nested_parameters(tmp_path: Path) -> None:
    config, notes = converted(tmp_path, HYDRA)
    assert config.objective.command == ["python", "-m", "src.train", "{args_no_hyphens}", "hydra={{x: 1}}"]
    assert list(config.parameters) == ["optimizer.name", "optimizer.lr", "flag"]
    assert (config.engine.sampler, config.budget.n_trials, config.name) == ("grid", 12, "mine")
    assert notes == [
        "3:10: command: ${envvar:GPU}: the argument is left out; the program finds $GPU itself",
        "2:1: metric.name: is missing or no name here: loss",
    ]


@pytest.mark.parametrize(
    ("settings", "domain", "note"),
    [
        ("{value: [1, 2]}", Constant("[1, 2]"), "lists and mappings cannot be values"),
        ("{values: [a, a, b], probabilities: [1, 0, 0]}", Choice(("a", "b")), "values are drawn evenly here"),
        ("{min: 1, max: 1}", Constant(1), None),
        ("{min: 0, max: 1}", IntRange(0, 1), None),
        ("{distribution: constant, value: x}", Constant("x"), None),
        ("{distribution: categorical, values: [1, null]}", Choice((1, None)), None),
        ("{distribution: int_uniform, min: 1, max: 9}", IntRange(1, 9), None),
        ("{distribution: q_uniform, min: 2, max: 10, q: 2}", IntRange(2, 10, step=2), None),
        ("{distribution: log_uniform, min: 0, max: 1}", FloatRange(1, 2.718281828459045, log=True), None),
        ("{distribution: inv_log_uniform, min: 0, max: 1}", FloatRange(0.36787944117144233, 1, log=True), None),
        ("{distribution: inv_log_uniform_values, min: 0.1, max: 1}", FloatRange(0.1, 1, log=True), None),
        ("{distribution: log_uniform_values, min: 0, max: 1}", FloatRange(0, 1), "must be above 0 on a log scale"),
        ("{distribution: q_log_uniform_values, min: 1, max: 9, q: 2}", FloatRange(1, 9, log=True), "has no steps here"),
        ("{distribution: normal, mu: 1, sigma: 2}", FloatRange(-5, 7), "normal has no equal"),
        ("{distribution: q_normal, mu: 0, sigma: 1, q: 0.5}", FloatRange(-3, 3, step=0.5), "normal has no equal"),
        ("{distribution: log_normal, mu: 0, sigma: 0}", Constant(1.0), "log_normal has no equal"),
        ("{distribution: beta, a: 1, b: 2}", FloatRange(0, 1), "beta has no equal"),
        ("{distribution: q_beta, a: 1, b: 2, q: 0.25}", FloatRange(0, 1, step=0.25), "beta has no equal"),
        ("{distribution: weird, min: 0, max: 2}", FloatRange(0, 2), "'weird' is not known"),
        ("{min: low, max: 2.5}", FloatRange(0, 2.5), "must be a number"),
        ("{max: 2.5}", FloatRange(0, 2.5), "is missing: 0"),
        ("{min: 0.5, max: 2.5, extra: 1}", FloatRange(0.5, 2.5), "x.extra: is not known"),
        ("7", Constant(7), "is no mapping of settings"),
    ],
)
def test_every_kind_of_parameter(tmp_path: Path, settings: str, domain: object, note: str | None) -> None:
    text = (
        f"method: random\nmetric: {{name: a}}\nprogram: a.py\nparameters:\n  x: {settings}\n  y: {{values: [1, 2]}}\n"
    )
    config, notes = converted(tmp_path, text)
    assert space_of(config)["x"].domain == domain
    assert [note in found for found in notes] == ([True] if note else []) or (note is None and notes == [])


def test_names_that_are_none_here_are_changed_and_named(tmp_path: Path) -> None:
    text = "metric: {name: 'Loss (%)'}\nprogram: a\nparameters: {'a b?': {values: [1, 2]}}\n"
    config, notes = converted(tmp_path, text)
    assert (list(config.parameters), config.metric.name) == (["a_b"], "Loss")
    assert len(notes) == 2


@pytest.mark.parametrize("text", ["", "a: [", "method: bayes\n", "parameters: {x: !!python/name:os {}}", "x: 1\nx: 2"])
def test_what_is_no_sweep_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        converted(tmp_path, text)
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        convert_wandb(tmp_path / "none.yaml", "a")


def test_init_converts_a_file_and_says_what_has_no_equal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wandb.yaml").write_text(YOLO)
    done = CliRunner().invoke(main, ["init", "--from", "wandb.yaml", "ours.yaml"])
    assert done.exit_code == 0
    assert done.stdout == "wrote ours.yaml\nnext: hpo run ours.yaml\n"
    assert done.stderr == "no equal: wandb.yaml:7:9: entity: has no equal: left out\n"
    assert CliRunner().invoke(main, ["check", "ours.yaml"]).exit_code == 0
    assert CliRunner().invoke(main, ["init", "--from", "wandb.yaml", "-t", "python"]).exit_code == 2
    assert CliRunner().invoke(main, ["init", "--from", "wandb.yaml", "ours.yaml"]).exit_code == 2
