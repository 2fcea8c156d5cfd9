"""Verbs where there is little or nothing to read."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hpo.cli.main import main
from trackers.opening import open_store
from trackers.records import RunEnded, RunStarted, Status, SweepFacts, TrialFacts

Ask = Callable[..., Result]


def test_an_empty_sweep_ranked_says_so(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with open_store(uri) as store:
        store.tracker.experiment("e")
        facts = SweepFacts("{}", "h", "loss", "minimize", 1, 1, 3)
        store.tracker.record([RunStarted("a" * 32, "empty", "e", 1, sweep=facts)])
    result = CliRunner().invoke(main, ["best", "empty", "--tracker", uri])
    assert result.exit_code == 1
    assert result.stderr == "Error: sweep 'empty' (RUNNING) has no trials yet, so none is best\n"
    assert CliRunner().invoke(main, ["trials", "empty", "--tracker", uri, "-f", "json"]).stdout == "[]\n"


def test_a_sweep_of_failed_trials_says_so(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with open_store(uri) as store:
        store.tracker.experiment("e")
        failed = TrialFacts(0, {}, "FAILED", reason="exception")
        facts = SweepFacts("{}", "h", "loss", "minimize", 1, 1, 3)
        store.tracker.record(
            [
                RunStarted("a" * 32, "bad", "e", 1, sweep=facts),
                RunStarted("b" * 32, "trial-0", "e", 2, "a" * 32, trial=TrialFacts(0, {})),
                RunEnded("b" * 32, Status.FAILED, 3, trial=failed),
            ]
        )
    result = CliRunner().invoke(main, ["best", "--tracker", uri])
    assert result.exit_code == 1
    assert result.stderr == "Error: no trial of 'bad' has a result: 1 FAILED; see: hpo trials bad\n"


@pytest.mark.parametrize("verb", ["ls", "show", "best", "trials", "models", "logs 1", "export -o x.csv"])
def test_a_store_that_is_not_there_is_never_made(tmp_path: Path, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, verb.split(), env={"HPO_TRACKER": "sqlite:///none.db"})
    assert result.exit_code == 1
    wanted = "no store at sqlite:///none.db (from $HPO_TRACKER); run a sweep first, or name one with --tracker"
    assert result.stderr == f"Error: {wanted}\n"
    assert not list(tmp_path.iterdir())


def test_reading_changes_nothing_in_the_database(ask: Ask, store_uri: str) -> None:
    def rows() -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(store_uri.removeprefix("sqlite:///"))) as connection:
            return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()

    before = rows()
    for verb in (["ls"], ["show"], ["best", "iris"], ["trials"], ["models"], ["doctor"]):
        assert ask(*verb).exit_code == 0
    assert rows() == before
