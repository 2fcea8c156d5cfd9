"""Sweeps of programs, run to their end in a real store."""

from pathlib import Path

import pytest

from hpo import run
from hpo.config.reading import read_sweep
from hpo.errors import ObjectiveError
from trackers.opening import open_store
from trackers.records import Query

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "command.yaml"


def trials_of(folder: Path, *overrides: str) -> list[object]:
    folder.mkdir(exist_ok=True)
    uri = f"sqlite:///{folder}/mlflow.db"
    result = run(CONFIG, tracker=uri, overrides=[f"tracker.artifacts={folder}/mlruns", *overrides])
    with open_store(uri, read_only=True) as store:
        runs = store.tracker.find(Query(parent=result.run_id, points_of="loss"))
    return [(t.number, t.state, dict(t.params), [(p.step, p.value) for p in r.points]) for r in runs if (t := r.trial)]


def test_programs_are_stopped_at_the_same_steps_by_two_workers_and_one_thread(tmp_path: Path) -> None:
    few = ["budget.n_trials=12", "parallel.window=4"]
    golden = trials_of(tmp_path / "a", *few)
    assert trials_of(tmp_path / "b", *few, "parallel.n_jobs=1", "parallel.backend=serial") == golden
    states = [trial[1] for trial in golden]  # type: ignore[index]  # a tuple
    assert set(states) == {"COMPLETE", "PRUNED"}
    steps = {len(trial[3]) for trial in golden if trial[1] == "PRUNED"}  # type: ignore[index]  # as above
    assert steps <= {4, 16}


def test_a_program_that_is_not_there_ends_the_sweep_before_trial_1(tmp_path: Path) -> None:
    assert read_sweep(CONFIG).objective.command is not None
    with pytest.raises(ObjectiveError, match="there is no program 'no-such-awk' on PATH"):
        trials_of(tmp_path, "objective.command=[no-such-awk]")
    assert not (tmp_path / "mlflow.db").exists()
