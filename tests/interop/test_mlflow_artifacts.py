"""MLflow's own client finds what a sweep keeps in an object store: the artifact URIs on record are MLflow's."""

import warnings
from pathlib import Path

import pytest

from trackers.artifacts import ArtifactFolder
from trackers.opening import open_store
from trackers.records import RunEnded, RunStarted, Status

FILES = ArtifactFolder()
RUNS = {"s3": "1" * 32, "azure": "2" * 32, "gs": "3" * 32}
"""MLflow keeps the artifact URI of a run id in mind, whatever the database."""


@pytest.mark.parametrize(
    "kind", ["s3", pytest.param("azure", marks=pytest.mark.slow), pytest.param("gs", marks=pytest.mark.slow)]
)
def test_mlflows_client_downloads_what_was_kept_and_we_read_what_it_logged(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = RUNS[kind]
    store = request.getfixturevalue(f"{kind}_server")
    store.use(monkeypatch)
    if kind == "s3":  # MLflow's own variable, for both
        monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", store.environment["AWS_ENDPOINT_URL_S3"])
        monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    root = f"{store.uri}/mlflow-{tmp_path.name}"
    if kind == "azure":
        root = root.replace("wasbs://artifacts@devstoreaccount1.blob.core.windows.net", "az://artifacts")
    names = ["model/weights.bin", "notes/a b.txt", "notes/é.txt"]
    for name in names:
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / name).write_text(name)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with open_store(uri, artifacts=root) as opened:
        opened.tracker.experiment("e")
        opened.tracker.record([RunStarted(run_id, "r", "e", 1)])
        artifact_uri = opened.tracker.get(run_id).artifact_uri
        kept = [
            artifact
            for folder in ("model", "notes")
            for artifact in FILES.save_file(artifact_uri, tmp_path / "source" / folder, folder)
        ]
        opened.tracker.record([RunEnded(run_id, Status.FINISHED, 2, artifacts=kept)])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MLflow and of the libraries of the stores
        downloaded, listed = by_mlflow(uri, run_id, tmp_path)

    assert sorted(path.relative_to(downloaded).as_posix() for path in downloaded.rglob("*") if path.is_file()) == names
    assert all((downloaded / name).read_text() == name for name in names)
    assert listed == ["model", "notes"]
    with FILES.open(artifact_uri, "logged/by-mlflow.txt") as file:
        assert file.read() == b"hello"


def by_mlflow(uri: str, run_id: str, folder: Path) -> tuple[Path, list[str]]:
    """What MLflow's client downloads and lists of the run; it logs a file too."""
    import mlflow
    from mlflow import MlflowClient

    mlflow.set_tracking_uri(uri)
    client = MlflowClient(uri)
    listed = sorted(item.path for item in client.list_artifacts(run_id))
    (folder / "target").mkdir()
    downloaded = mlflow.artifacts.download_artifacts(run_id=run_id, dst_path=str(folder / "target"), tracking_uri=uri)
    (folder / "by-mlflow.txt").write_text("hello")
    client.log_artifact(run_id, str(folder / "by-mlflow.txt"), "logged")
    return Path(downloaded), listed
