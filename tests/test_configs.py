"""Every sweep file that ships is built: what it names is there, and its engine serves its space."""

from pathlib import Path

import pytest

from hpo.build import parts_of
from hpo.config.reading import read_sweep

CONFIGS = sorted((Path(__file__).resolve().parent.parent / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_is_built_and_asks_for_its_first_trials(path: Path) -> None:
    parts = parts_of(read_sweep(path), path.parent)
    first = parts.sampler().ask(range(3))
    assert all(parts.space.contains(params) for params in first)
    assert parts.plan.budget.n_trials >= 3


def test_the_four_examples_ship() -> None:
    assert {"breast-cancer", "diabetes", "digits", "taxi"} <= {path.stem for path in CONFIGS}
