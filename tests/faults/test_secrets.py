"""No secret of a sweep file, its environment or its repository is on record or on the screen; trials get the real one.

Security table: secrets in params, environment capture, git remote, database URLs.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hpo.config.reading import SweepFileError, read_sweep, read_sweep_text
from hpo.config.secrets_in_file import masked_text, secrets_of
from hpo.errors import ConfigError
from hpo.search import load, resume
from trackers.opening import open_store

PLANTED = "S3CRET"
VALUE = "S3CRET-of-the-environment"
OBJECTIVE = """
import os

def objective(params, trial):
    assert params["api_key"] == 'S3CRET"in\\nlines' and params["plain"] == "AKIAS3CRETS3CRETS3CR", params
    print("printed", params["api_key"], os.environ["THE_VARIABLE"])
    trial.set_tag("token", "S3CRET-of-a-tag")
    trial.set_tag("note", "holds " + os.environ["THE_VARIABLE"])
    url = "postgresql://joe:" + "S3CRETword@host/db"
    if trial.number == 1:
        raise ValueError(f"refused {params['api_key']!r} and {os.environ['THE_VARIABLE']} at {url}")
    return {"loss": params["x"]}
"""
SWEEP = r"""
name: secretive                     # S3CRET-of-the-environment
metric: {name: loss}
description: "notes at https://joe:S3CRETurl@host/x"
tags: {db_password: S3CRET-of-a-tag, team: ours}
objective: {python: "secretive:objective", secret_env: [THE_VARIABLE]}
parameters:
  x: {type: float, low: 0, high: 1}
  y: {type: float, low: 0, high: 1, when: {hf_token: S3CRET-token}}
  hf_token: S3CRET-token
  api_key: "S3CRET\"in\nlines"
  private_key: |
    -----BEGIN RSA PRIVATE KEY-----
    S3CRETpem
    -----END RSA PRIVATE KEY-----
  plain: AKIAS3CRETS3CRETS3CR
  max_tokens: 100
  tokenizer: bpe
engine: {name: optuna, sampler: tpe, seed: 1}
budget: {n_trials: 3}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secretive.py").write_text(OBJECTIVE)
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    for command in (
        ("init", "-q"), ("add", "."), ("remote", "add", "origin", "https://joe:S3CRETgit@host/repository.git"),
        ("-c", "user.name=n", "-c", "user.email=e@x", "commit", "-q", "-m", "x"),
    ):  # fmt: skip
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    return tmp_path


@pytest.fixture
def hpo(folder: Path, zygote) -> Callable[..., object]:
    """`hpo("run", "sweep.yaml")` in the folder; `variable` is what stands in THE_VARIABLE, if anything."""

    def ended(*words: str, variable: str | None = VALUE) -> object:
        named = {} if variable is None else {"THE_VARIABLE": variable}
        return zygote.hpo(folder, *words, environment={"UNRELATED": "S3CRET-unrelated", **named})

    return ended


def recorded(folder: Path) -> bytes:
    """Everything on the disk but what the user put there, as one text."""
    ours = {"secretive.py", "sweep.yaml"}
    theirs = {".git", "__pycache__"}  # what Python compiles of the user's file holds what the file holds
    files = [path for path in folder.rglob("*") if path.is_file() and theirs.isdisjoint(path.parts)]
    return b"".join(path.read_bytes() for path in files if path.name not in ours or "mlruns" in path.parts)


def test_no_secret_is_recorded_or_shown_and_every_trial_gets_the_real_one(folder: Path, hpo) -> None:
    done = hpo("run", "sweep.yaml", "--debug")

    assert done.code == 0, done.stderr
    assert "kept off the record, shown as ***: parameters.hf_token, parameters.api_key" in done.stderr
    assert "trial 1 FAILED exception: ValueError: refused '***' and *** at postgresql://joe:***@host/db" in done.stderr
    shown = [hpo(*words) for words in (("show",), ("show", "1"), ("logs", "1"), ("trials",), ("best", "-f", "json"))]
    for text in (done.stdout, done.stderr, *(view.stdout + view.stderr for view in shown)):
        assert PLANTED not in text
    assert "printed *** ***" in shown[2].stdout
    assert PLANTED.encode() not in recorded(folder)
    with open_store(f"sqlite:///{folder}/mlflow.db", read_only=True) as store:
        parent = store.tracker.get(load(tracker=f"sqlite:///{folder}/mlflow.db").run_id)
        assert parent.tags["mlflow.source.git.repoURL"] == "https://host/repository.git"
        (best,) = load(tracker=f"sqlite:///{folder}/mlflow.db").best_runs(1)
    assert best.params["max_tokens"] == 100
    assert best.params["tokenizer"] == "bpe"
    assert best.params["api_key"] == best.params["plain"] == "***"
    assert "y" in best.params  # its condition, on a secret, holds
    kept = next(folder.glob("mlruns/*/*/artifacts/sweep.yaml")).read_text()
    read_sweep_text(kept)  # still a sweep file
    assert 'api_key: "***"' in kept


