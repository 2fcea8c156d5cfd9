"""The window that a file leaves out."""

import pytest

from hpo.config.conversion import canonical, config_hash
from hpo.config.expanded import as_yaml
from hpo.config.reading import read_sweep_text
from hpo.config.schema import SweepConfig
from hpo.config.window import window_of

TEXT = """\
name: a
metric: {name: loss}
objective: {python: "a:b"}
parameters: {x: {type: float, low: 0, high: 1}, y: [1, 2]}
engine: {name: optuna, sampler: random}
parallel: {n_jobs: 65}
"""


def read(text: str = TEXT, *overrides: str) -> SweepConfig:
    return read_sweep_text(text, "f", overrides)


@pytest.mark.parametrize(
    ("overrides", "window"),
    [
        ([], 520),
        (["engine={name: hyperopt, sampler: random}"], 520),
        (["engine={name: optuna, sampler: grid}"], 520),
        (["budget.max_failures=null"], 520),
        (["parallel.n_jobs=64"], 128),
        (["parallel.window=130"], 130),
        (["parallel.window=free"], None),
        (["parallel={n_jobs: -1, window: 9}"], 9),
        (["engine.sampler=tpe"], 130),
        (["engine=auto"], 130),
        (["pruner=median"], 130),
        (["duplicates=reuse"], 130),
        (["budget.patience=9"], 130),
        (["metric.target=0.1"], 130),
    ],
)
def test_it_is_wide_for_many_jobs_where_nothing_learns_and_only_failures_end_early(
    overrides: list[str], window: int | None
) -> None:
    assert window_of(read(TEXT, *overrides)) == window


def test_a_wide_window_is_the_same_sweep_as_before_there_were_wide_ones() -> None:
    assert canonical(read()) == canonical(read(TEXT, "parallel.window=130"))


def test_a_wide_window_stays_wide_on_record() -> None:
    again = read(as_yaml(read()))
    assert window_of(again) == 520
    assert config_hash(again) == config_hash(read())


@pytest.mark.parametrize("engine", ["auto", "{name: optuna, sampler: tpe}"])
def test_the_window_of_one_that_learns_stands_on_record_and_needs_no_default(engine: str) -> None:
    config = read(TEXT, f"engine={engine}", "parallel.n_jobs=8")
    assert "window: 16" in as_yaml(config)
    assert config_hash(read(as_yaml(config))) == config_hash(config)
