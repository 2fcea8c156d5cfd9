"""Which secrets travel to the hosts of a cluster, and that none is on record of what comes back."""

import logging
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path

import cloudpickle
import pytest
from process_placement import ProcessPlacement

from hpo.errors import ObjectiveError
from hpo.executors.limits import Limits
from hpo.executors.remote import in_the_clear
from hpo.executors.remote.carried import Carried, arrived, carried
from hpo.executors.remote.cluster import Cluster
from hpo.executors.remote.in_the_clear import say_what_can_be_read
from hpo.executors.remote.remote_executor import RemoteExecutor
from hpo.executors.work import Work
from hpo.masking import Secrets
from hpo.mlflow_in_trials import MlflowInTrials
from hpo.objective import TrialContext
from hpo.secret_keeping import SecretKeeping, SecretKeepingFiles
from hpo.trial import Goal, State, Trial
from hpo.trial_files import StoredFiles
from trackers.artifacts import ArtifactFolder

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # hosts cannot import a test file

TOKEN, KEY, PASSWORD, TAG = "S3CRET-token", "S3CRET-key", "S3CRET-password", "S3CRET-tag"
SECRETS = Secrets({"api_key": KEY}, frozenset({TOKEN, PASSWORD, TAG}), frozenset({"A_TOKEN"}))


def objective(params: Mapping[str, object], trial: TrialContext) -> float:
    import os

    raise ValueError(f"{params['api_key']} {os.environ['A_TOKEN']} {'S3CRET'}-password")


def work(folder: Path, secrets: Secrets = SECRETS) -> Work:
    files = SecretKeepingFiles(StoredFiles(ArtifactFolder()), secrets)
    surroundings = MlflowInTrials(f"postgresql://me:{PASSWORD}@db/hpo")
    keeping = SecretKeeping(objective, secrets)
    return Work(keeping, "loss", Goal.MINIMIZE, files, folder, surroundings=surroundings)


def test_what_the_environment_of_a_host_holds_does_not_travel(tmp_path: Path) -> None:
    sent = carried(work(tmp_path))

    assert [text.encode() in sent for text in (TOKEN, TAG, KEY, PASSWORD)] == [False, False, True, True]


def test_a_host_masks_what_its_own_environment_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "its own token")
    there = arrived(pickle.loads(carried(work(tmp_path))))
    there.objective.prepare()  # type: ignore[attr-defined]  # Carried has it

    assert there.objective.secrets.hide(f"its own token {KEY}") == "*** ***"  # type: ignore[attr-defined]  # as above
    assert there.files.secrets.hide(f"its own token {PASSWORD}") == "*** ***"  # type: ignore[union-attr]  # as above


@pytest.mark.parametrize("held", [None, ""])
def test_a_host_that_lacks_a_secret_is_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: str | None
) -> None:
    monkeypatch.delenv("A_TOKEN", raising=False)
    if held is not None:
        monkeypatch.setenv("A_TOKEN", held)
    there = arrived(pickle.loads(carried(work(tmp_path))))

    with pytest.raises(ObjectiveError, match=r"objective\.secret_env: not set in the environment: A_TOKEN"):
        there.objective.prepare()  # type: ignore[attr-defined]  # Carried has it


def test_a_password_that_is_quoted_in_an_address_travels_to_be_masked() -> None:
    secrets = Secrets(values=frozenset({"S3C/RET@x"}))

    assert secrets.sent_with("postgresql://me:S3C%2FRET%40x@db/hpo") == secrets


def test_an_objective_without_secrets_travels_as_it_is() -> None:
    assert Carried(pickle.dumps(abs)).secrets == Secrets()


def test_secrets_that_can_be_read_on_the_way_are_named_once_with_the_way_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_clear._say.cache_clear()

    say_what_can_be_read("10.0.0.5", work(tmp_path))
    say_what_can_be_read("10.0.0.5", work(tmp_path))

    said = [record.message for record in caplog.records]
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 3
    assert said[0].startswith("trials travel over 10.0.0.5 signed, but not encrypted")
    assert "parameters.api_key: take these" in said[1] or "parameters.api_key: take them" in said[1]
    assert "the password in tracker.uri: leave it out, and put it into ~/.pgpass" in said[2]
    assert not any("S3CRET" in text for text in said)


def test_of_a_line_that_carries_no_secret_only_its_openness_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_clear._say.cache_clear()

    say_what_can_be_read("10.0.0.6", work(tmp_path, Secrets({}, frozenset({TOKEN}), frozenset({"A_TOKEN"}))))

    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "trials travel over 10.0.0.6 signed, but not encrypted"
    ]


@pytest.mark.slow
def test_no_secret_comes_back_in_what_went_wrong(tmp_path: Path) -> None:
    secrets = Secrets({"api_key": KEY}, frozenset({TOKEN, PASSWORD}), frozenset({"A_TOKEN"}))
    made = Work(SecretKeeping(objective, secrets), "loss", Goal.MINIMIZE, None, tmp_path)
    placement = ProcessPlacement({"HPO_HOST": "far", "A_TOKEN": "its own token"})
    executor = RemoteExecutor(made, slots=1, limits=Limits(), placement=placement, cluster=Cluster())
    try:
        executor.submit(Trial(0, {"api_key": "***"}, 0))
        (outcome,) = executor.wait(60)
    finally:
        executor.close()

    assert (outcome.state, outcome.error) == (State.FAILED, "ValueError: *** *** ***")
    assert "S3CRET" not in outcome.traceback.replace("'S3CRET'", "")
    assert "its own token" not in outcome.traceback
