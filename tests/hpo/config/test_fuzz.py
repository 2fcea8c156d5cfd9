"""No text makes reading end in anything but a configuration or a ConfigError."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.config.conversion import canonical, config_hash, space_of
from hpo.config.expanded import as_yaml
from hpo.config.reading import SweepFileError, read_sweep_text
from hpo.config.schema import SweepConfig

BASE = """\
version: 1
name: a
metric: {name: r2, goal: maximize}
objective:
  sklearn:
    data: {loader: a.b, test: 0.2}
    pipeline: [{x: b.c}, {y: d.e}]
    cv: {folds: 3}
    scoring: [r2]
parameters:
  x: {choices: {p: a.b, q: c.d}}
  x__a: {type: float, low: 1e-3, high: 1, log: true, when: {x: p}}
  x__b: {type: int, low: 1, high: 9, step: 2, when: {x: [p, q]}}
  y__c: &c [1, 2.5, true, null, "z"]
  y__d: *c
engine: {name: optuna, sampler: tpe, seed: 3, options: {a: 1}}
budget: {n_trials: 9, timeout: 1h, patience: 3}
parallel: {n_jobs: 2, window: 4}
tracker: {uri: x, log_models: best}
register: {name: m, top: 2, alias: c}
"""
BITS = [
    *"{}[],:-?#&*!|>'\"%@`~\n\t \r\\.", "\n  ", ": ", "- ", "<<", "---\n", "...\n", "&a ", "*a", "!!int ",
    "%YAML 1.1\n",
    "1e-3", ".inf", ".nan", "1e999", "-0", "99999999999999999999999", "null", "true", "yes", "''", '""', '"\\x00"',
    "\x00", "\x85", "\u2028", "\ufeff", "\ud800", "é", "😀", "parameters", "type", "float", "low", "high", "when",
    "choices", "x", "y__c", "step", "log", "name", "metric", "-1", "0", "1",
]  # fmt: skip

leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(BITS), st.text(string.printable, max_size=8)
)
documents = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(BITS), inner, max_size=4)
)


def read(text: str, overrides: tuple[str, ...]) -> SweepConfig | SweepFileError:
    try:
        return read_sweep_text(text, "f", overrides)
    except SweepFileError as error:
        return error


def check(text: str, overrides: tuple[str, ...] = ()) -> None:
    config = read(text, overrides)
    if isinstance(config, SweepFileError):
        lines, count = str(config).splitlines(), len(config.problems)
        assert len(lines) == count + 1 > 1
        assert lines[-1] == f"{count} error{'s' * (count > 1)} in f; nothing was run"
        assert all(line.isprintable() for line in lines)
        return
    assert len(space_of(config).parameters) == len(config.parameters)
    assert config_hash(read_sweep_text(as_yaml(config))) == config_hash(config)
    assert canonical(config).isascii()


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(BITS), max_size=40).map("".join))
def test_any_text_made_of_yaml(text: str) -> None:
    check(text)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.text(max_size=60))
def test_any_text_at_all(text: str) -> None:
    check(text)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(0, len(BASE)), st.integers(0, 12), st.lists(st.sampled_from(BITS), max_size=3).map("".join))
def test_a_good_file_with_a_piece_replaced(start: int, length: int, piece: str) -> None:
    check(BASE[:start] + piece + BASE[start + length :])


def flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!a}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return {True: "true", False: "false", None: "null"}.get(value, repr(value)) if not isinstance(value, str) else value


KEYS = [
    "version", "name", "description", "tags", "metric", "metric.name", "metric.goal", "metric.target", "objective",
    "objective.sklearn", "objective.sklearn.data", "objective.sklearn.data.test", "objective.sklearn.pipeline",
    "objective.sklearn.pipeline.0", "objective.sklearn.pipeline.0.x", "objective.sklearn.cv",
    "objective.sklearn.cv.folds", "objective.sklearn.scoring", "objective.python", "parameters", "parameters.x",
    "parameters.x.choices", "parameters.x.choices.p", "parameters.x__a", "parameters.x__a.low", "parameters.x__a.type",
    "parameters.x__a.when", "parameters.x__a.when.x", "parameters.x__b.step", "parameters.y__c", "parameters.y__c.1",
    "engine", "engine.sampler", "engine.options", "engine.options.a", "budget", "budget.timeout", "budget.n_trials",
    "parallel", "parallel.window", "parallel.n_jobs", "tracker", "tracker.log_models", "register", "register.alias",
]  # fmt: skip


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.sampled_from(KEYS), documents)
def test_a_good_file_with_any_key_set_to_anything(key: str, value: object) -> None:
    check(BASE, (f"{key}={flow(value)}",))


def test_the_base_of_these_tests_is_good() -> None:
    assert read_sweep_text(BASE).name == "a"


@pytest.mark.parametrize(
    "text", ["a: !<", "%YAML 9", "%TAG ! x", "a: !!<>", "a: |9", "a: >0\n", "%", "? ", "&", "a: &\n"]
)
def test_texts_that_trip_parsers(text: str) -> None:
    check(text)
