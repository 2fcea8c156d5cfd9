"""Sweeps whose files lie in S3 (moto's server): whole from the search to the clean-up, and killed on the way."""

import importlib.util
import json
import re
import signal
import sqlite3
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from hpo import load_model
from hpo.executors.result_folder import WORTH_SAVING
from trackers.artifacts import ArtifactFolder
from trackers.opening import open_store
from trackers.records import Query

_spec = importlib.util.spec_from_file_location("faulty_proxy", Path(__file__).parents[1] / "faulty_proxy.py")
assert _spec is not None
assert _spec.loader is not None
faulty_proxy = sys.modules["faulty_proxy"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(faulty_proxy)

SECRET = "S3CRETkeyofnobody"
WITH_FILES = """
import os
import fault_objective

def objective(params, trial):
    path = trial.dir / "big.bin"
    path.write_bytes(bytes([trial.number]) * 9_000_000)  # two pieces
    trial.log_artifact(path)
    return fault_objective.with_model(params, trial)
"""
SLOW = """
import time
import fault_objective

def objective(params, trial):
    result = fault_objective.objective(params, trial)
    time.sleep(SECONDS)
    return result
""".replace("SECONDS", str(WORTH_SAVING))
FILES = ArtifactFolder()


@pytest.fixture
def store(s3_server, sweep_folder, monkeypatch: pytest.MonkeyPatch):
    """S3 for this process and its drivers; the folder's sweep keeps its files there."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    s3_server.use(monkeypatch)
    return s3_server


@pytest.fixture
def place(store, tmp_path: Path) -> str:
    """A place in the bucket that no other test uses."""
    return f"{store.uri}/{re.sub('[^a-z0-9]', '', tmp_path.name.lower())}{time.monotonic_ns()}"


def run(folder, zygote, store, *arguments: str, **environment: str):
    """`hpo ARGUMENTS` with what the store needs in its environment, less what is given as empty."""
    kept = {name: value for name, value in {**store.environment, **environment}.items() if value}
    return zygote.hpo(folder.path, *arguments, environment={"AWS_EC2_METADATA_DISABLED": "true", **kept})


def manifests(folder) -> Mapping[str, list]:
    with open_store(folder.uri, read_only=True) as store:
        return {item.artifact_uri: list(store.tracker.artifacts(item.id)) for item in store.tracker.find(Query())}


def assert_whole(folder) -> None:
    assert [wrong for uri, kept in manifests(folder).items() if (wrong := FILES.verify(uri, kept))] == []


def test_a_sweep_searches_registers_exports_and_cleans_up_in_an_object_store(
    sweep_folder, zygote, store, place: str
) -> None:
    sweep_folder.write(
        metric={"name": "accuracy", "goal": "maximize"},
        objective={
            "python": None,
            "sklearn": {
                "data": {"loader": "sklearn.datasets.load_iris", "test": 0.3},
                "estimator": "sklearn.tree.DecisionTreeClassifier",
                "cv": {"folds": 2},
            },
        },
        parameters={"x": None, "y": None, "max_depth": {"type": "int", "low": 1, "high": 9}},
        parallel={"n_jobs": 2, "backend": "loky"},
        tracker={"artifacts": place, "log_models": "best"},
        register={"name": "iris", "top": 1},
    )
    text = json.loads(sweep_folder.file.read_text())
    for section in ("objective", "parameters"):
        text[section] = {name: value for name, value in text[section].items() if value is not None}
    sweep_folder.file.write_text(json.dumps(text))

    done = run(sweep_folder, zygote, store, "run", "sweep.yaml")

    assert done.code == 0, done.stderr
    assert "registered iris version 1" in done.stdout + done.stderr
    assert_whole(sweep_folder)
    listed = FILES.names(place)
    models = {name.rpartition("/")[0] for name in listed if name.endswith("/model/MLmodel")}
    assert len(models) == 1, "the others' models are gone"
    with open_store(sweep_folder.uri) as opened:
        (version,) = opened.registry.versions()
        assert version.source == f"{place}/1/{version.run_id}/artifacts/model"
        uri = opened.tracker.get(version.run_id).artifact_uri
    model = load_model("iris@champion", tracker=sweep_folder.uri)
    assert model.get_depth() >= 1  # type: ignore[attr-defined]
    assert run(sweep_folder, zygote, store, "export", "-o", "trials.csv").code == 0
    assert run(sweep_folder, zygote, store, "register", "@latest", "--name", "again").code == 0
    source = sweep_folder.path / "lost.bin"
    source.write_bytes(b"12345")
    FILES.save_file(uri, source, "model/lost.bin")  # below a registered model
    FILES.save_file(uri, source, "lost.bin")
    dry = run(sweep_folder, zygote, store, "gc")
    assert f"{uri}/lost.bin" in dry.stdout
    assert "model/lost.bin" not in dry.stdout
    cleaned = run(sweep_folder, zygote, store, "gc", "--yes")
    assert cleaned.code == 0, cleaned.stderr
    assert set(FILES.names(place)) - set(listed) == {f"1/{version.run_id}/artifacts/model/lost.bin"}
    assert_whole(sweep_folder)


def test_a_kill_in_the_middle_of_an_upload_leaves_no_half_file_and_the_trial_runs_again(
    sweep_folder, zygote, store, place: str
) -> None:
    """F24: `artifact.half` is reached at each piece: by the probe, each of 5 small files, twice by a big one."""
    (sweep_folder.path / "with_files.py").write_text(WITH_FILES)
    sweep_folder.write(
        objective={"python": "with_files:objective"}, budget={"n_trials": 4}, tracker={"artifacts": place}
    )

    killed = run(sweep_folder, zygote, store, "run", "sweep.yaml", HPO_FAILPOINT="artifact.half:kill9:12")

    assert killed.code == 137
    assert sum(name.endswith("big.bin") for name in FILES.names(place)) == 2
    assert_whole(sweep_folder)
    done = run(sweep_folder, zygote, store, "run", "sweep.yaml")
    assert done.code == 0, done.stderr
    assert sweep_folder.states() == ["COMPLETE"] * 4
    assert_whole(sweep_folder)
    assert sum(artifact.path == "big.bin" for kept in manifests(sweep_folder).values() for artifact in kept) == 4
    assert "nothing to remove" in gc_of_objects(sweep_folder, zygote, store)


def gc_of_objects(folder, zygote, store) -> str:
    """What a clean-up says of the bucket; folders that other drivers left on this machine do not count."""
    listed = run(folder, zygote, store, "gc", "-f", "json")
    objects = [row for row in json.loads(listed.stdout or "[]") if row["path"].startswith("s3:")]
    return f"{objects}" if objects else "nothing to remove"


@pytest.mark.parametrize(
    ("artifacts", "environment", "message"),
    [
        ("s3://no-such-bucket/runs", {}, "there is no bucket 'no-such-bucket'; make it, or name another one"),
        (
            "PLACE",
            {"AWS_ACCESS_KEY_ID": "", "AWS_ENDPOINT_URL_S3": ""},
            "no credentials in the environment; set AWS_ACC",
        ),
        ("PLACE", {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", "HPO_ARTIFACTS_RETRIES": "1"}, "(no connection); see"),
        ("az://container/runs", {}, "does not say in which storage account: set AZURE_STORAGE_CONNECTION_STRING"),
    ],
)
def test_what_is_wrong_with_the_place_is_said_before_anything_is_on_record(
    sweep_folder, zygote, store, place: str, artifacts: str, environment: Mapping[str, str], message: str
) -> None:
    sweep_folder.write(tracker={"artifacts": place if artifacts == "PLACE" else artifacts})

    done = run(sweep_folder, zygote, store, "run", "sweep.yaml", **environment)

    assert done.code == (2 if artifacts.startswith("az:") else 75), done.stderr
    assert message in done.stderr
    assert sweep_folder.executions("start") == {}
    if sweep_folder.database.exists():
        with open_store(sweep_folder.uri, read_only=True) as opened:
            assert opened.tracker.find(Query()) == []
    sweep_folder.write(tracker={"artifacts": place})  # and the experiment is not bound to the wrong place
    assert run(sweep_folder, zygote, store, "run", "sweep.yaml").code == 0


@pytest.mark.parametrize(
    "artifacts",
    [
        f"s3://AKIANOBODY:{SECRET}@bucket/runs",
        f"gs://{SECRET}@bucket/runs",
        f"wasbs://c@account.blob.core.windows.net/runs?sv=2024&sig={SECRET}",
        f"https://account.blob.core.windows.net/c?sig={SECRET}",
        f"abfss://c:{SECRET}@account.dfs.core.windows.net/runs",
    ],
)
def test_credentials_in_the_sweep_file_are_refused_and_not_repeated(
    sweep_folder, zygote, store, artifacts: str
) -> None:
    sweep_folder.write(tracker={"artifacts": artifacts})

    for verb in ("check", "run"):
        done = run(sweep_folder, zygote, store, verb, "sweep.yaml", "--debug")
        assert done.code == 2
        assert "tracker.artifacts" in done.stderr
        assert SECRET not in done.stdout + done.stderr
    assert not sweep_folder.database.exists()


@pytest.mark.slow
def test_no_credential_is_on_record_on_the_screen_or_in_the_process_table(
    sweep_folder, store, place: str, wait_for, living
) -> None:
    (sweep_folder.path / "with_files.py").write_text(WITH_FILES)
    sweep_folder.write(
        objective={"python": "with_files:objective"},
        budget={"n_trials": 2},
        parallel={"n_jobs": 1, "backend": "loky"},
        tracker={"artifacts": place, "log_models": "best"},
    )
    sweep_folder.hold(1)

    driver = sweep_folder.start("run", "sweep.yaml", "--debug", "-v")
    wait_for(lambda: sweep_folder.held(1))
    commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in living(sweep_folder.path)]
    sweep_folder.release(1)

    assert driver.wait() == 0, driver.stderr
    assert commands
    assert all(SECRET.encode() not in command for command in commands)
    on_disk = b"".join(path.read_bytes() for path in sweep_folder.path.rglob("*") if path.is_file())
    assert SECRET.encode() not in on_disk
    kept = [FILES.open(uri, item.path).read() for uri, items in manifests(sweep_folder).items() for item in items]
    assert all(SECRET.encode() not in content for content in kept)


def test_a_store_that_refuses_costs_one_trial_and_quotes_no_secret_on_record(
    sweep_folder, zygote, store, place: str
) -> None:
    """F11 for object stores: what S3 answers quotes what the request was signed with, and a traceback is recorded."""
    (sweep_folder.path / "with_files.py").write_text(WITH_FILES)
    sweep_folder.write(
        objective={"python": "with_files:objective"}, budget={"n_trials": 3}, tracker={"artifacts": place}
    )
    with faulty_proxy.running_proxy(store.port) as proxy:
        left = iter(["403"])  # for the upload of the first large file
        proxy.fault = lambda method, path: next(left, "") if method == "POST" and "/big.bin" in path else ""
        done = run(sweep_folder, zygote, store.through(proxy.port), "run", "sweep.yaml", "--debug")

    assert done.code == 0, done.stderr
    assert sweep_folder.states() == ["FAILED", "COMPLETE", "COMPLETE"]
    failed = sweep_folder.trials()[0]
    assert failed.reason == "artifact"
    assert "access denied (AccessDenied, 403 Forbidden)" in failed.error
    recorded = (
        failed.error + failed.traceback + done.stdout + done.stderr
    ).encode() + sweep_folder.database.read_bytes()
    assert [word for word in (SECRET, "StringToSign", "AKIANOBODY") if word.encode() in recorded] == []
    assert_whole(sweep_folder)


def test_a_database_cannot_name_what_a_sweep_deletes(sweep_folder, zygote, store, place: str, tmp_path: Path) -> None:
    """A hostile row: models are dropped below the sweep's own place alone, whatever the database says."""
    victims = [f"{place}/letters/artifacts", f"{place}/1/{'e' * 32}/artifacts", str(tmp_path / "home" / "artifacts")]
    letter = tmp_path / "letter.txt"
    letter.write_text("dear")
    for victim in victims:
        FILES.save_file(victim, letter, "model/letter.txt")
    sweep_folder.write(
        objective={"python": "fault_objective:with_model"},
        budget={"n_trials": 3},
        tracker={"artifacts": place, "log_models": "all"},
    )
    assert run(sweep_folder, zygote, store, "run", "sweep.yaml").code == 0
    connection = sqlite3.connect(sweep_folder.database)
    trials = connection.execute("SELECT run_uuid FROM hpo_trials ORDER BY number").fetchall()
    for (run_id,), victim in zip(trials, victims, strict=True):
        connection.execute("UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", (victim, run_id))
    connection.commit()
    connection.close()
    sweep_folder.write(
        objective={"python": "fault_objective:with_model"},
        budget={"n_trials": 4},
        tracker={"artifacts": place, "log_models": "best"},
    )

    done = run(sweep_folder, zygote, store, "run", "sweep.yaml")

    assert done.code == 0, done.stderr
    assert done.stderr.count("left alone: model") >= 2
    assert [FILES.names(victim) for victim in victims] == [["model/letter.txt"]] * 3
    assert gc_of_objects(sweep_folder, zygote, store).count("letter.txt") == 0


@pytest.mark.slow
def test_a_result_is_adopted_on_this_host_though_the_files_lie_elsewhere(
    sweep_folder, store, place: str, wait_for
) -> None:
    """F1: the driver is killed after a worker wrote its result down, and before that was recorded."""
    (sweep_folder.path / "slow.py").write_text(SLOW)
    sweep_folder.write(
        objective={"python": "slow:objective"},
        budget={"n_trials": 2},
        parallel={"n_jobs": 1, "backend": "loky"},
        tracker={"artifacts": place},
    )
    sweep_folder.hold(1)
    driver = sweep_folder.start("run", "sweep.yaml")
    wait_for(lambda: sweep_folder.held(1))
    driver.send(signal.SIGSTOP)
    sweep_folder.release(1)
    wait_for(lambda: list(sweep_folder.path.glob(".hpo-results-*/1-1.json")))
    driver.kill9()

    resumed = sweep_folder.hpo("run", "sweep.yaml")

    assert resumed.wait() == 0
    assert "took over 1 result that workers had written down" in resumed.stderr
    assert sweep_folder.executions("start") == {0: 1, 1: 1}
    assert list(sweep_folder.path.glob(".hpo-results-*")) == []


def test_a_store_that_cannot_be_listed_is_named_and_the_rest_is_cleaned(
    sweep_folder, zygote, store, place: str
) -> None:
    assert run(sweep_folder, zygote, store, "run", "sweep.yaml").code == 0  # in a local folder
    sweep_folder.write(name="far", tracker={"artifacts": place})
    assert run(sweep_folder, zygote, store, "run", "sweep.yaml").code == 0
    with open_store(sweep_folder.uri, read_only=True) as opened:
        (near, far) = [item.artifact_uri for item in opened.tracker.find(Query(roots=True, sweeps=True))]
    lost = Path(near, "lost.bin")
    lost.write_bytes(b"12345")
    FILES.save_file(far, lost, "lost.bin")

    gone = run(
        sweep_folder, zygote, store, "gc", "--yes",
        AWS_ENDPOINT_URL_S3="http://127.0.0.1:9", HPO_ARTIFACTS_RETRIES="0",
    )  # fmt: skip

    assert gone.code == 75, gone.stderr
    assert f"not looked at: {far.rpartition('/1/')[0]}" in gone.stderr or "not looked at: s3://" in gone.stderr
    assert not lost.exists()
    assert {"lost.bin", "sweep.yaml"} <= set(FILES.names(far))
    assert run(sweep_folder, zygote, store, "gc", "--yes").code == 0
    assert "sweep.yaml" in FILES.names(far)
    assert "lost.bin" not in FILES.names(far)
