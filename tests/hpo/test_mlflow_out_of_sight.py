"""A trial on a host that does not see the sweep's SQLite database: MLflow cannot be used there, everything else can."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from hpo.errors import ObjectiveError
from hpo.mlflow_in_trials import MlflowInTrials
from hpo.trial import Outcome, State, Trial

FLUENT = "mlflow.tracking.fluent"


@pytest.fixture
def import_mlflow(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    monkeypatch.delitem(sys.modules, FLUENT, raising=False)
    return lambda: monkeypatch.setitem(sys.modules, FLUENT, ModuleType(FLUENT))


def done() -> Outcome:
    return Outcome(0, 1, State.COMPLETE, tags={"mine": "1"})


def test_an_objective_that_imports_mlflow_there_is_refused_with_the_way_out(
    tmp_path: Path, import_mlflow: Callable[[], None]
) -> None:
    there = MlflowInTrials(f"sqlite:///{tmp_path}/none.db")

    with pytest.raises(ObjectiveError, match=r"its host does not see .*none\.db: keep the sweep in a PostgreSQL"):
        there.prepare(import_mlflow)


def test_any_other_objective_does_not_notice(tmp_path: Path, import_mlflow: Callable[[], None]) -> None:
    there = MlflowInTrials(f"sqlite:///{tmp_path}/none.db")

    there.prepare(lambda: None)

    assert there.around(Trial(0, {}, 0), done) == done()
    assert not (tmp_path / "none.db").exists()


def test_a_trial_that_imports_mlflow_later_is_marked(tmp_path: Path, import_mlflow: Callable[[], None]) -> None:
    def run() -> Outcome:
        import_mlflow()
        return done()

    outcome = MlflowInTrials(f"sqlite:///{tmp_path}/none.db").around(Trial(0, {}, 0), run)

    assert outcome.tags == {
        "mine": "1", "hpo.mlflow_lost": f"this host does not see sqlite:///{tmp_path}/none.db",
    }  # fmt: skip