@pytest.mark.slow
def test_a_sweep_goes_on_with_the_secrets_of_its_file_even_when_they_are_new_ones(folder: Path, hpo) -> None:
    assert hpo("run", "sweep.yaml").code == 0
    file = folder / "sweep.yaml"
    file.write_text(file.read_text().replace("S3CRET-token", "S3CRET-another"))

    more = hpo("run", "sweep.yaml", "-n", "5")

    assert more.code == 0, more.stderr
    assert "sweep secretive goes on: 3 of 5 trials ended" in more.stderr
    assert "5 trials (4 COMPLETE, 1 FAILED)" in more.stdout
    assert PLANTED.encode() not in recorded(folder)


@pytest.mark.slow
def test_resuming_takes_secrets_from_the_file_and_asks_for_it_where_it_is_gone(
    folder: Path, hpo, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hpo("run", "sweep.yaml").code == 0
    monkeypatch.setenv("THE_VARIABLE", "S3CRET-of-the-environment")
    monkeypatch.chdir(folder)
    uri = f"sqlite:///{folder}/mlflow.db"

    result = resume("secretive", more=1, tracker=uri)

    assert result.counts()["COMPLETE"] == 3
    (folder / "sweep.yaml").rename(folder / "moved.yaml")
    with pytest.raises(ConfigError, match=r"hf_token is a secret and not on record.* with its file only: hpo run FILE"):
        resume("secretive", more=1, tracker=uri)


def test_a_variable_that_is_not_set_is_said_before_anything_is_written(folder: Path, hpo) -> None:
    done = hpo("run", "sweep.yaml", variable=None)

    assert done.code == 2
    assert "objective.secret_env: not set in the environment: THE_VARIABLE; nothing was run" in done.stderr
    assert not (folder / "mlflow.db").exists()


def test_a_password_in_the_uri_of_a_store_is_never_shown(hpo) -> None:
    for words in (("run", "sweep.yaml"), ("ls",), ("doctor",)):
        done = hpo(*words, "--tracker", "postgresql://joe:S3CRETpw@nowhere.invalid/db", "--debug")
        assert done.code != 0
        assert PLANTED not in done.stdout + done.stderr


@pytest.mark.parametrize("choices", ["api_key: [S3CRETone, S3CRETtwo]", "x: [AKIAS3CRETS3CRETS3CR, b]"])
def test_a_secret_is_not_searched_since_what_is_searched_is_recorded(choices: str) -> None:
    text = f"name: a\nmetric: {{name: loss}}\nobjective: {{python: 'a:b'}}\nparameters: {{{choices}}}"

    with pytest.raises(SweepFileError, match=r"looks like a secret, and what is searched is recorded") as raised:
        read_sweep_text(text)

    assert PLANTED not in str(raised.value)


def test_the_kept_file_differs_in_its_secrets_only(folder: Path) -> None:
    config = read_sweep(folder / "sweep.yaml")
    secrets = secrets_of(config, {"THE_VARIABLE": "S3CRET-of-the-environment"})

    masked = masked_text(SWEEP, secrets)

    changed = [line for line in masked.splitlines() if line not in SWEEP.splitlines()]
    assert len(changed) == 8
    assert all("***" in line for line in changed)
    harmless = "name: a  # nothing\nmetric: {name: loss}\nparameters: {max_tokens: 3, key: 4, sort_key: abc}\n"
    assert masked_text(harmless, secrets) == harmless
