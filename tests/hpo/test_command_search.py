"""Sweeps of programs, run to their end in a real store."""

import json
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


@pytest.mark.slow
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


MODEL = """
name: models
metric: {name: loss}
objective:
  command: [sh, "{sweep_dir}/train.sh", "{x}"]
  cwd: "{trial_dir}"
  model: out/model
parameters: {x: [3, 1, 2]}
engine: {sampler: grid}
parallel: {backend: serial}
register: {name: shell-model}
"""
TRAIN = r"""
mkdir -p out/model
echo "$1" > out/model/weights
printf 'flavors:\n  shell: {data: weights}\nutc_time_created: 2026-01-01\nrun_id: theirs\n' > out/model/MLmodel
echo "{\"loss\": $1}"
"""


def test_a_model_folder_that_a_program_wrote_is_registered(tmp_path: Path) -> None:
    (tmp_path / "train.sh").write_text(TRAIN)
    (tmp_path / "sweep.yaml").write_text(MODEL)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    result = run(tmp_path / "sweep.yaml", tracker=uri, overrides=[f"tracker.artifacts={tmp_path}/mlruns"])
    with open_store(uri, read_only=True) as store:
        [version] = store.registry.versions("shell-model")
        best = store.tracker.get(str(version.run_id))
    assert best.metrics["loss"] == 1.0
    assert best.id in {found.id for found in result.best_runs(1)}
    [description] = tmp_path.glob("mlruns/**/MLmodel")
    assert (description.parent / "weights").read_text() == "1\n"
    described = json.loads(description.read_text())
    assert (described["run_id"], described["flavors"]) == (best.id, {"shell": {"data": "weights"}})
    assert described["model_id"].startswith("m-")


def test_a_trial_whose_program_wrote_no_model_fails(tmp_path: Path) -> None:
    (tmp_path / "train.sh").write_text('echo "{\\"loss\\": 1}"\n')
    (tmp_path / "sweep.yaml").write_text(MODEL)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    result = run(tmp_path / "sweep.yaml", tracker=uri, overrides=[f"tracker.artifacts={tmp_path}/mlruns"])
    with open_store(uri, read_only=True) as store:
        runs = store.tracker.find(Query(parent=result.run_id))
    assert {(t.state, t.reason) for found in runs if (t := found.trial)} == {("FAILED", "artifact")}
