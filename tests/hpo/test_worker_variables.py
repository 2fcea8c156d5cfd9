"""With which variables processes start that run trials, and that the order of sets repeats there."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import cloudpickle
import pytest

from hpo.executors.names import make_executor
from hpo.objective import TrialContext
from hpo.trial import Goal, Trial
from hpo.worker_variables import THREAD_VARIABLES, worker_variables

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a test file

WORDS = ["ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen"]


def by_set_order(params: Mapping[str, object], trial: TrialContext) -> float:
    """A sum of floats in the order of a set of texts: hashes with random seeds give other last bits, or other texts."""
    weights = {word: 10.0**place for place, word in enumerate(WORDS)}
    return sum(weights[word] * place for place, word in enumerate(set(WORDS)))


def values(tmp_path: Path, slots: int) -> list[float]:
    executor = make_executor(
        "loky", slots=slots, objective=by_set_order, metric="loss", goal=Goal.MINIMIZE, files=None,
        scratch=tmp_path / str(slots),
    )  # fmt: skip
    try:
        found = {}
        for first in range(0, 4, slots):
            for number in range(first, first + slots):
                executor.submit(Trial(number, {}, seed=number, artifact_uri=f"run{number}"))
            while len(found) < first + slots:
                found |= {outcome.number: outcome.metrics["loss"] for outcome in executor.wait(60)}
        return [found[number] for number in range(4)]
    finally:
        executor.close()


def test_what_depends_on_the_order_of_a_set_repeats_with_1_and_2_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)

    one, two = values(tmp_path, 1), values(tmp_path, 2)

    assert one == two
    assert len(set(one)) == 1


def test_the_order_in_a_worker_is_that_of_any_process_with_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "print(list({'ant', 'bee', 'cat', 'dog', 'eel', 'fox', 'gnu', 'hen'}))"
    orders = {
        subprocess.run(
            [sys.executable, "-c", code], env=worker_variables(1, {}), capture_output=True, check=True
        ).stdout
        for _ in range(2)
    }

    assert len(orders) == 1


def test_a_seed_of_hashes_that_the_user_has_set_stays() -> None:
    assert "PYTHONHASHSEED" not in worker_variables(1, {"PYTHONHASHSEED": "7"})
    assert worker_variables(1, {"PYTHONHASHSEED": ""})["PYTHONHASHSEED"] == "0"


def test_threads_are_left_alone_where_no_limit_is_asked_for() -> None:
    assert set(worker_variables(None, {})) == {"PYTHONHASHSEED"}
    assert {name for name, value in worker_variables(3, {}).items() if value == "3"} == set(THREAD_VARIABLES)
