"""`hpo.load_model`: what is registered, verified, and never a pickle unless it is trusted."""

import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import hpo
from hpo.errors import ConfigError, HpoError
from trackers.artifacts import ArtifactFolder
from trackers.errors import ModelError, NotFound
from trackers.opening import open_store
from trackers.records import Artifact, LoggedModel, NewVersion, RunEnded, RunStarted, RunUpdated, Status

ROWS, TARGETS = load_iris(return_X_y=True)
RUN = "a" * 32


class Planted:
    """Writes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.write_text, (self.marker, "executed")


class Registered:
    """A store with one registered model."""

    def __init__(self, folder: Path) -> None:
        self.uri = f"sqlite:///{folder}/mlflow.db"
        self.model = LogisticRegression(max_iter=500).fit(ROWS, TARGETS)
        with open_store(self.uri, artifacts=str(folder / "mlruns")) as store:
            store.tracker.experiment("iris")
            store.tracker.record([RunStarted(RUN, "trial-0", "iris", 1)])
            place = store.tracker.get(RUN).artifact_uri
            logged, files = ArtifactFolder().save_model(
                place, self.model, name="model", run_id=RUN, input_example=ROWS[:3]
            )
            store.tracker.record([RunEnded(RUN, Status.FINISHED, 2, artifacts=files, models=[logged])])
            version = NewVersion(
                "clf", f"{place}/model", RUN, "k", model_id=logged.model_id, aliases=("champion",), who="a"
            )
            store.registry.register(version)
        self.files: Sequence[Artifact] = files
        self.logged: LoggedModel = logged
        self.place = Path(place, "model")

    def put(self, name: str, content: bytes) -> None:
        """Writes a file, and brings the manifest up to it: the work of somebody who may write to both."""
        (self.place / name).write_bytes(content)
        kept = Artifact(f"model/{name}", len(content), hashlib.sha256(content).hexdigest())
        with open_store(self.uri) as store:
            store.tracker.record([RunUpdated(RUN, artifacts=[kept])])


@pytest.fixture
def registered(tmp_path: Path) -> Registered:
    return Registered(tmp_path)


@pytest.mark.parametrize(
    "name", ["clf@champion", "clf/1", "clf/latest", "models:/clf@champion", "models:/clf/1", "models:/clf/latest"]
)
def test_it_is_loaded_by_alias_or_number_as_mlflow_names_it(registered: Registered, name: str) -> None:
    model = hpo.load_model(name, tracker=registered.uri)
    assert isinstance(model, LogisticRegression)
    np.testing.assert_array_equal(model.predict_proba(ROWS), registered.model.predict_proba(ROWS))


def test_the_store_may_be_named_by_the_environment(registered: Registered, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPO_TRACKER", registered.uri)
    assert isinstance(hpo.load_model("clf@champion"), LogisticRegression)


@pytest.mark.parametrize("name", ["clf", "clf@", "@champion", "models:/clf", "runs:/x/model", "a/b@c", ""])
def test_another_name_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError, match="named name@alias, name/3 or name/latest"):
        hpo.load_model(name, tracker="memory://")


@pytest.mark.parametrize("name", ["clf@best", "clf/7", "other@champion"])
def test_what_is_not_there_is_not_found(registered: Registered, name: str) -> None:
    with pytest.raises(NotFound):
        hpo.load_model(name, tracker=registered.uri)


@pytest.mark.parametrize("file", ["model.skops", "MLmodel", "requirements.txt"])
def test_a_file_that_was_altered_is_refused(registered: Registered, file: str) -> None:
    path = registered.place / file
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ModelError, match="missing or altered"):
        hpo.load_model("clf@champion", tracker=registered.uri)
    path.unlink()
    with pytest.raises(ModelError, match="missing or altered"):
        hpo.load_model("clf@champion", tracker=registered.uri)


def test_a_pickle_is_not_executed_unless_it_is_trusted(registered: Registered, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    described = (registered.place / "MLmodel").read_text()
    described = described.replace('"skops"', '"cloudpickle"').replace("model.skops", "model.pkl")
    registered.put("MLmodel", described.encode())
    registered.put("model.pkl", pickle.dumps(Planted(marker)))
    with pytest.raises(ModelError, match="runs the code it holds when it is loaded"):
        hpo.load_model("clf@champion", tracker=registered.uri)
    assert not marker.exists()

    hpo.load_model("clf@champion", tracker=registered.uri, trust_pickle=True)
    assert marker.read_text() == "executed"


def test_a_pickle_beside_the_manifest_is_never_read(registered: Registered, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    (registered.place / "model.pkl").write_bytes(pickle.dumps(Planted(marker)))
    described = (registered.place / "MLmodel").read_text()
    described = described.replace('"skops"', '"cloudpickle"').replace("model.skops", "model.pkl")
    registered.put("MLmodel", described.encode())
    with pytest.raises(ModelError, match="not in the manifest"):
        hpo.load_model("clf@champion", tracker=registered.uri, trust_pickle=True)
    assert not marker.exists()


def test_a_skops_file_with_foreign_types_is_refused(registered: Registered, tmp_path: Path) -> None:
    import skops.io

    registered.put("model.skops", skops.io.dumps(Planted(tmp_path)))
    with pytest.raises(ModelError):
        hpo.load_model("clf@champion", tracker=registered.uri)


def test_what_no_manifest_vouches_for_is_refused(registered: Registered) -> None:
    with open_store(registered.uri) as store:
        store.tracker.record([RunUpdated(RUN, removed_artifacts=["model/"])])
    with pytest.raises(HpoError, match="nothing vouches for them; where MLflow logged it"):
        hpo.load_model("clf@champion", tracker=registered.uri)


def test_a_version_moved_to_other_files_is_refused(registered: Registered, tmp_path: Path) -> None:
    other = replace(registered.logged, uri=str(tmp_path))
    with open_store(registered.uri) as store:
        version = NewVersion("clf", f"{other.uri}/elsewhere", RUN, "k2", aliases=("champion",), who="mallory")
        store.registry.register(version)
    with pytest.raises(HpoError, match="not loaded"):
        hpo.load_model("clf@champion", tracker=registered.uri)


def test_importing_hpo_alone_loads_nothing_of_it() -> None:
    import subprocess
    import sys

    code = "import sys, hpo; print('trackers' in sys.modules, 'sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
