"""The set-ups of docs/teams.md as the page has them: one database, one object store, one MLflow server, three people.

Ada and Ben record in the team's PostgreSQL and keep files in S3; Cleo has no account there and mirrors her own store.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_iris

SWEEP = """
name: {name}
metric: {{name: accuracy, goal: maximize}}
objective:
  sklearn:
    data: {{loader: sklearn.datasets.load_iris, test: 0.3}}
    estimator: sklearn.linear_model.LogisticRegression
    cv: {{folds: 3}}
parameters:
  C: {{type: float, low: 0.001, high: 10, log: true}}
  max_iter: 500
budget: {{n_trials: 4}}
register: {{name: iris, alias: {alias}}}
"""


class Person:
    """Somebody at a machine of their own: a folder, an environment, and `hpo`."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = environment
        folder.mkdir()

    def hpo(self, *words: str) -> str:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HPO_", "MLFLOW_", "AWS_"))}
        environment = {**kept, "MLFLOW_DISABLE_TELEMETRY": "true", "HPO_MIRROR_WAIT": "120", **self.environment}
        done = subprocess.run(
            [sys.executable, "-c", "from hpo.cli.main import main; main()", *words],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def search(self, name: str, *words: str, alias: str = "champion") -> str:
        (self.folder / "sweep.yaml").write_text(SWEEP.format(name=name, alias=alias))
        return self.hpo("run", "sweep.yaml", *words)


@pytest.mark.slow
def test_three_people_share_a_database_an_object_store_and_a_server(
    empty_postgres_uri: str,
    s3_server: Any,
    mlflow: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server_class = sys.modules["mlflow_server"].MlflowServer
    files = f"{s3_server.uri}/team"
    team = {"HPO_TRACKER": empty_postgres_uri, **s3_server.environment}
    ada, ben = Person(tmp_path / "ada", **team), Person(tmp_path / "ben", **team)
    ada.search("ada-iris", "-S", f"tracker.artifacts={files}")
    ben.search("ben-iris", "-S", f"tracker.artifacts={files}", alias="challenger")
    assert {row["name"] for row in json.loads(ada.hpo("ls", "-f", "json"))} == {"ada-iris", "ben-iris"}
    assert [row["aliases"] for row in json.loads(ben.hpo("models", "-f", "json"))] == [["champion"], ["challenger"]]

    folder = tmp_path / "server"
    folder.mkdir()
    options = ("--backend-store-uri", empty_postgres_uri, "--artifacts-destination", files)
    port = sys.modules["postgres_server"].free_port()
    s3_for_mlflow = {"MLFLOW_S3_ENDPOINT_URL": s3_server.environment["AWS_ENDPOINT_URL_S3"], **s3_server.environment}
    server = server_class(folder, port, options, s3_for_mlflow)
    server.start()
    try:
        cleo = Person(tmp_path / "cleo", MLFLOW_TRACKING_URI=server.uri)  # nothing of the database, nothing of S3
        cleo.search("cleo-iris", alias="cleo")
        assert (cleo.folder / "mlflow.db").exists()
        for name in ("ada-iris", "ben-iris", "cleo-iris"):
            runs = server.runs(name)
            assert sorted(run["info"]["run_name"] for run in runs) == [name, *(f"trial-{n}" for n in range(4))], runs
            assert {run["info"]["status"] for run in runs} == {"FINISHED"}
        s3_server.use(monkeypatch, **s3_for_mlflow)
        mlflow.set_tracking_uri(server.uri)
        mlflow.set_registry_uri(server.uri)
        rows = load_iris(as_frame=True).data[:5]
        for alias in ("champion", "challenger", "cleo"):
            loaded = mlflow.sklearn.load_model(f"models:/iris@{alias}")
            assert len(loaded.predict(rows)) == 5, alias
    finally:
        server.kill()
