"""Sweep files with points to start with and earlier sweeps, run in a real store, interrupted and forked."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from hpo import resume, run
from hpo.cli.main import main
from hpo.duplicates import REUSED_TAG
from hpo.errors import ConfigError, NothingFound
from hpo.interruption import Interruption
from hpo.progress import Progress
from hpo.recorded_config import FILE_TAG, FOLDER_TAG
from hpo.result import SweepResult
from hpo.trial import Outcome, Trial
from hpo.warm_start import WARM_START_TAG
from hpo.watcher import Silence
from trackers.opening import open_store
from trackers.records import Query, RunDeleted

SWEEP = """
name: bowl
metric: {name: loss}
objective: {python: "bowl:objective"}
parameters:
  x: {type: float, low: -1, high: 1}
  k: {type: int, low: 1, high: 4}
engine: {name: hyperopt, sampler: tpe, seed: 3, options: {n_startup_jobs: 4}}
start: [{x: 0.5, k: 2}, {k: 3}, {x: -1}]
budget: {n_trials: 9}
parallel: {backend: serial, window: 3}
"""
OBJECTIVE = """
def objective(params, trial):
    return params["x"] ** 2 + params["k"]
"""
URI = "sqlite:///mlflow.db"
Trials = list[tuple[int, dict[str, object]]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("HPO_TRACKER", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "bowl.py").write_text(OBJECTIVE)
    (tmp_path / "bowl.yaml").write_text(SWEEP)
    return tmp_path


def trials(result: SweepResult) -> Trials:
    return [(run.trial.number, dict(run.trial.params)) for run in result.trials() if run.trial]


def interrupted_after(count: int, overrides: Sequence[str]) -> None:
    interruption = Interruption()

    class Interrupting(Silence):
        def trial_ended(self, trial: Trial, outcome: Outcome, progress: Progress) -> None:
            if progress.ended == count:
                interruption.ask(grace=0.0)

    run("bowl.yaml", overrides=overrides, watcher=Interrupting(), interruption=interruption)


def test_known_points_are_the_first_trials_whatever_runs_them_and_when(folder: Path) -> None:
    golden = trials(run("bowl.yaml"))
    assert golden[0] == (0, {"x": 0.5, "k": 2})
    assert golden[1][1]["k"] == 3
    assert golden[2][1]["x"] == -1.0
    assert len(golden) == 9
    threads = ["name=threads", "parallel.n_jobs=3", "parallel.backend=threading"]
    assert trials(run("bowl.yaml", overrides=threads)) == golden
    for count in (4,):
        overrides = [f"name=cut-{count}"]
        interrupted_after(count, overrides)
        assert trials(run("bowl.yaml", overrides=overrides)) == golden


def test_a_fork_runs_the_points_to_start_with_under_their_numbers(folder: Path) -> None:
    run("bowl.yaml", overrides=["start=[]"])
    old = [params for _, params in trials(run("bowl.yaml", overrides=["start=[]"]))]
    second = json.dumps(old[4])
    forked = trials(run("bowl.yaml", overrides=[f"start=[{{x: 0.25}}, {second}]"], fork=True))
    assert forked[0][1]["x"] == 0.25
    assert forked[1][1] == old[4]
    assert [params for _, params in forked[2:]] == [*old[:4], *old[5:8]]


def test_what_was_taken_of_earlier_sweeps_stays_though_they_grow_or_go(folder: Path) -> None:
    run("bowl.yaml", overrides=["name=before"])
    warm = ["name=warm", "start=[{x: 0.5}]", "warm_start={from: before, top: 5}"]
    cold = trials(run("bowl.yaml", overrides=["name=cold", "start=[{x: 0.5}]"]))
    golden = run("bowl.yaml", overrides=warm)
    assert trials(golden)[0] == cold[0]
    assert trials(golden)[1:] != cold[1:]
    with open_store(URI) as store:
        tags = store.tracker.get(golden.run_id).tags
        assert tags[WARM_START_TAG] == "took 5 of 9 trials of before: 4 not among the best 5"
        before = store.tracker.find(Query(sweeps=True, name="before"))[0].id
    overrides = ["name=again", *warm[1:]]
    interrupted_after(4, overrides)
    run("bowl.yaml", overrides=["name=before", "budget.n_trials=14"])
    with open_store(URI) as store:
        gone = [child.id for child in store.tracker.find(Query(parent=before))]
        store.tracker.record([RunDeleted(run_id, 5) for run_id in [*gone, before]])
    assert trials(run("bowl.yaml", overrides=overrides)) == trials(golden)


def test_a_sweep_that_cannot_be_warm_started_is_not_begun(folder: Path) -> None:
    with pytest.raises(ConfigError, match="no sweep 'nobody'"):
        run("bowl.yaml", overrides=["warm_start={from: nobody}"])
    with open_store(URI) as store:
        assert store.tracker.find(Query(sweeps=True)) == []


def test_a_sweep_like_one_on_record_is_told_what_that_one_found(folder: Path) -> None:
    before = run("bowl.yaml", overrides=["start=[]", "experiment=bowls"])
    (folder / "bowl.yaml").unlink()
    again = run(like="bowl", overrides=["budget.n_trials=7"])
    assert (again.name, len(again.trials())) == ("bowl-like", 7)
    assert trials(again) != trials(before)[:7]
    with open_store(URI) as store:
        recorded = store.tracker.get(again.run_id)
        old = store.tracker.get(before.run_id)
    assert recorded.tags[WARM_START_TAG] == "took 9 of 9 trials of bowl"
    assert recorded.experiment == "bowls"
    assert [recorded.tags[name] for name in (FOLDER_TAG, FILE_TAG)] == [old.tags[FOLDER_TAG], old.tags[FILE_TAG]]
    same = run(like="bowl", overrides=["budget.n_trials=7"])
    assert (same.run_id, same.stop) == (again.run_id, None)
    first = trials(again)
    assert trials(resume("bowl-like", more=2))[:7] == first
    with pytest.raises(ConfigError, match="was made from a different file"):
        run(like="bowl", overrides=["parameters.k=2"])
    assert run(like="bowl", overrides=["parameters.k=2"], new=True).name == "bowl-like-2"


def test_a_file_is_run_like_a_sweep_by_telling_that_one_first(folder: Path) -> None:
    run("bowl.yaml", overrides=["name=before"])
    like = run("bowl.yaml", like="before")
    written = run("bowl.yaml", overrides=["name=written", "warm_start={from: [before]}"])
    assert like.name == "bowl"
    assert trials(like) == trials(written)


def test_nothing_to_run_and_nobody_to_be_like_are_said(folder: Path) -> None:
    with pytest.raises(ConfigError, match="name a sweep file, or a sweep on record"):
        run()
    run("bowl.yaml", overrides=["budget.n_trials=1"])
    with pytest.raises(NothingFound, match="did you mean 'bowl'"):
        run(like="bowls")


def test_finalists_are_trials_that_ran_and_not_those_that_took_a_value_over(folder: Path) -> None:
    (folder / "kept.py").write_text(
        "from sklearn.linear_model import Ridge\n\n\ndef objective(params, trial):\n"
        "    trial.log_model(Ridge(alpha=params['k']).fit([[0.0], [1.0]], [0.0, 1.0]))\n    return params['k']\n"
    )
    overrides = ["objective.python=kept:objective", "parameters={k: [1, 2, 3]}", "duplicates=reuse", "start=[]"]
    overrides += ["engine={sampler: random, seed: 1}", "register={name: m, top: 3, seeds: 2}", "budget.n_trials=12"]
    overrides += ["parallel.window=1"]
    result = run("bowl.yaml", overrides=overrides)
    assert result.registered
    assert result.decision
    with open_store(URI) as store:
        children = store.tracker.find(Query(parent=result.run_id))
        reused = [child for child in children if REUSED_TAG in child.tags]
        assert len(reused) > 4
        kept = {child.params["k"] for child in children if child.models}
        ran_again = {child.id for child in children if store.tracker.find(Query(parent=child.id))}
    assert kept == {1, 2, 3}
    assert len(ran_again) == 3
    assert not ran_again & {child.id for child in reused}


def test_the_command_line_wants_a_file_or_a_sweep(folder: Path) -> None:
    refused = CliRunner().invoke(main, ["run"])
    assert (refused.exit_code, "--like SWEEP" in refused.output) == (2, True)
    run("bowl.yaml", overrides=["budget.n_trials=1"])
    shown = CliRunner().invoke(main, ["run", "--like", "bowl", "--dry-run", "-n", "5"])
    assert shown.exit_code == 0, shown.output
    assert "would run 5 trials of sweep bowl-like" in shown.output
