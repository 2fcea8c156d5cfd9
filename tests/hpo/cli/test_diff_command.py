"""`hpo diff`, on the real SQLite store."""

import csv
import io
import json
from collections.abc import Callable

import pytest
from click.testing import Result

Ask = Callable[..., Result]


def test_diff_shows_what_differs_of_two_trials_and_counts_the_rest(ask: Ask) -> None:
    done = ask("diff", "iris#0", "iris#3")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines() == [
        "--- iris#0  COMPLETE, 0.5 s",
        "+++ iris#3  COMPLETE, 0.5 s",
        "",
        "params  iris#0  iris#3",
        "C       0.5     0.000123457",
        "  (2 the same)",
        "",
        "metrics: the same",
        "",
        "seeds  iris#0  iris#3",
        "trial  0       3",
        "  (1 the same)",
        "",
        "code: the same (one sweep, one code)",
        "",
        "data: cannot be told (not on record)",
        "",
        "environment: cannot be told (not on record)",
    ]


def test_diff_says_which_trial_is_better(ask: Ask) -> None:
    rows = [line.split() for line in ask("diff", "iris#0", "iris#1").stdout.splitlines()]
    assert ["roc_auc", "0.9", "0.95", "+0.05", "better"] in rows
    assert ["accuracy", "0.1", "0.05", "-0.05"] in rows


def test_diff_in_json_has_all_of_both(ask: Ask) -> None:
    done = ask("diff", "iris#0", "iris#1", "-f", "json")
    found = json.loads(done.stdout)
    assert list(found) == [
        "before", "after", "settings", "params", "metrics", "seeds", "code", "data", "environment"
    ]  # fmt: skip
    assert found["before"]["address"] == "iris#0"
    assert {"name": "C", "same": False, "before": 0.5} in found["params"]
    assert found["metrics"][0] == {
        "name": "roc_auc", "same": False, "before": 0.9, "after": 0.95,
        "difference": pytest.approx(0.05), "verdict": "better",
    }  # fmt: skip
    assert found["code"]["same"] is True


def test_diff_in_csv_has_a_row_for_each_thing_that_differs(ask: Ask) -> None:
    rows = list(csv.DictReader(io.StringIO(ask("diff", "iris#0", "iris#1", "-f", "csv").stdout)))
    assert {(row["section"], row["name"]) for row in rows} == {
        ("param", "clf"), ("param", "C"), ("param", "fit"), ("param", "depth"), ("param", "note"),
        ("metric", "roc_auc"), ("metric", "accuracy"), ("seed", "trial"),
    }  # fmt: skip
    assert next(row for row in rows if row["name"] == "note")["after"] == "'=1+1"


def test_diff_takes_a_registered_model_for_the_trial_it_came_from(ask: Ask) -> None:
    for name in ("flowers@champion", "flowers@1"):
        assert ask("diff", name, "iris#3").stdout.startswith("--- iris#1  COMPLETE")
    wrong = ask("diff", "flowers@champ", "iris#3")
    assert wrong.exit_code == 1
    assert "champion" in wrong.stderr
    assert "no model 'trees', and no sweep 'trees@champion'" in ask("diff", "trees@champion", "iris#3").stderr


def test_diff_of_two_sweeps_shows_their_settings(ask: Ask) -> None:
    done = ask("diff", "iris", "bold-cat")
    assert done.exit_code == 0, done.stderr
    assert "settings" in done.stdout
    assert "engine.sampler  tpe" in done.stdout


def test_diff_of_runs_that_mlflow_wrote_compares_texts(ask: Ask) -> None:
    text = ask("diff", "bold-cat#shy-ant", "bold-cat#odd-bee").stdout
    assert "depth   0                 1" in text
    assert "rmse     3                 1                 -2" in text


def test_diff_of_a_sweep_and_a_trial_is_refused(ask: Ask) -> None:
    done = ask("diff", "iris", "iris#1")
    assert done.exit_code == 2
    assert "name two trials" in done.stderr


def test_diff_of_what_is_not_there_ends_with_1(ask: Ask) -> None:
    assert ask("diff", "iris#0", "iris#99").exit_code == 1
    assert ask("diff", "iris#0", "irs#1").stderr.count("did you mean 'iris'?") == 1
