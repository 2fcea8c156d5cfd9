"""MLflow's basic-auth server: who may in is told by the environment alone, and the password stays there."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hpo.cli.main import main
from hpo.places import places_of
from trackers.errors import MirrorUnavailable

ROOT = Path(__file__).parents[2]
WRONG = "S3CRET-that-is-wrong"
SWEEP = """
name: {name}
metric: {{name: loss}}
objective: {{python: "toy:objective"}}
parameters: {{x: [1, 2]}}
engine: {{sampler: grid}}
budget: {{n_trials: 2}}
parallel: {{backend: serial}}
"""
TOY = """
import os
import pathlib

def objective(params, trial):
    mine = set()
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            mine.add(entry.read_bytes())
        except OSError:
            pass
    with open("commands", "ab") as file:
        file.write(b"\\n".join(mine))
    return params["x"] / 2
"""


def sign_in(monkeypatch: pytest.MonkeyPatch, user: str, password: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)


@pytest.mark.slow
def test_the_right_password_is_let_in_and_a_wrong_one_is_told_so(
    mirrored: Any, closed_mlflow_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrored.start()
    mirrored.end(mirrored.trial(0, {"x": 1}))
    uri = closed_mlflow_server.uri
    with pytest.raises(MirrorUnavailable, match=r"does not let us in .401.; set MLFLOW_TRACKING_USERNAME"):
        mirrored.send(uri)
    sign_in(monkeypatch, "admin", WRONG)
    with pytest.raises(MirrorUnavailable, match=r"does not let user 'admin' in .401.") as told:
        mirrored.send(uri)
    assert WRONG not in str(told.value)

    closed_mlflow_server.ask("users/create", {"username": mirrored.name, "password": "of-a-reader-1"})
    sign_in(monkeypatch, "admin", closed_mlflow_server.password)
    mirrored.send(uri)
    assert len(closed_mlflow_server.runs(mirrored.name)) == 2

    mirrored.end(mirrored.trial(1, {"x": 2}))
    sign_in(monkeypatch, mirrored.name, "of-a-reader-1")
    with pytest.raises(MirrorUnavailable, match=rf"does not let user '{mirrored.name}' write .* .403."):
        mirrored.send(uri)


@pytest.mark.slow
def test_the_password_is_nowhere_but_in_the_environment(
    closed_mlflow_server: Any, fresh_name: str, tmp_path: Path
) -> None:
    secret = closed_mlflow_server.password
    (tmp_path / "sweep.yaml").write_text(SWEEP.format(name=fresh_name))
    (tmp_path / "toy.py").write_text(TOY)
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith(("HPO_", "MLFLOW_"))},
        "PYTHONPATH": str(ROOT),
        "HPO_MIRROR_WAIT": "120",
        "HPO_MIRROR_NICE": "0",
        "MLFLOW_TRACKING_URI": closed_mlflow_server.uri,
        "MLFLOW_TRACKING_USERNAME": "admin",
        "MLFLOW_TRACKING_PASSWORD": secret,
    }
    command = [sys.executable, "-c", "from hpo.cli.main import main; main()", "run", "sweep.yaml", "-v"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert f"sent to {closed_mlflow_server.uri}" in done.stderr
    assert len(closed_mlflow_server.runs(fresh_name)) == 3
    assert (tmp_path / "mlflow.db").exists()
    assert secret not in done.stdout + done.stderr
    holding = [path for path in tmp_path.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert not holding
    assert b"hpo.mirrors" in (tmp_path / "commands").read_bytes()


@pytest.mark.parametrize("uri", ["http://ada:pw-4711@mlflow:5000", "https://pw-4711@mlflow"])
def test_an_address_with_a_password_is_refused_without_showing_it(
    uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweep.yaml").write_text(SWEEP.format(name="a") + f"tracker: {{mirror: '{uri}'}}\n")
    for arguments in (["check", "sweep.yaml"], ["ls", "--tracker", uri], ["mirror", "a", "--to", uri]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        printed = capsys.readouterr()
        assert ended.value.code == 2
        assert "MLFLOW_TRACKING_PASSWORD in the environment" in printed.err
        assert "pw-4711" not in printed.err + printed.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sweep.yaml"]


def test_a_server_is_a_mirror_of_the_next_store_that_is_named() -> None:
    server = "http://mlflow:5000"
    assert places_of([server + "/", None, "sqlite:///team.db"], [server]) == places_of(["sqlite:///team.db"], [server])
    assert places_of([None, server]).store == "sqlite:///mlflow.db"
    assert places_of(["sqlite:///a.db", server]).mirrors == ()
