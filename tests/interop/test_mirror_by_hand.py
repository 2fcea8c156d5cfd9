"""What is changed by hand goes to the mirrors at once, where they answer; and stands in the store in any case."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from sklearn.dummy import DummyRegressor

from hpo.cli.main import main
from trackers.artifacts import ArtifactFolder
from trackers.opening import Store, open_store
from trackers.records import Point, RunEnded, RunStarted, RunUpdated, Status, SweepFacts, TrialFacts

STARTED = 1_760_000_000_000
SWEEP, TRIALS = "a" * 32, 2
ROWS = np.zeros((2, 1))
NOBODY = "http://127.0.0.1:9"
Hpo = Callable[..., Result]


def trial_id(number: int) -> str:
    return f"{number:032x}"


def keep_sweep(store: Store, name: str, mirror: str) -> None:
    """A sweep that has ended, of trials that kept models, and that has a mirror."""
    facts = SweepFacts("{}", "0" * 64, "acc", "maximize", 42, 1, TRIALS)
    tracker = store.tracker
    tracker.experiment(name)
    tags = {"hpo.mirrors": json.dumps([mirror])}
    tracker.record([RunStarted(SWEEP, name, name, STARTED, user="ada", sweep=facts, tags=tags)])
    for number in range(TRIALS):
        run_id, begun = trial_id(number), TrialFacts(number, {"x": number})
        tracker.record([RunStarted(run_id, f"trial-{number}", name, STARTED, SWEEP, {"x": number}, trial=begun)])
        place = tracker.get(run_id).artifact_uri
        model = DummyRegressor().fit(ROWS, [number, number])
        logged, files = ArtifactFolder().save_model(place, model, name="model", run_id=run_id, input_example=ROWS)
        ended = TrialFacts(number, {"x": number}, state="COMPLETE", value=0.5 + number / 10, seconds=0.1)
        points = [Point("acc", 0.5 + number / 10, 0, STARTED)]
        tracker.record([RunEnded(run_id, Status.FINISHED, STARTED + 5, points, trial=ended, artifacts=files,
                                 models=[logged])])  # fmt: skip
    tracker.record([RunEnded(SWEEP, Status.FINISHED, STARTED + 9)])


@pytest.fixture
def hpo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hpo:
    """`hpo("promote", ..)` on the store of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HPO_MIRROR_WAIT", "120")
    for name in ("HPO_TRACKER", "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> Result:
        done = CliRunner().invoke(main, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.stderr
        return done

    return run


def store_in(folder: Path) -> Store:
    return open_store(f"sqlite:///{folder}/mlflow.db", artifacts=str(folder / "mlruns"))


def test_a_change_by_hand_stands_where_no_server_answers_and_says_what_sends_it(tmp_path: Path, hpo: Hpo) -> None:
    with store_in(tmp_path) as store:
        keep_sweep(store, "iris", NOBODY)
    done = hpo("register", "iris#1", "--name", "iris", "--alias", "champion")
    assert "registered iris version 1, alias champion" in done.stdout
    assert f"{NOBODY} cannot be reached" in done.stderr
    pending = TRIALS + 1 + 2  # a version and an alias
    assert f"mlflow sync pending: {pending}; send it with: hpo mirror iris" in done.stderr


@pytest.mark.slow
def test_what_is_changed_by_hand_is_on_the_server_at_once(
    tmp_path: Path, hpo: Hpo, mlflow_server: Any, fresh_name: str
) -> None:
    def champion() -> str:
        found = mlflow_server.ask("registered-models/get", name=fresh_name)["registered_model"]
        return str({alias["alias"]: alias["version"] for alias in found["aliases"]}["champion"])

    def stage(version: str) -> str:
        found = mlflow_server.ask("model-versions/get", name=fresh_name, version=version)["model_version"]
        return str(found["current_stage"])

    with store_in(tmp_path) as store:
        keep_sweep(store, fresh_name, mlflow_server.uri)
    assert f"sent to {mlflow_server.uri}" in hpo("register", f"{fresh_name}#0", "--alias", "champion").stderr
    assert champion() == "1"
    hpo("register", f"{fresh_name}#1", "--alias", "champion")
    assert champion() == "2"
    hpo("rollback", fresh_name, "champion")
    assert champion() == "1"
    hpo("promote", fresh_name, "2", "champion", "--stage", "Production")
    assert (champion(), stage("2")) == ("2", "Production")
    hpo("promote", fresh_name, "1", "--stage", "Production")
    assert (stage("1"), stage("2")) == ("Production", "Archived")
    hpo("annotate", fresh_name, "1", "--description", "for the fair")
    found = mlflow_server.ask("model-versions/get", name=fresh_name, version="1")["model_version"]
    assert found["description"] == "for the fair"

    hpo("delete", fresh_name, "--keep-registered", "--yes")
    assert {run["info"]["run_name"] for run in mlflow_server.runs(fresh_name)} == {"trial-0", "trial-1"}
    hpo("restore", fresh_name)
    assert len(mlflow_server.runs(fresh_name)) == TRIALS + 1


def test_a_sweep_that_has_no_mirror_is_sent_nowhere(tmp_path: Path, hpo: Hpo) -> None:
    with store_in(tmp_path) as store:
        keep_sweep(store, "iris", NOBODY)
        store.tracker.record([RunUpdated(SWEEP, tags={"hpo.mirrors": "[]"})])
    hpo("register", "iris#1", "--name", "iris", "--alias", "champion")
    assert "mirror" not in hpo("delete", "iris#0", "--yes").stderr
